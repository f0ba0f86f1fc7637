use contracts::article::{Article, ArticleRefusal, GetArticle};
use eventsourcing::Refusal;
use sqlx::FromRow;

use super::{Fault, FromTables, Tables, row::Row};

#[derive(Debug, FromRow)]
struct Found {
    #[sqlx(flatten)]
    row: Row,
    content: String,
    deleted: bool,
}

impl FromTables for GetArticle {
    async fn answer(&self, tables: &mut Tables) -> Result<Article, Fault> {
        let found: Option<Found> = sqlx::query_as("SELECT * FROM articles WHERE id = ?")
            .bind(self.id.to_string())
            .fetch_optional(&mut **tables)
            .await?;
        match found {
            None => Err(Refusal::from(ArticleRefusal::NotFound).into()),
            Some(found) if found.deleted => Err(Refusal::from(ArticleRefusal::Deleted).into()),
            Some(found) => found.row.article(found.content),
        }
    }
}
