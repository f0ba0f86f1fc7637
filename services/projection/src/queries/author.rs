use contracts::article::{ArticleRefusal, Author, GetAuthor};
use eventsourcing::{Refusal, UserId};

use super::{Fault, FromTables, row};
use crate::tables::{AuthorRow, DatabaseError, Seen, Tables};

impl FromTables for GetAuthor {
    type Question = UserId;
    type Rows = Option<AuthorRow>;

    fn question(&self) -> Result<UserId, Refusal> {
        Ok(self.id.clone())
    }

    async fn ask<T: Tables>(tables: &T, id: UserId) -> Result<Seen<Self::Rows>, DatabaseError> {
        tables.author(&id).await
    }

    fn answer(_: UserId, found: Self::Rows) -> Result<Author, Fault> {
        let found = found.ok_or_else(|| Refusal::from(ArticleRefusal::NoAuthor))?;
        row::author(&found)
    }
}
