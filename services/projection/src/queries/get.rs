use contracts::article::{Article, ArticleRefusal, GetArticle};
use eventsourcing::Refusal;
use uuid::Uuid;

use super::{Fault, FromTables, row};
use crate::tables::{ArticleRow, DatabaseError, Seen, Tables};

impl FromTables for GetArticle {
    type Question = Uuid;
    type Rows = Option<ArticleRow>;

    fn question(&self) -> Result<Uuid, Refusal> {
        Ok(self.id.as_uuid())
    }

    async fn ask<T: Tables>(tables: &T, id: Uuid) -> Result<Seen<Self::Rows>, DatabaseError> {
        tables.get(id).await
    }

    fn answer(_: Uuid, found: Self::Rows) -> Result<Article, Fault> {
        match found {
            None => Err(Refusal::from(ArticleRefusal::NotFound).into()),
            Some(row) if row.deleted => Err(Refusal::from(ArticleRefusal::Deleted).into()),
            Some(row) => row::article(row),
        }
    }
}
