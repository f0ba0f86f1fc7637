use contracts::article::{ArticleRefusal, Author, GetAuthor};
use eventsourcing::{Refusal, UserId};
use read_model::{Fault, TableQuery};

use super::row;
use crate::projection::{Articles, rows::AuthorRow};

impl TableQuery<Articles> for GetAuthor {
    type Question = UserId;
    type Rows = Option<AuthorRow>;

    fn question(&self) -> Result<UserId, Refusal> {
        Ok(self.id.clone())
    }

    fn answer(_: UserId, found: Self::Rows) -> Result<Author, Fault> {
        let found = found.ok_or_else(|| Refusal::from(ArticleRefusal::NoAuthor))?;
        row::author(&found)
    }
}
