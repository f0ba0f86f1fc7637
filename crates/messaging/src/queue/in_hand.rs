use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_nats::jetstream::{AckKind, Message};

use crate::Throttle;

/// How often messages in hand give a sign of life: well within the server's patience.
const PROGRESS: Duration = Duration::from_secs(3);

/// The messages that wait in a lane or are worked on. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct InHand {
    messages: Arc<Mutex<HashMap<u64, Message>>>,
}

/// A message in hand, until it is settled.
pub(super) struct Taken {
    in_hand: InHand,
    position: u64,
    message: Message,
}

impl InHand {
    /// Takes `message` in hand, unless it is there: one that waits long may be delivered again.
    pub fn take(&self, message: Message) -> Option<Taken> {
        let position = message.info().ok()?.stream_sequence;
        let mut messages = self.lock();
        if messages.contains_key(&position) {
            return None;
        }
        messages.insert(position, message.clone());
        Some(Taken { in_hand: self.clone(), position, message })
    }

    /// Gives signs of life for all that is in hand, for ever.
    pub async fn keep_alive(&self) {
        loop {
            tokio::time::sleep(PROGRESS).await;
            let messages: Vec<Message> = self.lock().values().cloned().collect();
            for message in messages {
                acknowledge(&message, AckKind::Progress).await;
            }
        }
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Taken {
    /// Tells the server what became of it.
    pub async fn settle(self, kind: AckKind) {
        acknowledge(&self.message, kind).await;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.in_hand.lock().remove(&self.position);
    }
}

/// An acknowledgement that gets lost means another delivery, which the operation's outcome answers.
pub(super) async fn acknowledge(message: &Message, kind: AckKind) {
    static FAILED: Throttle = Throttle::new();
    if let Err(error) = message.ack_with(kind).await
        && let Some(held_back) = FAILED.pass()
    {
        tracing::warn!(%error, held_back, "sending an acknowledgement failed");
    }
}
