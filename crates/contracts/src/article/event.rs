use eventsourcing::UserId;
use serde::{Deserialize, Serialize};

/// An article was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleCreated {
    /// Its title.
    pub title: String,
    /// Its content.
    pub content: String,
    /// Who published it.
    pub author_id: UserId,
}

/// An article's title and content were replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleUpdated {
    /// The new title.
    pub title: String,
    /// The new content.
    pub content: String,
    /// The author, so that a consumer need not remember: who changed it may be an editor.
    pub author_id: UserId,
}

/// An article was taken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleDeleted {
    /// Its last title.
    pub title: String,
    /// The author, so that a consumer need not remember: who took it down may be an editor.
    pub author_id: UserId,
}

eventsourcing::events! {
    /// Every fact about an article.
    pub enum ArticleEvent {
        "article.created" v 1 => Created(ArticleCreated),
        "article.updated" v 1 => Updated(ArticleUpdated),
        "article.deleted" v 1 => Deleted(ArticleDeleted),
    }
}

impl ArticleEvent {
    /// The author of the article that the event is about.
    #[must_use]
    pub fn author_id(&self) -> &UserId {
        match self {
            Self::Created(event) => &event.author_id,
            Self::Updated(event) => &event.author_id,
            Self::Deleted(event) => &event.author_id,
        }
    }
}
