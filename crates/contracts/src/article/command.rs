use eventsourcing::{AggregateId, Command, CommandId};
use serde::{Deserialize, Serialize};

use super::{Article, CONTEXT};

/// Publishes an article. Its id derives from the command's, so a repeat creates nothing new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateArticle {
    /// 1 to 200 characters, not only white space.
    pub title: String,
    /// 1 to 10,000 characters, not only white space.
    pub content: String,
}

/// Replaces an article's title and content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateArticle {
    /// The article.
    pub id: AggregateId,
    /// 1 to 200 characters, not only white space.
    pub title: String,
    /// 1 to 10,000 characters, not only white space.
    pub content: String,
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
