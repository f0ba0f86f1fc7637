//! Rows in the words of the contract.

use std::{fmt::Display, str::FromStr};

use contracts::article::{Article, ArticleSummary, Author};
use eventsourcing::AggregateId;
use read_model::Fault;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::projection::rows::{ArticleRow, AuthorRow};

pub(super) fn summary(row: ArticleRow) -> Result<ArticleSummary, Fault> {
    Ok(ArticleSummary {
        id: AggregateId::from(row.id),
        title: row.title,
        author_id: parse(&row.author_id)?,
        slug: row.slug,
        tags: row.tags.0,
        version: number(row.version)?,
        created_at: time(&row.created_at)?,
        updated_at: time(&row.updated_at)?,
    })
}

pub(super) fn article(mut row: ArticleRow) -> Result<Article, Fault> {
    let content = std::mem::take(&mut row.content);
    let summary = summary(row)?;
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

pub(super) fn author(row: &AuthorRow) -> Result<Author, Fault> {
    Ok(Author {
        id: parse(&row.author_id)?,
        articles: number(row.articles)?,
        created: number(row.created)?,
        last_activity: time(&row.last_activity)?,
    })
}

pub(super) fn number(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).map_err(fault)
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Fault> {
    text.parse().map_err(fault)
}

fn time(text: &str) -> Result<OffsetDateTime, Fault> {
    OffsetDateTime::parse(text, &Rfc3339).map_err(fault)
}

fn fault(error: impl Display) -> Fault {
    Fault::Row(error.to_string())
}
