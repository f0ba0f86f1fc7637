//! The snapshot port: shortcuts to an aggregate's state, never the truth about it.

use std::future::Future;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use crate::{Aggregate, Head, StreamId, cache::Root, command_log::CommandLog};

/// The shape of a snapshot around the state. Older shapes are thrown away, not migrated.
const FORMAT: u32 = 2;

/// Keeps the last snapshot of each aggregate, in any form, for as long as it likes.
pub trait SnapshotStore: Send + Sync + 'static {
    /// The last snapshot of `stream`. One that cannot be had is as good as none.
    fn load(&self, stream: &StreamId) -> impl Future<Output = Option<Vec<u8>>> + Send;

    /// Keeps `snapshot` instead of the one before, in the background; it may get lost.
    fn save(&self, stream: &StreamId, snapshot: Vec<u8>);
}

impl<P: SnapshotStore> SnapshotStore for std::sync::Arc<P> {
    async fn load(&self, stream: &StreamId) -> Option<Vec<u8>> {
        P::load(self, stream).await
    }

    fn save(&self, stream: &StreamId, snapshot: Vec<u8>) {
        P::save(self, stream, snapshot);
    }
}

/// For aggregates that are always read from their events.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSnapshots;

impl SnapshotStore for NoSnapshots {
    async fn load(&self, _: &StreamId) -> Option<Vec<u8>> {
        None
    }

    fn save(&self, _: &StreamId, _: Vec<u8>) {}
}

#[derive(Serialize, Deserialize)]
struct Snapshot<S> {
    format: u32,
    schema: u32,
    version: u64,
    position: u64,
    #[serde(with = "time::serde::rfc3339::option")]
    time: Option<OffsetDateTime>,
    commands: CommandLog,
    state: S,
}

/// `root` as bytes.
pub(crate) fn write<A: Aggregate>(root: &Root<A>) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(&Snapshot {
        format: FORMAT,
        schema: A::STATE_SCHEMA,
        version: root.head.version,
        position: root.head.position,
        time: root.time,
        commands: root.commands.clone(),
        state: &root.state,
    })
}

/// The root that `bytes` hold; `None` when they were written by code that knew another state.
pub(crate) fn read<A: Aggregate>(bytes: &[u8]) -> Option<Root<A>> {
    #[derive(Deserialize)]
    struct Versions {
        format: u32,
        schema: u32,
    }
    // A foreign state may happen to look like ours: the versions decide, before the state is looked at.
    let versions: Versions = serde_json::from_slice(bytes).ok()?;
    if (versions.format, versions.schema) != (FORMAT, A::STATE_SCHEMA) {
        return None;
    }
    let snapshot: Snapshot<Owned<A>> = serde_json::from_slice(bytes).ok()?;
    Some(Root {
        state: snapshot.state.0,
        head: Head { version: snapshot.version, position: snapshot.position },
        time: snapshot.time,
        commands: snapshot.commands,
        snapshot_version: snapshot.version,
    })
}

#[derive(Deserialize)]
#[serde(transparent, bound = "A: DeserializeOwned")]
struct Owned<A>(A);
