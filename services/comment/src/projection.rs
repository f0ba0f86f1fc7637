//! The read model of comments: what events make of its rows, the SQL of that, and the queries. It hears articles as well: of one that is
//! gone there are no comments.

mod fold;
mod postgres;
mod queries;
mod sqlite;
#[cfg(test)]
mod tests;

use contracts::{
    article,
    comment::{self, FindComment, GetComment, ListComments, LiveComments},
};
use eventsourcing::RecordedEvent;
use messaging::consumer::Rejected;
use read_model::{ReadModel, Served};
use uuid::Uuid;

use self::fold::{Changes, Fold, Row};

/// Comments on articles.
#[derive(Debug, Clone)]
pub struct Comments;

/// The read model with its queries. Adding a query: an `impl` in `queries.rs`, `sqlite.rs` and `postgres.rs`, and a line here.
#[must_use]
pub fn read_model() -> Served<Comments> {
    Served::new()
        .query::<GetComment>()
        .query::<ListComments>()
        .query::<FindComment>()
        .query::<LiveComments>()
}

impl ReadModel for Comments {
    const NAME: &'static str = "comments";
    const VERSION: i64 = 1;
    const CONTEXTS: &'static [&'static str] = &[comment::CONTEXT, article::CONTEXT];
    type Row = Row;
    type Changes = Changes;

    fn keys(events: &[&RecordedEvent]) -> Vec<Uuid> {
        let mut keys: Vec<_> = events.iter().map(|event| event.aggregate_id.as_uuid()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    fn fold(known: Vec<Row>, events: &[&RecordedEvent]) -> (Changes, Vec<Rejected>) {
        let mut fold = Fold::new(known);
        for event in events {
            fold.apply(event);
        }
        fold.finish()
    }
}
