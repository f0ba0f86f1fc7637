//! Full-text search with FTS5.

use std::time::{Duration, Instant};

use contracts::article::SearchArticles;
use read_model::{Ask, DatabaseError, Reads, Seen, begin_on_sqlite};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use super::read::SUMMARY;
use crate::projection::{
    Articles,
    rows::{Found, Hit, MARKS, SearchPage},
    search_text::{Phrase, piece_length, readable},
};

/// How long a search may take, waiting included: longer, and nobody waits for its answer any more.
const MAX_TIME: Duration = Duration::from_secs(5);
/// How many steps of SQLite's machine come between two looks at the clock.
const STEPS: i32 = 10_000;

impl Ask<Articles, Sqlite> for SearchArticles {
    async fn ask(tables: &Reads<Sqlite>, page: SearchPage) -> Result<Seen<Found>, DatabaseError> {
        search_within(&tables.searchers, &page, MAX_TIME).await
    }
}

async fn search_within(
    searchers: &SqlitePool,
    page: &SearchPage,
    max_time: Duration,
) -> Result<Seen<Found>, DatabaseError> {
    let deadline = Instant::now() + max_time;
    let mut connection = searchers.acquire().await?;
    // Before anything else: a search that was given up has left its own.
    connection.lock_handle().await?.set_progress_handler(STEPS, move || Instant::now() < deadline);
    let found = search_on(&mut connection, page).await;
    connection.lock_handle().await?.remove_progress_handler();
    found
}

async fn search_on(
    connection: &mut SqliteConnection,
    page: &SearchPage,
) -> Result<Seen<Found>, DatabaseError> {
    let (mut tables, position) = begin_on_sqlite(connection).await?;
    let newest = if let Some(newest) = page.newest {
        newest
    } else {
        let newest = "SELECT coalesce(max(created_position), 0) FROM articles";
        sqlx::query_scalar(newest).fetch_one(&mut *tables).await?
    };
    let mut hits: Vec<Hit> = query(page, newest).build_query_as().fetch_all(&mut *tables).await?;
    for hit in &mut hits {
        hit.snippet = readable(&hit.snippet);
    }
    Ok(Seen { position, data: Found { newest, hits } })
}

fn query(page: &SearchPage, newest: i64) -> QueryBuilder<Sqlite> {
    let [open, close] = MARKS.map(|mark| mark.to_string());
    let mut query = QueryBuilder::new("SELECT ");
    query.push(SUMMARY).push(", snippet(articles_search, -1, ");
    query.push_bind(open).push(", ").push_bind(close).push(", '…', ");
    query.push_bind(piece_length(&page.words)).push(
        ") AS snippet FROM articles_search
         JOIN articles ON created_position = articles_search.rowid
         WHERE articles_search MATCH ",
    );
    query.push_bind(phrases(&page.words));
    query.push(" AND deleted = 0 AND created_position <= ").push_bind(newest);
    if let Some(author) = &page.author {
        query.push(" AND author_id = ").push_bind(author.to_string());
    }
    if let Some(tag) = &page.tag {
        query.push(
            " AND created_position IN (SELECT created_position FROM article_tags WHERE tag = ",
        );
        query.push_bind(tag.clone()).push(")");
    }
    query.push(" ORDER BY bm25(articles_search, 5.0, 1.0), created_position DESC LIMIT ");
    query.push_bind(page.limit + 1).push(" OFFSET ").push_bind(page.offset);
    query
}

/// Every word must be there. In quotes nothing of it is an operator.
fn phrases(words: &[String]) -> String {
    let phrases: Vec<String> = words.iter().map(|word| phrase(&Phrase::of(word))).collect();
    if phrases.is_empty() { "\"\"".to_owned() } else { phrases.join(" ") }
}

fn phrase(phrase: &Phrase) -> String {
    let words = phrase.words.replace('"', "\"\"");
    match phrase.begins {
        None => format!("\"{words}\""),
        Some(begins) => format!("\"{words}{begins}\" *"),
    }
}

#[cfg(test)]
mod tests {
    use read_model::testing::{Database as _, SqliteDatabase, Tables as _};
    use sqlx::{Connection as _, sqlite::SqliteConnectOptions};

    use super::*;
    use crate::projection::Articles;

    #[tokio::test]
    async fn a_search_that_takes_too_long_ends_and_the_next_one_does_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = SqliteDatabase::<Articles>::new(folder.path().join("read-models.db"));
        let tables = database.open(1).await.expect("opened");
        let mut writer = SqliteConnection::connect_with(
            &SqliteConnectOptions::new().filename(folder.path().join("read-models.1.db")),
        )
        .await
        .expect("connected");
        for statement in [
            "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers LIMIT 5000)
             INSERT INTO articles SELECT number, randomblob(16), 'T', 'the', 'ann', NULL, '[]', 1, '', '', 0, NULL, NULL FROM numbers",
            "INSERT INTO articles_search (articles_search) VALUES ('rebuild')",
        ] {
            sqlx::query(statement).execute(&mut writer).await.expect("executed");
        }
        let reads = tables.reads();
        let page = SearchPage { words: vec!["the".to_owned()], limit: 0, ..SearchPage::default() };
        // Often enough that each connection has had both.
        for _ in 0..5 {
            let ended = search_within(&reads.searchers, &page, Duration::ZERO).await;
            assert!(ended.is_err(), "it has looked at 5000 articles");
            let found = SearchArticles::ask(reads, page.clone()).await.expect("found");
            assert_eq!(found.data.hits.len(), 1);
        }
        tables.close().await;
    }

    #[test]
    fn nothing_that_is_looked_for_is_an_operator() {
        let words = ["a", "OR", "b*", "NEAR(c)", "\"d"].map(str::to_owned);
        assert_eq!(phrases(&words), "\"a\" \"OR\" \"b*\" \"NEAR(c)\" \"\"\"d\"");
        assert_eq!(phrases(&[]), "\"\"");
    }
}
