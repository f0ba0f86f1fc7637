use contracts::article::{AuthorPage, ListAuthors};
use eventsourcing::{Refusal, UserId};
use read_model::{Fault, TableQuery, cursor, page};

use super::row;
use crate::projection::{Articles, rows::AuthorRow};

/// Authors behind an id.
#[derive(Debug, Clone)]
pub struct Behind {
    pub(crate) after: String,
    pub(crate) limit: i64,
}

impl TableQuery<Articles> for ListAuthors {
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

    fn answer(question: Behind, mut rows: Self::Rows) -> Result<AuthorPage, Fault> {
        let more = page::cut(&mut rows, question.limit);
        let next = rows.last().filter(|_| more).map(|row| cursor::write_text(&row.author_id));
        let items = rows.iter().map(row::author).collect::<Result<_, _>>()?;
        Ok(AuthorPage { items, next })
    }
}
