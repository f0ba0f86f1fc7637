//! The reaction: event, record, delivery.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use eventsourcing::{EventId, RecordedEvent};
use messaging::{
    Throttle,
    consumer::{Outcome, Reaction},
    lease::Turn,
};
use metrics::{Unit, counter, describe_counter};

use crate::{
    NAME,
    delivery::{Delivery, DeliveryError},
    letter::{CONTEXTS, Letter, letter},
    message::Composer,
    record::Record,
};

/// Events whose author has no mail address.
const UNADDRESSED: &str = "notification_unaddressed_total";
/// Held back: one author may write much.
static NO_ADDRESS: Throttle = Throttle::new();

/// Tells authors what happens to their articles, and what others say about them.
#[derive(Debug)]
pub(crate) struct Notifier {
    composer: Composer,
    delivery: Arc<Delivery>,
    record: Record,
    /// Delivered, but not in the record yet, since that failed.
    unrecorded: Mutex<HashSet<EventId>>,
    /// The turn of this process, the last one.
    turn: Mutex<Option<Turn>>,
}

impl Notifier {
    pub(crate) fn new(composer: Composer, delivery: Arc<Delivery>, record: Record) -> Self {
        describe_counter!(UNADDRESSED, Unit::Count, "Events whose author has no mail address");
        Self { composer, delivery, record, unrecorded: Mutex::default(), turn: Mutex::default() }
    }
}

impl Notifier {
    fn turn(&self) -> Option<Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reaction for Notifier {
    const NAME: &'static str = NAME;
    const CONTEXTS: &'static [&'static str] = CONTEXTS;

    fn is_active(&self) -> bool {
        self.turn().is_some_and(|turn| turn.is_valid())
    }

    fn begin(&self, turn: &Turn) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn.clone());
    }

    async fn react(&self, event: &RecordedEvent) -> Outcome {
        let letter = match letter(event) {
            Ok(Some(letter)) => letter,
            Ok(None) => return Outcome::Done,
            Err(error) => return Outcome::GiveUp(error.to_string()),
        };
        match self.record.has(event.event.id).await {
            Ok(false) => {}
            Ok(true) => return Outcome::Done,
            Err(error) => return Outcome::Wait(format!("reading the record failed: {error}")),
        }
        if !self.unrecorded().contains(&event.event.id)
            && let Err(outcome) = self.notify(event, letter).await
        {
            return outcome;
        }
        if let Err(error) = self.record.add(event).await {
            // The next attempt is about the record only.
            self.unrecorded().insert(event.event.id);
            return Outcome::Wait(format!("writing the record failed: {error}"));
        }
        self.unrecorded().remove(&event.event.id);
        Outcome::Done
    }
}

impl Notifier {
    /// Delivers the message about `event`, unless its author cannot be written to: no later attempt would change that.
    async fn notify(&self, event: &RecordedEvent, letter: Letter) -> Result<(), Outcome> {
        let Some(to) = self.composer.mailbox(&letter.to) else {
            counter!(UNADDRESSED).increment(1);
            if let Some(held_back) = NO_ADDRESS.pass() {
                let id = event.aggregate_id;
                tracing::warn!(aggregate.id = %id, held_back, "the author has no mail address");
            }
            return Ok(());
        };
        let message = self
            .composer
            .compose(event, letter, to)
            .map_err(|error| Outcome::GiveUp(format!("composing failed: {error}")))?;
        // Composing took a moment: a process may have been stopped in it for longer than its turn.
        let Some(turn) = self.turn().filter(Turn::is_valid) else { return Err(turn_is_over()) };
        let delivered = tokio::select! {
            delivered = self.delivery.deliver(event.event.id, message) => delivered,
            // A mail server throws away what did not come to its end (RFC 5321, 4.1.1.4).
            () = turn.over() => return Err(turn_is_over()),
        };
        delivered.map_err(|error| match error {
            DeliveryError::Away(reason) => Outcome::Wait(reason),
            DeliveryError::NotNow(reason) => Outcome::Retry(reason),
            DeliveryError::Never(reason) => Outcome::GiveUp(reason),
        })?;
        tracing::info!(aggregate.id = %event.aggregate_id, "notification sent");
        Ok(())
    }

    // Nothing panics while the lock is held.
    fn unrecorded(&self) -> MutexGuard<'_, HashSet<EventId>> {
        self.unrecorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn turn_is_over() -> Outcome {
    Outcome::Wait("the turn of this process is over".to_owned())
}
