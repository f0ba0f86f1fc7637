use eventsourcing::{AggregateId, Query, history::HistoryPage};
use serde::{Deserialize, Serialize};

use super::{CONTEXT, Comment};

/// Asks `queries.comment.get` for one comment; answered with a [`Comment`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetComment {
    /// The article.
    pub article_id: AggregateId,
    /// The comment's number.
    pub number: u64,
}

/// Asks `queries.comment.list` for the comments on an article, oldest first; answered with a [`CommentPage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListComments {
    /// The article.
    pub article_id: AggregateId,
    /// 1 to [`MAX_PAGE`](eventsourcing::query::MAX_PAGE); 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before this one ended: its `next`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of comments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentPage {
    /// The comments, oldest first.
    pub items: Vec<Comment>,
    /// The cursor of the next page; absent on the last one.
    pub next: Option<String>,
}

/// Asks `queries.comment.find` which comment has a number, also when it is deleted; answered with a [`CommentRef`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindComment {
    /// The article.
    pub article_id: AggregateId,
    /// The comment's number.
    pub number: u64,
}

/// A comment, as the system knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentRef {
    /// Its number.
    pub number: u64,
    /// The comment.
    pub id: AggregateId,
}

/// Asks `queries.comment.live` which comments on an article are there still, also when the article is deleted; answered with a
/// [`LivePage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveComments {
    /// The article.
    pub article_id: AggregateId,
    /// Only those with a higher number.
    pub after: u64,
}

/// Some of the comments that are there still, by number; none behind the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LivePage {
    /// The comments.
    pub items: Vec<CommentRef>,
}

/// Asks `queries.comment.history` what happened to a comment; answered with a [`HistoryPage`], oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetCommentHistory {
    /// The comment.
    pub id: AggregateId,
    /// Only what came after this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// 1 to [`MAX_PAGE`](eventsourcing::query::MAX_PAGE); 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Query for GetComment {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "get";
    type Answer = Comment;
}

impl Query for ListComments {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "list";
    type Answer = CommentPage;
}

impl Query for FindComment {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "find";
    type Answer = CommentRef;
}

impl Query for LiveComments {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "live";
    type Answer = LivePage;
}

impl Query for GetCommentHistory {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "history";
    type Answer = HistoryPage;
}
