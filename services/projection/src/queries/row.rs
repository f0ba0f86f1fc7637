use contracts::article::{Article, ArticleSummary};
use sqlx::{FromRow, types::Json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::Fault;

/// A row of `articles`, without its content.
#[derive(Debug, FromRow)]
pub(super) struct Row {
    id: String,
    title: String,
    author_id: String,
    slug: Option<String>,
    tags: Json<Vec<String>>,
    version: i64,
    created_at: String,
    updated_at: String,
    pub(super) created_position: i64,
}

impl Row {
    pub(super) fn summary(self) -> Result<ArticleSummary, Fault> {
        Ok(ArticleSummary {
            id: self.id.parse().map_err(fault)?,
            title: self.title,
            author_id: self.author_id.parse().map_err(fault)?,
            slug: self.slug,
            tags: self.tags.0,
            version: u64::try_from(self.version).map_err(fault)?,
            created_at: time(&self.created_at)?,
            updated_at: time(&self.updated_at)?,
        })
    }

    pub(super) fn article(self, content: String) -> Result<Article, Fault> {
        let summary = self.summary()?;
        Ok(Article {
            id: summary.id,
            title: summary.title,
            content,
            author_id: summary.author_id,
            slug: summary.slug,
            tags: summary.tags,
            version: summary.version,
            created_at: summary.created_at,
            updated_at: summary.updated_at,
        })
    }
}

fn time(text: &str) -> Result<OffsetDateTime, Fault> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(fault)
}

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::Row(error.to_string())
}
