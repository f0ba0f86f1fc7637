//! Keeps the live generation up to date.

use eventsourcing::RecordedEvent;
use messaging::{
    Mark,
    consumer::{Landmark, Projector, Rejected},
};
use tokio::sync::OwnedMutexGuard;

use crate::{
    catalog::Database,
    commits::Step as Attempt,
    live::Live,
    model::{DatabaseError, ReadModel},
    number::integer,
    tables::{Changes, Skipped, Step, Tables},
};

/// The longest reason that is kept, in Unicode scalar values.
const MAX_REASON: usize = 512;

/// A batch was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProjectorError {
    /// The database says why.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Another replica has taken over.
    #[error("another replica writes now")]
    Fenced,
}

/// Folds events into the live generation, in one epoch.
#[derive(Debug)]
pub(crate) struct ModelProjector<D: Database> {
    live: Live<D>,
    epoch: i64,
}

/// What a batch changes, and in which tables. No switch comes in between.
#[derive(Debug)]
pub(crate) struct Prepared<T: Tables> {
    number: i32,
    tables: T,
    changes: ChangesOf<T>,
    _turn: OwnedMutexGuard<()>,
}

impl<D: Database> ModelProjector<D> {
    /// The projector of whoever holds the lease in `epoch`.
    pub(crate) fn new(live: Live<D>, epoch: i64) -> Self {
        Self { live, epoch }
    }
}

impl<D: Database> Projector for ModelProjector<D> {
    const NAME: &'static str = <D::Model>::NAMES.consumer;
    type Changes = Prepared<D::Tables>;
    type Error = ProjectorError;

    async fn position(&self) -> Result<u64, ProjectorError> {
        let _turn = self.live.turn().await;
        let position = self.live.current().tables.fence(self.epoch).await;
        let position = self.live.commits().note(Attempt::Look, position)?;
        let position = position.ok_or(ProjectorError::Fenced)?;
        self.live.announce(self.live.current().number, position);
        Ok(position)
    }

    async fn mark(&self) -> Result<Option<Mark>, ProjectorError> {
        Ok(self.live.current().tables.mark().await?)
    }

    async fn landmark(&self) -> Result<Option<Landmark>, ProjectorError> {
        Ok(self.live.current().tables.landmark().await?)
    }

    async fn adopt(&self, mark: &Mark) -> Result<bool, ProjectorError> {
        let _turn = self.live.turn().await;
        Ok(self.live.current().tables.adopt(self.epoch, mark).await?)
    }

    fn hears(&self, subject: &str) -> bool {
        hears::<D::Model>(subject)
    }

    async fn fold(
        &self,
        events: &[RecordedEvent],
        unreadable: &[Rejected],
    ) -> Result<(Self::Changes, Vec<Rejected>), ProjectorError> {
        let turn = self.live.turn().await;
        let current = self.live.current();
        let (number, tables) = (current.number, current.tables.clone());
        let folded = fold(&tables, events, unreadable).await;
        let (mut changes, rejected) = self.live.commits().note_failure(Attempt::Commit, folded)?;
        if let [event] = events
            && event.position <= self.live.position()
        {
            // A redrive. The generation lacks it no more.
            changes.redriven.push(integer(event.position)?);
        }
        Ok((Prepared { number, tables, changes, _turn: turn }, rejected))
    }

    async fn commit(
        &self,
        prepared: Self::Changes,
        from: u64,
        to: Mark,
    ) -> Result<bool, ProjectorError> {
        let step = Step { from, to, epoch: self.epoch };
        let committed = prepared.tables.commit(&prepared.changes, step).await;
        // A redrive is not tried again by itself, but the position is looked at again soon.
        let attempt = if step.is_redrive() { Attempt::Look } else { Attempt::Commit };
        let committed = self.live.commits().note(attempt, committed)?;
        if committed {
            self.live.announce(prepared.number, to.position);
        }
        Ok(committed)
    }
}

/// Whether a message of `subject` concerns the read model `M`.
pub(crate) fn hears<M: ReadModel>(subject: &str) -> bool {
    subject.split('.').nth(1).is_some_and(|context| M::CONTEXTS.contains(&context))
}

/// What a batch changes in the tables `T`.
pub type ChangesOf<T> = Changes<<<T as Tables>::Model as ReadModel>::Changes>;

/// What `events` change in `tables`, and which of them cannot be applied. The tables remember those, and what is `unreadable`.
///
/// # Errors
/// The database failed.
pub async fn fold<T: Tables>(
    tables: &T,
    events: &[RecordedEvent],
    unreadable: &[Rejected],
) -> Result<(ChangesOf<T>, Vec<Rejected>), DatabaseError> {
    let is_heard = |event: &&RecordedEvent| T::Model::CONTEXTS.contains(&event.context.as_ref());
    let events: Vec<_> = events.iter().filter(is_heard).collect();
    let known = tables.known(&T::Model::keys(&events)).await?;
    let (model, rejected) = T::Model::fold(known, &events);
    let mut changes = Changes { model, skipped: Vec::new(), redriven: Vec::new() };
    for Rejected { position, subject, reason } in unreadable.iter().chain(&rejected) {
        let reason = reason.chars().filter(|char| !char.is_control()).take(MAX_REASON).collect();
        let (position, subject) = (integer(*position)?, subject.clone());
        changes.skipped.push(Skipped { position, subject, reason });
    }
    Ok((changes, rejected))
}
