//! Full-text search with tsvector.

use contracts::article::SearchArticles;
use read_model::{Ask, DatabaseError, Reads, Seen, begin_on_postgres};
use sqlx::{Postgres, QueryBuilder};

use super::read::SUMMARY;
use crate::projection::{
    Articles,
    rows::{Found, Hit, MARKS, SearchPage},
    search_text::{Phrase, piece_length, readable},
};

impl Ask<Articles, Postgres> for SearchArticles {
    async fn ask(tables: &Reads<Postgres>, page: SearchPage) -> Result<Seen<Found>, DatabaseError> {
        let (mut state, position) = begin_on_postgres(&tables.searchers).await?;
        let newest = if let Some(newest) = page.newest {
            newest
        } else {
            let newest = "SELECT coalesce(max(created_position), 0) FROM articles";
            sqlx::query_scalar(newest).fetch_one(&mut *state).await?
        };
        let mut hits: Vec<Hit> =
            query(&page, newest).build_query_as().fetch_all(&mut *state).await?;
        for hit in &mut hits {
            hit.snippet = readable(&hit.snippet);
        }
        state.rollback().await?;
        Ok(Seen { position, data: Found { newest, hits } })
    }
}

/// Snippets are made for the articles of the page only: they cost more than finding them.
fn query(page: &SearchPage, newest: i64) -> QueryBuilder<Postgres> {
    let [open, close] = MARKS;
    let mut query = QueryBuilder::new("WITH words AS (SELECT ");
    phrases(&mut query, &page.words);
    query.push(
        " AS query), found AS (
             SELECT articles.*, ts_rank_cd(search, query) AS rank FROM articles, words
             WHERE search @@ query AND NOT deleted AND created_position <= ",
    );
    query.push_bind(newest);
    if let Some(author) = &page.author {
        query.push(" AND author_id = ").push_bind(author.to_string());
    }
    if let Some(tag) = &page.tag {
        query.push(
            " AND created_position IN (SELECT created_position FROM article_tags WHERE tag = ",
        );
        query.push_bind(tag.clone()).push(")");
    }
    query.push(" ORDER BY rank DESC, created_position DESC LIMIT ").push_bind(page.limit + 1);
    query.push(" OFFSET ").push_bind(page.offset);
    query.push(") SELECT ").push(SUMMARY.replace("articles.", "")).push(", ts_headline('simple', ");
    // The content, unless only the title has the words.
    query.push(
        "CASE WHEN to_tsvector('simple', body) @@ query THEN body ELSE coalesce(search_title, title) END, query, ",
    );
    let (most, least) = (piece_length(&page.words), piece_length(&page.words) / 2);
    query.push_bind(format!(
        "StartSel=\"{open}\", StopSel=\"{close}\", MaxWords={most}, MinWords={least}"
    ));
    query.push(
        ") AS snippet FROM found, words,
              LATERAL (SELECT coalesce(left(search_content, 150000), left(content, 50000)) AS body) AS bodies
          ORDER BY rank DESC, created_position DESC",
    );
    query
}

/// Every word must be there. As phrases nothing of it is an operator.
fn phrases(query: &mut QueryBuilder<Postgres>, words: &[String]) {
    query.push("''::tsquery");
    for word in words {
        let Phrase { words, begins } = Phrase::of(word);
        query.push(" && (phraseto_tsquery('simple', ").push_bind(words).push(")");
        if let Some(begins) = begins {
            // A letter, which is no operator.
            query.push(" <-> ").push_bind(format!("'{begins}':*")).push("::tsquery");
        }
        query.push(")");
    }
}
