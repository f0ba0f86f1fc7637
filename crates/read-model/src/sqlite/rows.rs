//! Many rows in few statements.

use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::model::DatabaseError;

/// How many rows one statement writes. Few different sizes, so that statements are prepared once.
const PIECES: [usize; 3] = [64, 8, 1];

/// Runs `statement`, which ends where a list of numbers belongs.
///
/// # Errors
/// The database failed.
pub async fn each_of(
    tables: &mut SqliteConnection,
    statement: &'static str,
    numbers: &[i64],
) -> Result<(), DatabaseError> {
    for numbers in pieces(numbers) {
        let mut query = QueryBuilder::<Sqlite>::new(statement);
        query.push("(");
        let mut list = query.separated(", ");
        for number in numbers {
            list.push_bind(number);
        }
        query.push(")");
        query.build().execute(&mut *tables).await?;
    }
    Ok(())
}

/// `rows` in pieces, each of which one statement writes.
pub fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = PIECES.into_iter().find(|size| *size <= rows.len())?;
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}
