//! The durable consumer of a reaction.

use std::{collections::HashMap, time::Duration};

use async_nats::jetstream::{
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
    context::{ConsumerInfoError, ConsumerInfoErrorKind},
};

use eventsourcing::StreamIdentity;

use super::Reaction;
use crate::{Connection, feed, names};

/// How long the server waits for a sign of life before it delivers a message again.
const ACK_WAIT: Duration = Duration::from_secs(10);
/// The key in its metadata under which it notes the stream that its acknowledgements are of.
const STREAM: &str = "newswire-identity";
/// How many messages may be in hand.
pub(super) const MAX_IN_HAND: i64 = 1000;

/// Makes the durable anew where it left off, so that everything it has not acknowledged comes again now and in
/// order: the server would deliver the new first, and what another process had in hand only after a while.
///
/// `floor` remembers where that is, in case the attempt fails between the end of the old and the start of the new. A
/// durable that is gone, and of which nothing is remembered, or that is of another stream, starts from the first event; the
/// reaction's own record keeps it from doing anything twice.
pub(super) async fn renew<R: Reaction>(
    connection: &Connection,
    stream: StreamIdentity,
    floor: &mut u64,
) -> Result<PullConsumer, async_nats::Error> {
    let jetstream = &connection.jetstream;
    let found = jetstream.get_consumer_from_stream::<pull::Config, _, _>(R::NAME, names::EVENTS);
    match found.await {
        Ok(consumer) => {
            let info = consumer.cached_info();
            *floor = match info.config.metadata.get(STREAM) {
                // What it has acknowledged may be an end that the stream has lost.
                Some(of) if *of != stream.to_string() => 0,
                _ => info.ack_floor.stream_sequence.max(*floor),
            };
            jetstream.delete_consumer_from_stream(R::NAME, names::EVENTS).await?;
        }
        Err(error) if feed::is_unknown(&error) => {}
        Err(error) => return Err(error.into()),
    }
    create::<R>(connection, stream, *floor).await
}

/// Whether the durable is not there any more.
pub(super) fn is_gone(error: &ConsumerInfoError) -> bool {
    error.kind() == ConsumerInfoErrorKind::NotFound
}

async fn create<R: Reaction>(
    connection: &Connection,
    stream: StreamIdentity,
    after: u64,
) -> Result<PullConsumer, async_nats::Error> {
    let config = pull::Config {
        durable_name: Some(R::NAME.to_owned()),
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: after + 1 },
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_deliver: -1,
        max_ack_pending: MAX_IN_HAND,
        filter_subject: names::events_of(R::CONTEXT),
        metadata: HashMap::from([(STREAM.to_owned(), stream.to_string())]),
        ..pull::Config::default()
    };
    Ok(connection.jetstream.create_consumer_on_stream(config, names::EVENTS).await?)
}
