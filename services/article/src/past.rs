//! What is told of an article's past.

use command_service::{Fault, Past, PastQuery, Replay, Show, past::history};
use contracts::article::{
    Article as View, ArticleRefusal, At, GetArticleAt, GetHistory, HistoryPage,
};
use eventsourcing::{Actor, AggregateId, EventStore, Refusal};
use serde_json::{Value, json};

use crate::domain::Article;

impl Show<View> for Article {
    fn show(&self) -> Option<View> {
        self.view().cloned()
    }
}

impl Past for Article {
    fn unknown() -> Refusal {
        ArticleRefusal::NotFound.into()
    }

    /// An article that was taken down is past for everybody but those who could change it.
    fn may_read(&self, actor: Option<&Actor>) -> Result<(), Refusal> {
        let is_theirs = actor.is_some_and(|actor| self.is_of(actor));
        if self.is_deleted() && !is_theirs {
            return Err(ArticleRefusal::Deleted.into());
        }
        Ok(())
    }
}

impl PastQuery<Article> for GetHistory {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn behind(&self) -> u64 {
        self.after.unwrap_or_default()
    }

    async fn answer<S: EventStore>(
        &self,
        past: &mut Replay<'_, Article, S>,
    ) -> Result<HistoryPage, Fault> {
        history::page(past, self.after, self.limit, fields).await
    }
}

impl PastQuery<Article> for GetArticleAt {
    fn id(&self) -> AggregateId {
        self.id
    }

    fn behind(&self) -> u64 {
        match self.at {
            At::Version(version) => version,
            At::AsOf(_) => 0,
        }
    }

    async fn answer<S: EventStore>(
        &self,
        past: &mut Replay<'_, Article, S>,
    ) -> Result<View, Fault> {
        let article = past.at(self.at).await?;
        if article.is_deleted() {
            return Err(Refusal::from(ArticleRefusal::Deleted).into());
        }
        let not_yet = || Refusal::from(ArticleRefusal::NotFound);
        Ok(article.show().ok_or_else(not_yet)?)
    }
}

/// What a reader sees of an article that somebody can change; nothing of one that is not there.
fn fields(article: &Article) -> history::Fields {
    let seen = article.view().filter(|_| !article.is_deleted());
    let value = |of: fn(&View) -> Value| seen.map_or(Value::Null, of);
    vec![
        ("title", value(|article| json!(article.title))),
        ("content", value(|article| json!(article.content))),
        ("slug", value(|article| json!(article.slug))),
        ("tags", value(|article| json!(article.tags))),
    ]
}
