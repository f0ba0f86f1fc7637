//! Articles: a title and content that an author publishes.

mod activity;
mod author;
mod command;
mod event;
mod history;
mod query;
mod refusal;
mod tag;
#[cfg(test)]
mod tests;
mod upcast;
mod view;

pub use activity::{Activity, Day, GetActivity, MAX_DAYS};
pub use author::{Author, AuthorPage, GetAuthor, ListAuthors};
pub use command::{CreateArticle, DeleteArticle, UpdateArticle};
pub use event::{ArticleCreated, ArticleDeleted, ArticleEvent, ArticleUpdated, DELETED};
pub use eventsourcing::{
    history::{At, Change, HistoryEntry, HistoryPage},
    query::MAX_PAGE,
};
pub use history::{GetArticleAt, GetHistory};
pub use query::{ArticlePage, GetArticle, ListArticles, SearchArticles, SearchHit, SearchPage};
pub use refusal::ArticleRefusal;
pub use tag::{MAX_TAG_CHARS, MAX_TAGS, tag_form};
pub use view::{Article, ArticleSummary};

/// The context's name: the second token of its subjects, the first of its event types.
pub const CONTEXT: &str = "article";

/// The role whose holders may change any article.
pub const EDITOR: &str = "editor";
