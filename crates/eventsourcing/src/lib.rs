#![doc = include_str!("../README.md")]

pub mod aggregate;
mod cache;
pub mod claim;
pub mod command;
mod command_log;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod event;
pub mod executor;
pub mod fingerprint;
pub mod history;
pub mod identity;
pub mod memory;
pub mod object;
pub mod query;
pub mod refusal;
pub mod snapshot;
pub mod store;
pub mod stream_identity;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use aggregate::{Aggregate, Decide, EventContext};
pub use claim::{Claim, ClaimChanges};
pub use command::{Accepted, Command, CommandEnvelope, EventRef, Reply};
pub use event::{DecodeError, EventData, Metadata, NewEvent, RecordedEvent};
pub use executor::{ExecuteError, Executor};
pub use fingerprint::Fingerprints;
pub use identity::{
    Actor, AggregateId, CommandId, CorrelationId, EventId, Fingerprint, IdentityError, OperationId,
    UserId,
};
pub use memory::{MemoryEventStore, MemorySnapshotStore};
pub use query::{Answer, Query, QueryEnvelope, QueryReply};
pub use refusal::{FieldError, Refusal, RefusalKind};
pub use snapshot::{NoSnapshots, SnapshotStore};
pub use store::{AppendError, Commit, EventStore, Head, LoadError, StoreError, StreamId};
pub use stream_identity::{StreamIdentity, StreamIdentityError};

#[cfg(test)]
mod tests;
