use contracts::article::{AuthorPage, ListAuthors};
use eventsourcing::{Refusal, UserId};

use super::{Fault, FromTables, cursor, page, row};
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
        let read = |cursor: &String| cursor::read_text(cursor)?.parse::<UserId>().ok();
        let after = match &self.cursor {
            None => String::new(),
            Some(cursor) => read(cursor).ok_or_else(page::not_a_cursor)?.to_string(),
        };
        Ok(Behind { after, limit: page::limit(self.limit)? })
    }

    async fn ask<T: Tables>(tables: &T, page: Behind) -> Result<Seen<Self::Rows>, DatabaseError> {
        tables.authors(&page.after, page.limit + 1).await
    }

    fn answer(question: Behind, mut rows: Self::Rows) -> Result<AuthorPage, Fault> {
        let more = page::cut(&mut rows, question.limit);
        let next = rows.last().filter(|_| more).map(|row| cursor::write_text(&row.author_id));
        let items = rows.iter().map(row::author).collect::<Result<_, _>>()?;
        Ok(AuthorPage { items, next })
    }
}
