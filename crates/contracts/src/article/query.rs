use eventsourcing::{AggregateId, Query, UserId};
use serde::{Deserialize, Serialize};

use super::{Article, ArticleSummary, CONTEXT};

/// Asks `queries.article.get` for one article; answered with an [`Article`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetArticle {
    /// The article.
    pub id: AggregateId,
}

/// Asks `queries.article.list` for articles, newest first; answered with an [`ArticlePage`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListArticles {
    /// Only those of this author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<UserId>,
    /// Only those with this tag, in any form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only the one with this slug.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// 1 to [`MAX_PAGE`](eventsourcing::query::MAX_PAGE); 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before this one ended: its `next`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// Asks `queries.article.search` for articles with all words of a text, best first; answered with a [`SearchPage`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchArticles {
    /// 1 to 200 characters; every word of them counts.
    pub text: String,
    /// Only those of this author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<UserId>,
    /// Only those with this tag, in any form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// 1 to [`MAX_PAGE`](eventsourcing::query::MAX_PAGE); 20 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Where the page before this one ended: its `next`, unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// A page of what was found. Pages end after about a thousand articles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchPage {
    /// What was found, best first.
    pub items: Vec<SearchHit>,
    /// The cursor of the next page; absent on the last one.
    pub next: Option<String>,
}

/// An article that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchHit {
    /// The article, without its content.
    #[serde(flatten)]
    pub article: ArticleSummary,
    /// Where it was found: HTML, with `<mark>` around the words and nothing else that is not text.
    pub snippet: String,
}

/// A page of articles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticlePage {
    /// The articles, newest first, without content.
    pub items: Vec<ArticleSummary>,
    /// The cursor of the next page; absent on the last one.
    pub next: Option<String>,
}

impl Query for GetArticle {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "get";
    type Answer = Article;
}

impl Query for SearchArticles {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "search";
    type Answer = SearchPage;
}

impl Query for ListArticles {
    const CONTEXT: &'static str = CONTEXT;
    const NAME: &'static str = "list";
    type Answer = ArticlePage;
}
