//! Where queries read: on connections that never write, each answer and its position from one state of the tables.

use sqlx::{Acquire, PgPool, Pool, Postgres, Sqlite, Transaction};

use crate::{model::DatabaseError, number::number};

/// The position of the last event in the tables: to be selected beside rows, where one statement is enough for an answer.
pub const POSITION: &str = "SELECT position FROM progress";

/// The connections that queries read on.
#[derive(Debug)]
pub struct Reads<DB: sqlx::Database> {
    /// For what an index answers.
    pub readers: Pool<DB>,
    /// For searches, which take longer: one for a common word holds up no other read.
    pub searchers: Pool<DB>,
}

impl<DB: sqlx::Database> Clone for Reads<DB> {
    fn clone(&self) -> Self {
        Self { readers: self.readers.clone(), searchers: self.searchers.clone() }
    }
}

/// A transaction on one state of all tables in SQLite, and the position of that state.
///
/// # Errors
/// The database failed.
pub async fn begin_on_sqlite<'c>(
    readers: impl Acquire<'c, Database = Sqlite>,
) -> Result<(Transaction<'c, Sqlite>, u64), DatabaseError> {
    let mut tables = readers.begin().await?;
    let position = sqlx::query_scalar(POSITION).fetch_one(&mut *tables).await?;
    Ok((tables, number(position)?))
}

/// A transaction on one state of all tables in PostgreSQL, and the position of that state.
///
/// # Errors
/// The database failed.
pub async fn begin_on_postgres(
    readers: &PgPool,
) -> Result<(Transaction<'static, Postgres>, u64), DatabaseError> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    let mut tables = readers.begin_with(begin).await?;
    let position = sqlx::query_scalar(POSITION).fetch_one(&mut *tables).await?;
    Ok((tables, number(position)?))
}
