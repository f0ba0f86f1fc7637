//! Writing a batch: a few statements, however many events it has.

use std::borrow::Cow;

use read_model::{DatabaseError, each_of, pieces};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use crate::projection::{
    rows::{ArticleRow, Changes},
    search_text::searchable,
};

/// Writes `changes`; the search is left alone unless it is `indexed`.
pub(super) async fn write(
    tables: &mut SqliteConnection,
    changes: &Changes,
    indexed: bool,
) -> Result<(), DatabaseError> {
    if indexed {
        unindex(tables, &changes.unindexed).await?;
    }
    articles(tables, &changes.articles).await?;
    if indexed {
        index(tables, &changes.articles).await?;
    }
    tags(tables, changes).await?;
    counts(tables, changes).await
}

/// The search has to be told the words that it shall forget, while they are still there.
async fn unindex(tables: &mut SqliteConnection, articles: &[i64]) -> Result<(), DatabaseError> {
    let forget = "INSERT INTO articles_search (articles_search, rowid, title, content)
                  SELECT 'delete', created_position, title, content FROM live_articles WHERE created_position IN ";
    each_of(tables, forget, articles).await
}

async fn index(
    tables: &mut SqliteConnection,
    articles: &[ArticleRow],
) -> Result<(), DatabaseError> {
    let live: Vec<_> = articles.iter().filter(|row| !row.deleted).collect();
    for rows in pieces(&live) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO articles_search (rowid, title, content) ");
        query.push_values(rows, |mut values, row| {
            let [title, content] = [&row.title, &row.content].map(|text| as_searched(text));
            values.push_bind(row.created_position).push_bind(title).push_bind(content);
        });
        query.build().execute(&mut *tables).await?;
    }
    Ok(())
}

fn as_searched(text: &str) -> Cow<'_, str> {
    searchable(text).map_or(Cow::Borrowed(text), Cow::Owned)
}

async fn articles(tables: &mut SqliteConnection, rows: &[ArticleRow]) -> Result<(), DatabaseError> {
    for rows in pieces(rows) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO articles (created_position, id, title, content, author_id, slug, tags, version,
                                   created_at, updated_at, deleted, search_title, search_content) ",
        );
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(row.created_position)
                .push_bind(row.id)
                .push_bind(&row.title)
                .push_bind(&row.content)
                .push_bind(&row.author_id)
                .push_bind(&row.slug)
                .push_bind(&row.tags)
                .push_bind(row.version)
                .push_bind(&row.created_at)
                .push_bind(&row.updated_at)
                .push_bind(row.deleted)
                .push_bind(searchable(&row.title))
                .push_bind(searchable(&row.content));
        });
        query.push(
            " ON CONFLICT (created_position) DO UPDATE
             SET title = excluded.title, content = excluded.content, slug = excluded.slug, tags = excluded.tags,
                 version = excluded.version, updated_at = excluded.updated_at, deleted = excluded.deleted,
                 search_title = excluded.search_title, search_content = excluded.search_content",
        );
        query.build().execute(&mut *tables).await?;
    }
    Ok(())
}

async fn tags(tables: &mut SqliteConnection, changes: &Changes) -> Result<(), DatabaseError> {
    let forget = "DELETE FROM article_tags WHERE created_position IN ";
    each_of(tables, forget, &changes.untagged).await?;
    for rows in pieces(&changes.tags) {
        let mut query =
            QueryBuilder::<Sqlite>::new("INSERT INTO article_tags (created_position, tag) ");
        query.push_values(rows, |mut values, (article, tag)| {
            values.push_bind(article).push_bind(tag);
        });
        query.build().execute(&mut *tables).await?;
    }
    Ok(())
}

async fn counts(tables: &mut SqliteConnection, changes: &Changes) -> Result<(), DatabaseError> {
    for rows in pieces(&changes.authors) {
        let mut query = QueryBuilder::<Sqlite>::new(
            "INSERT INTO authors (author_id, articles, created, last_activity, last_position) ",
        );
        query.push_values(rows, |mut values, row| {
            values
                .push_bind(&row.author_id)
                .push_bind(row.articles)
                .push_bind(row.created)
                .push_bind(&row.last_activity)
                .push_bind(row.last_position);
        });
        query.push(
            " ON CONFLICT (author_id) DO UPDATE
             SET articles = articles + excluded.articles, created = created + excluded.created,
                 last_activity = iif(excluded.last_position > last_position, excluded.last_activity, last_activity),
                 last_position = max(last_position, excluded.last_position)",
        );
        query.build().execute(&mut *tables).await?;
    }
    for row in &changes.days {
        sqlx::query(
            "INSERT INTO activity (day, created, updated, deleted) VALUES (?, ?, ?, ?)
             ON CONFLICT (day) DO UPDATE
             SET created = created + excluded.created, updated = updated + excluded.updated,
                 deleted = deleted + excluded.deleted",
        )
        .bind(&row.day)
        .bind(row.created)
        .bind(row.updated)
        .bind(row.deleted)
        .execute(&mut *tables)
        .await?;
    }
    Ok(())
}
