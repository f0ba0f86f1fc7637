//! An article's events one after the other, however many there are.

use std::vec;

use contracts::article::{ArticleRefusal, CONTEXT};
use eventsourcing::{
    Actor, Aggregate as _, AggregateId, EventStore, Head, LoadError, RecordedEvent, Refusal,
    StoreError, StreamId,
};

use super::{Fault, bookmarks::Bookmark};
use crate::domain::Article;

/// Reads the events of an article, oldest first, of which no more than a page is in memory.
pub(super) struct Past<'a, S> {
    store: &'a S,
    stream: StreamId,
    last: RecordedEvent,
    page: vec::IntoIter<RecordedEvent>,
    article: Article,
    head: Head,
}

impl<'a, S: EventStore> Past<'a, S> {
    /// The past of the article `id` until now, behind `bookmark` when there is one; `None` when it has none.
    pub(super) async fn open(
        store: &'a S,
        id: AggregateId,
        bookmark: Option<Bookmark>,
    ) -> Result<Option<Self>, Fault> {
        let stream = StreamId::new(CONTEXT, id);
        let Some(last) = store.last(&stream).await? else { return Ok(None) };
        if let Some(Bookmark { head, article, .. }) = bookmark {
            match store.page(&stream, head).await {
                Ok(page) => {
                    let page = page.into_iter();
                    return Ok(Some(Self { store, stream, last, page, article, head }));
                }
                // The stream was restored to another past since.
                Err(LoadError::UnknownHead) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (article, head) = (Article::default(), Head::default());
        let page = store.page(&stream, head).await?.into_iter();
        Ok(Some(Self { store, stream, last, page, article, head }))
    }

    /// What was taken down is past for everybody but those who could change it.
    ///
    /// The first event tells whose it is, and behind the one that took it down there is none: so the two suffice.
    pub(super) fn may_read(&self, actor: Option<&Actor>) -> Result<(), Fault> {
        let mut article = self.article.clone();
        if self.head == Head::default()
            && let Some(first) = self.page.as_slice().first()
        {
            apply(&mut article, first)?;
        }
        let is_theirs = actor.is_some_and(|actor| article.is_of(actor));
        apply(&mut article, &self.last)?;
        if article.is_deleted() && !is_theirs {
            return Err(Refusal::from(ArticleRefusal::Deleted).into());
        }
        Ok(())
    }

    /// The next event, which [`apply`](Self::apply) takes in; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<RecordedEvent>, Fault> {
        if !self.has_more() {
            return Ok(None);
        }
        if self.page.as_slice().is_empty() {
            self.page = self.store.page(&self.stream, self.head).await?.into_iter();
        }
        let next = self.page.next().ok_or_else(|| {
            LoadError::from(StoreError::new("reading a page of events", "the next is missing"))
        });
        Ok(Some(next?))
    }

    /// Makes the article what it was after `event`.
    pub(super) fn apply(&mut self, event: &RecordedEvent) -> Result<(), Fault> {
        apply(&mut self.article, event)?;
        self.head = Head::from(event);
        Ok(())
    }

    /// Whether there are events that were not applied.
    pub(super) fn has_more(&self) -> bool {
        self.head.position < self.last.position
    }

    /// The article after the last event that was applied.
    pub(super) fn article(&self) -> &Article {
        &self.article
    }

    /// Its version.
    pub(super) fn version(&self) -> u64 {
        self.head.version
    }

    /// Its last event when the reading began.
    pub(super) fn last(&self) -> &RecordedEvent {
        &self.last
    }

    /// The position of its last event when the reading began.
    pub(super) fn position(&self) -> u64 {
        self.last.position
    }

    /// From where somebody may go on who wants no event that was applied.
    pub(super) fn bookmark(self) -> Bookmark {
        Bookmark { id: self.stream.aggregate_id, head: self.head, article: self.article }
    }
}

/// `article` after `event`.
fn apply(article: &mut Article, event: &RecordedEvent) -> Result<(), Fault> {
    article.apply(event.decode()?, &event.context());
    Ok(())
}
