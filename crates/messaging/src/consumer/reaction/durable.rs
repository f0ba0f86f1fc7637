//! The durable consumer of a reaction.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, Info, PullConsumer, pull},
    context::{ConsumerInfoError, ConsumerInfoErrorKind},
};

use eventsourcing::StreamIdentity;
use uuid::Uuid;

use super::Reaction;
use crate::{Connection, feed, names};

/// How long the server waits for a sign of life before it delivers a message again.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// The key in its metadata under which it notes the stream that its acknowledgements are of.
const STREAM: &str = "newswire-identity";
/// The key in its metadata under which it notes the attempt that made it.
const ATTEMPT: &str = "newswire-attempt";
/// How many messages may be in hand.
pub(super) const MAX_IN_HAND: i64 = 1000;

/// Where the durable left off.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The last position up to which everything is acknowledged. It is remembered in case the durable gets lost, or an attempt
    /// fails between the end of the old one and the start of the new one.
    pub floor: u64,
    /// The attempt to make the durable that was not answered.
    unanswered: Option<Uuid>,
}

impl Place {
    /// Whether the durable is that of the attempt that was not answered. Then nobody has pulled from it.
    fn is_unused(&self, durable: &Info) -> bool {
        let by = durable.config.metadata.get(ATTEMPT);
        self.unanswered.is_some_and(|attempt| by == Some(&attempt.to_string()))
    }

    fn note_acknowledged(&mut self, durable: &Info, stream: StreamIdentity) {
        self.floor = match durable.config.metadata.get(STREAM) {
            // What it has acknowledged may be an end that the stream has lost.
            Some(of) if *of != stream.to_string() => 0,
            _ => durable.ack_floor.stream_sequence.max(self.floor),
        };
    }
}

/// Makes the durable anew where it left off, so that everything it has not acknowledged comes again now and in
/// order: the server would deliver the new first, and what another process had in hand only after a while.
///
/// A durable that is gone, and of which nothing is remembered, or that is of another stream, starts from the first event; the
/// reaction's own record keeps it from doing anything twice. In a cluster that has just lost a server, a new durable may be
/// without a leader for longer than an answer may take. Such a one is taken into use when it has a leader: another new one in its
/// place would wait for a leader again.
pub(super) async fn renew<R: Reaction>(
    connection: &Connection,
    stream: StreamIdentity,
    place: &mut Place,
) -> Result<PullConsumer, async_nats::Error> {
    let jetstream = &connection.jetstream;
    let found = jetstream.get_consumer_from_stream::<pull::Config, _, _>(R::NAME, names::EVENTS);
    match found.await {
        Ok(durable) if place.is_unused(durable.cached_info()) => {
            place.unanswered = None;
            return Ok(durable);
        }
        Ok(durable) => {
            place.note_acknowledged(durable.cached_info(), stream);
            jetstream.delete_consumer_from_stream(R::NAME, names::EVENTS).await?;
        }
        Err(error) if feed::is_unknown(&error) => {}
        Err(error) => return Err(error.into()),
    }
    create::<R>(connection, stream, place).await
}

/// Whether the durable is not there any more.
pub(super) fn is_gone(error: &ConsumerInfoError) -> bool {
    error.kind() == ConsumerInfoErrorKind::NotFound
}

async fn create<R: Reaction>(
    connection: &Connection,
    stream: StreamIdentity,
    place: &mut Place,
) -> Result<PullConsumer, async_nats::Error> {
    let attempt = Uuid::now_v7();
    place.unanswered = Some(attempt);
    let metadata = [(STREAM, stream.to_string()), (ATTEMPT, attempt.to_string())];
    // A single subject has a field and a permission of its own.
    let (one, several) = match R::CONTEXTS {
        [context] => (names::events_of(context), Vec::new()),
        contexts => (String::new(), contexts.iter().map(|it| names::events_of(it)).collect()),
    };
    let config = pull::Config {
        durable_name: Some(R::NAME.to_owned()),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: place.floor + 1 },
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: MAX_IN_HAND,
        filter_subject: one,
        filter_subjects: several,
        metadata: HashMap::from(metadata.map(|(key, value)| (key.to_owned(), value))),
        ..pull::Config::default()
    };
    let durable = connection.jetstream.create_consumer_on_stream(config, names::EVENTS).await?;
    place.unanswered = None;
    Ok(durable)
}

#[cfg(test)]
mod tests {
    use eventsourcing::RecordedEvent;
    use test_support::NatsServer;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{NatsSettings, consumer::Outcome};

    struct Nothing;

    impl Reaction for Nothing {
        const NAME: &'static str = "notification";
        const CONTEXTS: &'static [&'static str] = &["article"];

        async fn react(&self, _: &RecordedEvent) -> Outcome {
            Outcome::Done
        }
    }

    #[tokio::test]
    async fn a_durable_whose_making_was_not_answered_is_taken_into_use_once() {
        let server = NatsServer::provisioned().await;
        // The crate under test is another one than that of the tests' tools.
        let of = server.settings(Nothing::NAME);
        let settings =
            NatsSettings { url: of.url, user: of.user, password: of.password, ca_file: of.ca_file };
        let opened = Connection::open(&settings, Nothing::NAME, &CancellationToken::new()).await;
        let connection = opened.expect("it lets us in").expect("nobody stops");
        let stream = connection.stream().known().await;
        let mut place = Place::default();
        let made = async |place: &mut Place| {
            let durable = renew::<Nothing>(&connection, stream, place).await.expect("made");
            durable.cached_info().created
        };
        let first = made(&mut place).await;
        let second = made(&mut place).await;
        assert_ne!(first, second, "it was in use, so there is a new one");

        let mut lost = Place::default();
        let unanswered = create::<Nothing>(&connection, stream, &mut lost).await;
        let unanswered = unanswered.expect("made").cached_info().clone();
        let attempt = unanswered.config.metadata[ATTEMPT].parse().expect("an id");
        place.unanswered = Some(attempt);
        assert_eq!(made(&mut place).await, unanswered.created);
        assert_ne!(made(&mut place).await, unanswered.created, "it is in use now");
        lost.unanswered = Some(attempt);
        assert_ne!(made(&mut lost).await, unanswered.created, "that of another attempt");
    }
}
