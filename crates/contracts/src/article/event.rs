use eventsourcing::{AggregateId, UserId};
use serde::{Deserialize, Serialize};

use super::upcast;
use crate::{Audience, Heard, Topic};

/// An article was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleCreated {
    /// Its title.
    pub title: String,
    /// Its content.
    pub content: String,
    /// Who published it.
    pub author_id: UserId,
    /// The name that its author chose. Since schema version 2.
    pub slug: Option<String>,
    /// Its tags, normalised. Since schema version 2.
    pub tags: Vec<String>,
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
    /// The new slug; it stays when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// The new tags, normalised; they stay when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// An article was taken down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArticleDeleted {
    /// Its last title.
    pub title: String,
    /// The author, so that a consumer need not remember: who took it down may be an editor.
    pub author_id: UserId,
}

/// The type of the event after which an article has no other, whatever shape its data has.
pub const DELETED: &str = "article.deleted";

eventsourcing::events! {
    /// Every fact about an article.
    pub enum ArticleEvent {
        "article.created" v 2 => Created(ArticleCreated), upcast [upcast::created_1_to_2],
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

impl Heard for ArticleEvent {
    fn audience(&self, id: AggregateId) -> Audience {
        let of_author = |author: &UserId| {
            let (all, one) = (Topic::Articles, Topic::Article(id));
            Audience::Everybody(vec![
                all,
                one,
                Topic::Author(author.clone()),
                Topic::User(author.clone()),
            ])
        };
        match self {
            Self::Created(_) | Self::Updated(_) | Self::Deleted(_) => of_author(self.author_id()),
        }
    }
}
