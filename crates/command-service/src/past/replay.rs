//! An aggregate's events one after the other, however many there are.

use std::vec;

use eventsourcing::{
    Actor, AggregateId, EventStore, Head, LoadError, RecordedEvent, StoreError, StreamId,
};

use super::{Fault, Past, bookmarks::Bookmark};

/// Reads the events of an aggregate, oldest first, of which no more than a page is in memory.
pub struct Replay<'a, A, S> {
    store: &'a S,
    stream: StreamId,
    last: RecordedEvent,
    page: vec::IntoIter<RecordedEvent>,
    state: A,
    head: Head,
}

impl<'a, A: Past, S: EventStore> Replay<'a, A, S> {
    /// The past of the aggregate `id` until now, behind `bookmark` when there is one; `None` when it has none.
    pub(super) async fn open(
        store: &'a S,
        id: AggregateId,
        bookmark: Option<Bookmark<A>>,
    ) -> Result<Option<Self>, Fault> {
        let stream = StreamId::new(A::CONTEXT, id);
        let Some(last) = store.last(&stream).await? else { return Ok(None) };
        if let Some(Bookmark { head, state, .. }) = bookmark {
            match store.page(&stream, head).await {
                Ok(page) => {
                    let page = page.into_iter();
                    return Ok(Some(Self { store, stream, last, page, state, head }));
                }
                // The stream was restored to another past since.
                Err(LoadError::UnknownHead) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (state, head) = (A::default(), Head::default());
        let page = store.page(&stream, head).await?.into_iter();
        Ok(Some(Self { store, stream, last, page, state, head }))
    }

    /// Refuses an `actor` to whom the past is not told.
    pub(super) fn may_read(&self, actor: Option<&Actor>) -> Result<(), Fault> {
        let mut state = self.state.clone();
        let mut known = self.head;
        if known == Head::default()
            && let Some(first) = self.page.as_slice().first()
        {
            apply(&mut state, first)?;
            known = Head::from(first);
        }
        if known.position < self.last.position {
            apply(&mut state, &self.last)?;
        }
        Ok(state.may_read(actor)?)
    }

    /// The next event, which [`apply`](Self::apply) takes in; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordedEvent>, Fault> {
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

    /// Makes the state what it was after `event`.
    pub fn apply(&mut self, event: &RecordedEvent) -> Result<(), Fault> {
        apply(&mut self.state, event)?;
        self.head = Head::from(event);
        Ok(())
    }

    /// Whether there are events that were not applied.
    pub fn has_more(&self) -> bool {
        self.head.position < self.last.position
    }

    /// The aggregate after the last event that was applied.
    pub fn state(&self) -> &A {
        &self.state
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.head.version
    }

    /// Its last event when the reading began.
    pub fn last(&self) -> &RecordedEvent {
        &self.last
    }

    /// The position of its last event when the reading began.
    pub fn position(&self) -> u64 {
        self.last.position
    }

    /// From where somebody may go on who wants no event that was applied.
    pub(super) fn bookmark(self) -> Bookmark<A> {
        Bookmark { id: self.stream.aggregate_id, head: self.head, state: self.state }
    }
}

/// `state` after `event`.
fn apply<A: Past>(state: &mut A, event: &RecordedEvent) -> Result<(), Fault> {
    state.apply(event.decode()?, &event.context());
    Ok(())
}
