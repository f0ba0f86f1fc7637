use contracts::article::{Article, ArticleRefusal, GetArticle};
use eventsourcing::Refusal;
use read_model::{Fault, TableQuery};
use uuid::Uuid;

use super::row;
use crate::projection::{Articles, rows::ArticleRow};

impl TableQuery<Articles> for GetArticle {
    type Question = Uuid;
    type Rows = Option<ArticleRow>;

    fn question(&self) -> Result<Uuid, Refusal> {
        Ok(self.id.as_uuid())
    }

    fn answer(_: Uuid, found: Self::Rows) -> Result<Article, Fault> {
        match found {
            None => Err(Refusal::from(ArticleRefusal::NotFound).into()),
            Some(row) if row.deleted => Err(Refusal::from(ArticleRefusal::Deleted).into()),
            Some(row) => row::article(row),
        }
    }
}
