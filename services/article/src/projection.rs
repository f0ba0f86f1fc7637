//! The read model of articles: what events make of its rows, the SQL of that, and the queries.

mod fold;
mod postgres;
mod queries;
mod rows;
mod search_text;
mod sqlite;
#[cfg(test)]
mod tests;

use contracts::article::{
    CONTEXT, GetActivity, GetArticle, GetAuthor, ListArticles, ListAuthors, SearchArticles,
};
use eventsourcing::RecordedEvent;
use messaging::consumer::Rejected;
use read_model::{Names, ReadModel, Served};
use uuid::Uuid;

use self::{
    fold::Fold,
    rows::{ArticleRow, Changes},
};

/// Articles, their authors, what happened on which day.
#[derive(Debug, Clone)]
pub struct Articles;

/// The read model with its queries. Adding a query: a file in `queries/`, and a line here.
#[must_use]
pub fn read_model() -> Served<Articles> {
    Served::new()
        .query::<GetArticle>()
        .query::<ListArticles>()
        .query::<SearchArticles>()
        .query::<GetAuthor>()
        .query::<ListAuthors>()
        .query::<GetActivity>()
}

impl ReadModel for Articles {
    const NAME: &'static str = "articles";
    /// It is older than names were.
    const NAMES: Names = Names { consumer: "projection", storage: "" };
    /// Of what `fold.rs`, and `search_text.rs`, make of the events.
    const VERSION: i64 = 2;
    const CONTEXTS: &'static [&'static str] = &[CONTEXT];
    type Row = ArticleRow;
    type Changes = Changes;

    fn keys(events: &[&RecordedEvent]) -> Vec<Uuid> {
        Fold::ids(events)
    }

    fn fold(known: Vec<ArticleRow>, events: &[&RecordedEvent]) -> (Changes, Vec<Rejected>) {
        let mut fold = Fold::new(known);
        for event in events {
            fold.apply(event);
        }
        fold.finish()
    }
}
