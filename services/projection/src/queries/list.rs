use contracts::article::{ArticlePage, ListArticles, MAX_PAGE};
use eventsourcing::{FieldError, Refusal};

use super::{Fault, FromTables, Tables, cursor, row::Row};

const DEFAULT_PAGE: u32 = 20;

const NEWEST: &str =
    "SELECT id, title, author_id, slug, tags, version, created_at, updated_at, created_position FROM articles
     WHERE deleted = 0 AND created_position < ? ORDER BY created_position DESC LIMIT ?";
const NEWEST_OF_AUTHOR: &str =
    "SELECT id, title, author_id, slug, tags, version, created_at, updated_at, created_position FROM articles
     WHERE deleted = 0 AND created_position < ? AND author_id = ?
     ORDER BY created_position DESC LIMIT ?";

impl FromTables for ListArticles {
    /// The cursor is the position of the last item: articles that appear meanwhile do not shift the pages.
    async fn answer(&self, tables: &mut Tables) -> Result<ArticlePage, Fault> {
        let limit = self.limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_PAGE).contains(&limit) {
            return Err(invalid("limit", format!("must be a whole number from 1 to {MAX_PAGE}")));
        }
        let before = match &self.cursor {
            None => i64::MAX,
            Some(cursor) => cursor::read(cursor)
                .ok_or_else(|| invalid("cursor", "must be the next of another page".to_owned()))?,
        };
        // One more than asked for tells whether there is a next page.
        let wanted = i64::from(limit) + 1;
        let query = match &self.author {
            None => sqlx::query_as(NEWEST).bind(before),
            Some(author) => sqlx::query_as(NEWEST_OF_AUTHOR).bind(before).bind(author.to_string()),
        };
        let mut rows: Vec<Row> = query.bind(wanted).fetch_all(&mut **tables).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|row| cursor::write(row.created_position));
        let items = rows.into_iter().map(Row::summary).collect::<Result<_, _>>()?;
        Ok(ArticlePage { items, next })
    }
}

fn invalid(field: &'static str, detail: String) -> Fault {
    Refusal::invalid(vec![FieldError::new(field, detail)]).into()
}
