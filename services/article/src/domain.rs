//! The aggregate: what its events make of it. Pure and synchronous; no clock, no randomness.

#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;

use contracts::article::{Article as View, ArticleEvent, ArticleRefusal, CONTEXT, EDITOR};
use eventsourcing::{Actor, Aggregate, EventContext};
use serde::{Deserialize, Serialize};

/// An article, from its first event to after its last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Article {
    view: Option<View>,
    deleted: bool,
}

impl Article {
    /// The article as it is, or as it was when it was deleted; `None` before the first event.
    pub(crate) fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    /// The article, if it is there and `actor` may change it.
    pub(crate) fn changeable_by(&self, actor: &Actor) -> Result<&View, ArticleRefusal> {
        let article = self.view.as_ref().ok_or(ArticleRefusal::NotFound)?;
        if self.deleted {
            Err(ArticleRefusal::Deleted)
        } else if actor.user_id == article.author_id || actor.has_role(EDITOR) {
            Ok(article)
        } else {
            Err(ArticleRefusal::NotTheAuthor)
        }
    }
}

impl Aggregate for Article {
    const CONTEXT: &'static str = CONTEXT;
    const STATE_SCHEMA: u32 = 1;
    type Event = ArticleEvent;

    fn apply(&mut self, event: ArticleEvent, context: &EventContext) {
        match event {
            ArticleEvent::Created(created) => {
                self.view = Some(View {
                    id: context.aggregate_id,
                    title: created.title,
                    content: created.content,
                    author_id: created.author_id,
                    version: context.version,
                    created_at: context.time,
                    updated_at: context.time,
                });
            }
            ArticleEvent::Updated(updated) => self.change(context, |article| {
                article.title = updated.title;
                article.content = updated.content;
            }),
            ArticleEvent::Deleted(_) => {
                self.change(context, |_| {});
                self.deleted = true;
            }
        }
    }
}

impl Article {
    fn change(&mut self, context: &EventContext, change: impl FnOnce(&mut View)) {
        if let Some(article) = &mut self.view {
            change(article);
            article.version = context.version;
            article.updated_at = context.time;
        }
    }
}
