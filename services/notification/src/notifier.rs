//! The reaction: event, record, delivery.

use contracts::article::{ArticleEvent, CONTEXT};
use eventsourcing::RecordedEvent;
use messaging::consumer::{Outcome, Reaction};

use crate::{
    NAME,
    delivery::{Delivery, DeliveryError},
    message::Composer,
    record::Record,
};

/// Tells authors what happens to their articles.
#[derive(Debug)]
pub(crate) struct Notifier {
    composer: Composer,
    delivery: Delivery,
    record: Record,
}

impl Notifier {
    pub(crate) fn new(composer: Composer, delivery: Delivery, record: Record) -> Self {
        Self { composer, delivery, record }
    }
}

impl Reaction for Notifier {
    const NAME: &'static str = NAME;
    const CONTEXT: &'static str = CONTEXT;

    async fn react(&self, event: &RecordedEvent) -> Outcome {
        let article: ArticleEvent = match event.decode() {
            Ok(article) => article,
            Err(error) => return Outcome::GiveUp(error.to_string()),
        };
        match self.record.has(event.event.id).await {
            Ok(false) => {}
            Ok(true) => return Outcome::Done,
            Err(error) => return Outcome::Retry(format!("reading the record failed: {error}")),
        }
        let message = match self.composer.compose(event, &article) {
            Ok(message) => message,
            Err(error) => return Outcome::GiveUp(format!("composing failed: {error}")),
        };
        match self.delivery.deliver(event.event.id, message).await {
            Ok(()) => {}
            Err(DeliveryError::Passing(reason)) => return Outcome::Retry(reason),
            Err(DeliveryError::Final(reason)) => return Outcome::GiveUp(reason),
        }
        if let Err(error) = self.record.add(event).await {
            return Outcome::Retry(format!("writing the record failed: {error}"));
        }
        tracing::info!(article.id = %event.aggregate_id, "notification sent");
        Outcome::Done
    }
}
