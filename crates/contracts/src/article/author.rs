use eventsourcing::{Query, UserId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::CONTEXT;

/// Asks `queries.article.author` for one author; answered with an [`Author`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetAuthor {
    /// The author.
    pub id: UserId,
}

/// Asks `queries.article.authors` for authors, by id; answered with an [`AuthorPage`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListAuthors {
    /// 1 to [`MAX_PAGE`](eventsourcing::query::MAX_PAGE); 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before this one ended: its `next`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Who has created an article at some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Author {
    /// The author's user id.
    pub id: UserId,
    /// How many articles there are of the author.
    pub articles: u64,
    /// How many the author has created, those included that were deleted.
    pub created: u64,
    /// When something last happened to one of them.
    #[serde(with = "time::serde::rfc3339")]
    pub last_activity: OffsetDateTime,
}

/// A page of authors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorPage {
    /// The authors, by id.
    pub items: Vec<Author>,
    /// The cursor of the next page; absent on the last one.
    pub next: Option<String>,
}

impl Query for GetAuthor {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "author";
    type Answer = Author;
}

impl Query for ListAuthors {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "authors";
    type Answer = AuthorPage;
}
