//! The aggregate: what its events make of it. Pure and synchronous; no clock, no randomness.

pub(crate) mod bounded;
pub(crate) mod input;
mod slug;
mod tags;
#[cfg(test)]
pub(crate) mod testing;
mod text;

use contracts::article::{Article as View, ArticleEvent, ArticleRefusal, CONTEXT, EDITOR};
use eventsourcing::{Actor, Aggregate, Claim, EventContext};
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

    /// Whether `actor` is its author, or an editor, who has a say in all of them.
    pub(crate) fn is_of(&self, actor: &Actor) -> bool {
        let is_author = |article: &View| actor.user_id == article.author_id;
        actor.has_role(EDITOR) || self.view.as_ref().is_some_and(is_author)
    }

    /// Whether it was taken down.
    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// The article, if it is there and `actor` may change it.
    pub(crate) fn changeable_by(&self, actor: &Actor) -> Result<&View, ArticleRefusal> {
        let article = self.view.as_ref().ok_or(ArticleRefusal::NotFound)?;
        if self.deleted {
            Err(ArticleRefusal::Deleted)
        } else if self.is_of(actor) {
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
                    slug: created.slug,
                    tags: created.tags,
                    version: context.version,
                    created_at: context.time,
                    updated_at: context.time,
                });
            }
            ArticleEvent::Updated(updated) => self.change(context, |article| {
                article.title = updated.title;
                article.content = updated.content;
                if updated.slug.is_some() {
                    article.slug = updated.slug;
                }
                if let Some(tags) = updated.tags {
                    article.tags = tags;
                }
            }),
            ArticleEvent::Deleted(_) => {
                self.change(context, |_| {});
                self.deleted = true;
            }
        }
    }

    /// The slug of a live article.
    fn claims(&self) -> Vec<Claim> {
        let live = self.view.as_ref().filter(|_| !self.deleted);
        let slug = live.and_then(|article| article.slug.clone());
        slug.map(|value| Claim { context: CONTEXT, field: "slug", value }).into_iter().collect()
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
