//! A reaction that several processes could run: one does, in its turn.

use std::{pin::pin, sync::Arc};

use eventsourcing::RecordedEvent;
use tokio_util::sync::CancellationToken;

use super::{Backoff, Outcome, Reaction, run_reaction};
use crate::{
    Connection,
    lease::{Lease, Turn, Waiting},
};

/// Feeds `reaction` from its durable whenever it is the turn of this process by `lease`, until `stop`; then lets what is in hand end.
/// `waiting` hears why it is not the turn of this process, and `None` when it is.
pub async fn run_reaction_in_turns<R: Reaction>(
    connection: &Connection,
    lease: &Lease,
    reaction: &Arc<R>,
    stop: &CancellationToken,
    waiting: impl Fn(Option<&Waiting>),
) {
    while let Some(turn) = lease.acquire(stop, |why| waiting(Some(why))).await {
        waiting(None);
        run_turn(connection, reaction, &turn, stop).await;
    }
}

/// Reacts until the turn of this process is over, or `stop`; then lets what is in hand end.
async fn run_turn<R: Reaction>(
    connection: &Connection,
    reaction: &Arc<R>,
    turn: &Turn,
    stop: &CancellationToken,
) {
    reaction.begin(turn);
    let (end, in_turn) =
        (stop.child_token(), InTurn { reaction: reaction.clone(), turn: turn.clone() });
    let mut running = pin!(run_reaction(connection, Arc::new(in_turn), &end));
    tokio::select! {
        () = &mut running => {}
        () = turn.over() => {
            end.cancel();
            running.await;
        }
    }
    turn.release().await;
}

/// A reaction in one turn.
struct InTurn<R> {
    reaction: Arc<R>,
    turn: Turn,
}

impl<R: Reaction> Reaction for InTurn<R> {
    const NAME: &'static str = R::NAME;
    const CONTEXTS: &'static [&'static str] = R::CONTEXTS;
    const MAX_ATTEMPTS: u32 = R::MAX_ATTEMPTS;
    const BACKOFF: Backoff = R::BACKOFF;

    fn is_active(&self) -> bool {
        self.turn.is_valid() && self.reaction.is_active()
    }

    async fn react(&self, event: &RecordedEvent) -> Outcome {
        self.reaction.react(event).await
    }
}
