//! The streams. `newswire provision` creates them or brings them up to date; services only use them.

mod same;

use std::time::Duration;

use async_nats::jetstream::{
    ErrorCode,
    context::{CreateStreamError, CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, Info, Republish, RetentionPolicy, StorageType},
};

use crate::{Connection, EventStream, names, stream};

/// How long a repeated message id is recognised. A convenience: repeats are recognised from the events themselves.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);
/// The largest event, headers included, in bytes: half of what the server takes, so that a dead letter, which
/// has a few headers more, always fits.
const MAX_EVENT: i32 = 512 * 1024;
/// How long an operation is told, and how long its command may wait.
const OPERATION_AGE: Duration = Duration::from_hours(24);
/// How many bytes of commands may wait, and of operations be kept: the disk is for events.
const MAX_QUEUED_BYTES: i64 = 256 * 1024 * 1024;
/// "Insufficient resources", "insufficient storage resources available".
const NO_ROOM: [u64; 2] = [10023, 10047];
/// How many commands may wait.
const MAX_QUEUED: i64 = 1_000_000;
/// How many bytes of dead letters are kept. The server sets as much of its disk aside.
const MAX_DEAD_BYTES: i64 = 256 * 1024 * 1024;

/// A stream could not be created or updated.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The server does not take it.
    #[error("provisioning the stream {stream} failed{}", hint(source))]
    Failed {
        /// The stream.
        stream: &'static str,
        /// What the server said.
        #[source]
        source: CreateStreamError,
    },
    /// An empty stream in the place of one that had events would hide that they are lost.
    #[error(
        "the stream {} is gone, and {stream} is there: restore it from a backup; to begin with nothing, delete the other streams as well",
        names::EVENTS
    )]
    EventsGone {
        /// A stream that shows that there were events once.
        stream: &'static str,
    },
    /// The server did not tell what there is.
    #[error("asking for the stream {stream} failed")]
    Unknown {
        /// The stream.
        stream: &'static str,
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What to do about it, when that is known.
fn hint(error: &CreateStreamError) -> &'static str {
    let CreateStreamErrorKind::JetStream(error) = error.kind() else { return "" };
    if NO_ROOM.contains(&error.error_code().0) {
        " (streams may take no more: raise embedded_nats.max_store, or max_file_store of the nats-server)"
    } else {
        ""
    }
}

/// Creates what is missing and updates what differs. Running it again changes nothing, and writes nothing: on a full disk
/// the server takes no update, and an installation that has its streams needs none.
///
/// `replicas` is 1 for a single server, 3 for a cluster.
pub async fn provision(connection: &Connection, replicas: usize) -> Result<(), ProvisionError> {
    refuse_to_replace(connection).await?;
    let event_stream = EventStream::new(connection.jetstream.clone());
    let metadata = stream::metadata(&event_stream).await;
    let metadata = metadata.map_err(|source| ProvisionError::Unknown {
        stream: names::EVENTS,
        source: source.into(),
    })?;
    for (stream, mut config) in [
        (names::EVENTS, Config { metadata, ..events(replicas) }),
        (names::DEAD_LETTERS, dead_letters(replicas)),
        (names::COMMANDS, commands(replicas)),
        (names::OPERATIONS, operations(replicas)),
        (names::SNAPSHOTS, snapshots(replicas)),
        (names::LEASES, leases(replicas)),
    ] {
        if let Some(existing) = existing(connection, stream).await? {
            if config.max_bytes > 0 && existing.state.bytes > config.max_bytes.cast_unsigned() {
                // A smaller bound would throw away what is there.
                config.max_bytes = config.max_bytes.max(existing.config.max_bytes);
            }
            if same::is_same(&existing.config, &config) {
                tracing::debug!(stream, replicas, "stream is as it should be");
                continue;
            }
        }
        connection
            .jetstream
            .create_or_update_stream(config)
            .await
            .map_err(|source| ProvisionError::Failed { stream, source })?;
        tracing::info!(stream, replicas, "stream is provisioned");
    }
    Ok(())
}

/// Streams are made in this order: where a later one is, the events were.
async fn refuse_to_replace(connection: &Connection) -> Result<(), ProvisionError> {
    if existing(connection, names::EVENTS).await?.is_some() {
        return Ok(());
    }
    for stream in [names::DEAD_LETTERS, names::COMMANDS, names::OPERATIONS, names::SNAPSHOTS] {
        if existing(connection, stream).await?.is_some() {
            return Err(ProvisionError::EventsGone { stream });
        }
    }
    Ok(())
}

/// What is known of `stream`, if it is there.
async fn existing(
    connection: &Connection,
    stream: &'static str,
) -> Result<Option<Info>, ProvisionError> {
    match connection.jetstream.get_stream(stream).await {
        Ok(found) => Ok(Some(found.cached_info().clone())),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(told)
                if told.error_code() == ErrorCode::STREAM_NOT_FOUND =>
            {
                Ok(None)
            }
            _ => Err(ProvisionError::Unknown { stream, source: error.into() }),
        },
    }
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
        republish: Some(live_events()),
        ..Config::default()
    }
}

/// What watchers see: each event of an aggregate, once it is stored, with its position. On the events' own subjects they
/// would see attempts, also those that the stream refused.
///
/// A stream has one such rule, so it covers every context; who may see which is said by the permissions, where a context
/// that is not named is private. Claims have one token more and are not told.
fn live_events() -> Republish {
    Republish {
        source: names::EVENTS_OF_AGGREGATES.to_owned(),
        destination: "live.events.{{wildcard(1)}}.{{wildcard(2)}}".to_owned(),
        headers_only: false,
    }
}

/// Commands that wait for their service: each until it has an outcome, and no longer than anybody can ask for it.
fn commands(replicas: usize) -> Config {
    Config {
        name: names::COMMANDS.to_owned(),
        description: Some("Commands accepted for later".to_owned()),
        subjects: vec![names::ALL_COMMANDS.to_owned()],
        retention: RetentionPolicy::WorkQueue,
        // A full queue takes no more, rather than forgetting what it took.
        discard: DiscardPolicy::New,
        max_messages: MAX_QUEUED,
        max_bytes: MAX_QUEUED_BYTES,
        storage: StorageType::File,
        num_replicas: replicas,
        duplicate_window: DUPLICATE_WINDOW,
        max_age: OPERATION_AGE,
        max_message_size: MAX_EVENT,
        ..Config::default()
    }
}

/// What became of the commands that were accepted for later. When it is full the oldest go: a queue whose outcomes
/// could not be kept would stand still.
fn operations(replicas: usize) -> Config {
    Config {
        description: Some("Outcomes of commands accepted for later".to_owned()),
        max_age: OPERATION_AGE,
        max_bytes: MAX_QUEUED_BYTES,
        discard: DiscardPolicy::Old,
        ..bucket(names::OPERATIONS, names::ALL_OPERATIONS, replicas)
    }
}

/// Shortcuts: everything in it can be made again from the events.
fn snapshots(replicas: usize) -> Config {
    Config {
        description: Some("Aggregates as they were, to be read instead of old events".to_owned()),
        ..bucket(names::SNAPSHOTS, names::ALL_SNAPSHOTS, replicas)
    }
}

/// Whose turn it is to do what only one process may do. On disk: a server that forgot it would give a turn twice.
fn leases(replicas: usize) -> Config {
    Config {
        description: Some("Whose turn it is".to_owned()),
        ..bucket(names::LEASES, names::ALL_LEASES, replicas)
    }
}

/// The stream under a NATS key-value bucket that keeps the last value of each key.
fn bucket(stream: &str, subjects: &str, replicas: usize) -> Config {
    Config {
        name: stream.to_owned(),
        subjects: vec![subjects.to_owned()],
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        num_replicas: replicas,
        duplicate_window: DUPLICATE_WINDOW,
        max_messages_per_subject: 1,
        max_message_size: MAX_EVENT,
        allow_direct: true,
        allow_rollup: true,
        deny_delete: true,
        ..Config::default()
    }
}

/// Each is kept until it is redriven or dropped: one that vanished by itself would let later events of its aggregate pass
/// over the gap. A full box takes no more, and the consumer waits.
fn dead_letters(replicas: usize) -> Config {
    Config {
        name: names::DEAD_LETTERS.to_owned(),
        description: Some("Events that a consumer gave up on, and those parked behind".to_owned()),
        subjects: vec![names::ALL_DEAD_LETTERS.to_owned()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: replicas,
        duplicate_window: DUPLICATE_WINDOW,
        discard: DiscardPolicy::New,
        max_bytes: MAX_DEAD_BYTES,
        allow_direct: true,
        ..Config::default()
    }
}
