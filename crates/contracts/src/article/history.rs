use eventsourcing::{
    AggregateId, Query,
    history::{At, HistoryPage},
};
use serde::{Deserialize, Serialize};

use super::{Article, CONTEXT};

/// Asks `queries.article.history` what happened to an article; answered with a [`HistoryPage`], oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetHistory {
    /// The article.
    pub id: AggregateId,
    /// Only what came after this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// 1 to [`MAX_PAGE`](eventsourcing::query::MAX_PAGE); 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Asks `queries.article.at` for an article as it was; answered with an [`Article`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetArticleAt {
    /// The article.
    pub id: AggregateId,
    /// When.
    #[serde(flatten)]
    pub at: At,
}

impl Query for GetHistory {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "history";
    type Answer = HistoryPage;
}

impl Query for GetArticleAt {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "at";
    type Answer = Article;
}
