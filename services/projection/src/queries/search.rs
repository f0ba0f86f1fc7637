use contracts::article::{MAX_PAGE, SearchArticles, SearchHit, SearchPage, tag_form};
use eventsourcing::{FieldError, Refusal};
use sqlx::{FromRow, QueryBuilder, Sqlite};

use super::{Fault, FromTables, Tables, cursor, row::Row};

const DEFAULT_PAGE: u32 = 20;
/// The longest text to look for, in Unicode scalar values, and the most words of it that count.
const MAX_TEXT: usize = 200;
const MAX_WORDS: usize = 16;
/// How far the pages go: whoever has not found it by then looks for something else.
const MAX_OFFSET: i64 = 1000;
/// The longest snippet, in Unicode scalar values.
const MAX_SNIPPET: usize = 300;
/// What stands around a word that was found, until the text is made safe for HTML.
const MARKS: [char; 2] = ['\u{1}', '\u{2}'];

#[derive(Debug, FromRow)]
struct Found {
    #[sqlx(flatten)]
    row: Row,
    snippet: String,
}

impl FromTables for SearchArticles {
    /// Best first: rare words count more than common ones, the title more than the content. The pages are about the
    /// articles that were there when the first page was read: new ones are on none of them, and can change the order of
    /// the others only as far as they change how rare a word is.
    async fn answer(&self, tables: &mut Tables) -> Result<SearchPage, Fault> {
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(invalid("limit", format!("must be a whole number from 1 to {MAX_PAGE}")));
        }
        if !(1..=MAX_TEXT).contains(&self.text.chars().count()) {
            return Err(invalid("q", format!("must be 1 to {MAX_TEXT} characters long")));
        }
        let (newest, offset) = match &self.cursor {
            None => (newest(tables).await?, 0),
            Some(cursor) => cursor::read_pair(cursor)
                .filter(|(_, offset)| *offset < MAX_OFFSET)
                .ok_or_else(|| invalid("cursor", "must be the next of another page".to_owned()))?,
        };
        let mut query = search(self, newest, offset, i64::from(limit) + 1);
        let mut found: Vec<Found> = query.build_query_as().fetch_all(&mut **tables).await?;
        let end = offset + i64::from(limit);
        let more = found.len() > limit as usize && end < MAX_OFFSET;
        found.truncate(limit as usize);
        let items = found.into_iter().map(|found| {
            Ok(SearchHit { article: found.row.summary()?, snippet: highlighted(&found.snippet) })
        });
        let items = items.collect::<Result<_, Fault>>()?;
        Ok(SearchPage { items, next: more.then(|| cursor::write_pair(newest, end)) })
    }
}

async fn newest(tables: &mut Tables) -> Result<i64, Fault> {
    let newest = sqlx::query_scalar("SELECT coalesce(max(created_position), 0) FROM articles");
    Ok(newest.fetch_one(&mut **tables).await?)
}

fn search(search: &SearchArticles, newest: i64, offset: i64, wanted: i64) -> QueryBuilder<Sqlite> {
    let [open, close] = MARKS.map(|mark| mark.to_string());
    let mut query = QueryBuilder::new(
        "SELECT id, articles.title AS title, author_id, slug, tags, version, created_at, updated_at,
                created_position, snippet(articles_search, -1, ",
    );
    query.push_bind(open).push(", ").push_bind(close).push(
        ", '…', 24) AS snippet FROM articles_search
         JOIN articles ON created_position = articles_search.rowid
         WHERE articles_search MATCH ",
    );
    query.push_bind(phrases(&search.text));
    query.push(" AND deleted = 0 AND created_position <= ").push_bind(newest);
    if let Some(author) = &search.author {
        query.push(" AND author_id = ").push_bind(author.to_string());
    }
    if let Some(tag) = &search.tag {
        query.push(
            " AND created_position IN (SELECT created_position FROM article_tags WHERE tag = ",
        );
        query.push_bind(tag_form(tag)).push(")");
    }
    query.push(" ORDER BY bm25(articles_search, 5.0, 1.0), created_position DESC LIMIT ");
    query.push_bind(wanted).push(" OFFSET ").push_bind(offset);
    query
}

/// Every word must be there. In quotes nothing of it is an operator.
fn phrases(text: &str) -> String {
    let text: String =
        text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let words = text.split_whitespace().take(MAX_WORDS);
    let phrases: Vec<String> =
        words.map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    if phrases.is_empty() { "\"\"".to_owned() } else { phrases.join(" ") }
}

/// The snippet as HTML: text, and `<mark>` around what was found. No longer than [`MAX_SNIPPET`]: what counts as one word
/// is as long as its author likes.
fn highlighted(snippet: &str) -> String {
    let first = snippet.chars().position(|char| char == MARKS[0]).unwrap_or_default();
    let seen = snippet.chars().skip(first.saturating_sub(MAX_SNIPPET / 3)).take(MAX_SNIPPET);
    let (mut html, mut is_open) = (String::with_capacity(snippet.len() + 32), false);
    for char in seen {
        match char {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            // The text may have such characters of its own.
            char if MARKS.contains(&char) => {
                if is_open != (char == MARKS[0]) {
                    is_open = !is_open;
                    html.push_str(if is_open { "<mark>" } else { "</mark>" });
                }
            }
            char => html.push(char),
        }
    }
    if is_open {
        html.push_str("</mark>");
    }
    html
}

fn invalid(field: &'static str, detail: String) -> Fault {
    Refusal::invalid(vec![FieldError::new(field, detail)]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_looked_for_is_an_operator() {
        assert_eq!(phrases("a OR b* NEAR(c) \"d"), "\"a\" \"OR\" \"b*\" \"NEAR(c)\" \"\"\"d\"");
        assert_eq!(phrases("a\0b"), "\"a\" \"b\"");
        assert_eq!(phrases(" \t"), "\"\"");
    }

    #[test]
    fn what_an_author_wrote_stays_text() {
        let snippet = "<b> & \u{1}found\u{2} 'it'";
        assert_eq!(highlighted(snippet), "&lt;b&gt; &amp; <mark>found</mark> &#39;it&#39;");
        assert_eq!(highlighted("\u{2}a\u{1}\u{1}b"), "a<mark>b</mark>");
    }

    #[test]
    fn a_snippet_is_bounded_and_shows_what_was_found() {
        let html =
            highlighted(&format!("{}\u{1}found\u{2}{}", "x".repeat(9000), "\"".repeat(9000)));
        assert!(html.contains("<mark>found</mark>"));
        assert!(html.chars().count() < MAX_SNIPPET * 6 + 30, "{}", html.len());
    }
}
