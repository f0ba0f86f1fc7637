use eventsourcing::{AggregateId, Command, CommandId};
use serde::{Deserialize, Serialize};

use super::{Article, CONTEXT};

/// Publishes an article. Its id derives from the command's, so a repeat creates nothing new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateArticle {
    /// 1 to 200 characters, not only white space.
    pub title: String,
    /// 1 to `article.max_content_chars` characters, 10,000 unless set, not only white space.
    pub content: String,
    /// A name of its author's choice, unique among live articles: a-z, 0-9 and single hyphens between, 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Up to 10, each 1 to 40 characters. Kept in lower case, white space as one hyphen, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

/// Replaces an article's title and content, and its slug and tags when it has them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateArticle {
    /// The article.
    pub id: AggregateId,
    /// 1 to 200 characters, not only white space.
    pub title: String,
    /// 1 to `article.max_content_chars` characters, 10,000 unless set, not only white space.
    pub content: String,
    /// Another slug; when absent it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Other tags; when absent they stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// Takes an article down, for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteArticle {
    /// The article.
    pub id: AggregateId,
}

impl Command for CreateArticle {
    const CONTEXT: &'static str = CONTEXT;
    const VERB: &'static str = "create";
    const CREATES: bool = true;
    type Output = Article;

    fn aggregate_id(&self, id: CommandId) -> AggregateId {
        id.creates(CONTEXT)
    }
}

impl Command for UpdateArticle {
    const CONTEXT: &'static str = CONTEXT;
    const VERB: &'static str = "update";
    type Output = Article;

    fn aggregate_id(&self, _: CommandId) -> AggregateId {
        self.id
    }
}

impl Command for DeleteArticle {
    const CONTEXT: &'static str = CONTEXT;
    const VERB: &'static str = "delete";
    type Output = Article;

    fn aggregate_id(&self, _: CommandId) -> AggregateId {
        self.id
    }
}
