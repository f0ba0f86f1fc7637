use contracts::article::{AuthorPage, ListAuthors};
use eventsourcing::{Refusal, UserId};

use super::{Fault, FromTables, page, row};
use crate::tables::{AuthorRow, DatabaseError, Seen, Tables};

/// Authors behind an id.
#[derive(Debug, Clone)]
pub(super) struct Behind {
    after: String,
    limit: i64,
}

impl FromTables for ListAuthors {
    type Question = Behind;
    type Rows = Vec<AuthorRow>;

    /// The cursor is the id of the last item.
    fn question(&self) -> Result<Behind, Refusal> {
        let after: Option<UserId> = self
            .cursor
            .as_ref()
            .map(|cursor| cursor.parse())
            .transpose()
            .map_err(|_| page::not_a_cursor())?;
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        Ok(Behind { after, limit: page::limit(self.limit)? })
    }

    async fn ask<T: Tables>(tables: &T, page: Behind) -> Result<Seen<Self::Rows>, DatabaseError> {
        tables.authors(&page.after, page.limit + 1).await
    }

    fn answer(question: Behind, mut rows: Self::Rows) -> Result<AuthorPage, Fault> {
        let more = page::cut(&mut rows, question.limit);
        let next = rows.last().filter(|_| more).map(|row| row.author_id.clone());
        let items = rows.iter().map(row::author).collect::<Result<_, _>>()?;
        Ok(AuthorPage { items, next })
    }
}
