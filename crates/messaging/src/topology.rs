//! The streams. `newswire provision` creates them or brings them up to date; services only use them.

use std::time::Duration;

use async_nats::jetstream::{
    context::CreateStreamError,
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};

use crate::{Connection, names};

/// How long a repeated message id is recognised. A convenience: repeats are recognised from the events themselves.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// The largest event, headers included, in bytes: half of what the server takes, so that a dead letter, which
/// has a few headers more, always fits.
const MAX_EVENT: i32 = 512 * 1024;
/// How long a dead letter is kept.
const DEAD_LETTER_AGE: Duration = Duration::from_hours(90 * 24);

/// A stream could not be created or updated.
#[derive(Debug, thiserror::Error)]
#[error("provisioning the stream {stream} failed")]
pub struct ProvisionError {
    stream: &'static str,
    #[source]
    source: CreateStreamError,
}

/// Creates what is missing and updates what differs. Running it again changes nothing.
///
/// `replicas` is 1 for a single server, 3 for a cluster.
pub async fn provision(connection: &Connection, replicas: usize) -> Result<(), ProvisionError> {
    for (stream, config) in
        [(names::EVENTS, events(replicas)), (names::DEAD_LETTERS, dead_letters(replicas))]
    {
        connection
            .jetstream
            .create_or_update_stream(config)
            .await
            .map_err(|source| ProvisionError { stream, source })?;
        tracing::info!(stream, replicas, "stream is provisioned");
    }
    Ok(())
}

/// Facts: never deleted, never purged, never aged.
fn events(replicas: usize) -> Config {
    Config {
        name: names::EVENTS.to_owned(),
        description: Some("Every fact, one subject an aggregate".to_owned()),
        subjects: vec![names::ALL_EVENTS.to_owned()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: replicas,
        duplicate_window: DUPLICATE_WINDOW,
        max_message_size: MAX_EVENT,
        deny_delete: true,
        deny_purge: true,
        allow_direct: true,
        allow_atomic_publish: true,
        ..Config::default()
    }
}

fn dead_letters(replicas: usize) -> Config {
    Config {
        name: names::DEAD_LETTERS.to_owned(),
        description: Some("Events that a consumer gave up on, and those parked behind".to_owned()),
        subjects: vec![names::ALL_DEAD_LETTERS.to_owned()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        duplicate_window: DUPLICATE_WINDOW,
        max_age: DEAD_LETTER_AGE,
        allow_direct: true,
        ..Config::default()
    }
}
