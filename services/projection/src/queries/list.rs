use contracts::article::{ArticlePage, ListArticles, MAX_PAGE, tag_form};
use eventsourcing::{FieldError, Refusal};
use sqlx::{QueryBuilder, Sqlite};

use super::{Fault, FromTables, Tables, cursor, row::Row};

const DEFAULT_PAGE: u32 = 20;

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
        let mut query = page(self, before, wanted);
        let mut rows: Vec<Row> = query.build_query_as().fetch_all(&mut **tables).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next = rows.last().filter(|_| more).map(|row| cursor::write(row.created_position));
        let items = rows.into_iter().map(Row::summary).collect::<Result<_, _>>()?;
        Ok(ArticlePage { items, next })
    }
}

/// Each filter has an index that is in the order of the page.
fn page(list: &ListArticles, before: i64, wanted: i64) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT id, title, author_id, slug, tags, version, created_at, updated_at, created_position FROM ",
    );
    match &list.tag {
        None => query.push("articles WHERE"),
        Some(tag) => query
            .push("article_tags JOIN articles USING (created_position) WHERE tag = ")
            .push_bind(tag_form(tag))
            .push(" AND"),
    };
    query.push(" deleted = 0 AND created_position < ").push_bind(before);
    if let Some(author) = &list.author {
        query.push(" AND author_id = ").push_bind(author.to_string());
    }
    query.push(" ORDER BY created_position DESC LIMIT ").push_bind(wanted);
    query
}

fn invalid(field: &'static str, detail: String) -> Fault {
    Refusal::invalid(vec![FieldError::new(field, detail)]).into()
}
