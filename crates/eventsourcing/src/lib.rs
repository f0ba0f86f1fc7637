#![doc = include_str!("../README.md")]

pub mod aggregate;
mod cache;
pub mod command;
#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod event;
pub mod executor;
pub mod identity;
pub mod memory;
pub mod query;
pub mod refusal;
pub mod store;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use aggregate::{Aggregate, Decide, EventContext};
pub use command::{Accepted, Command, CommandEnvelope, EventRef, Reply};
pub use event::{DecodeError, EventData, Metadata, NewEvent, RecordedEvent};
pub use executor::{ExecuteError, Executor};
pub use identity::{
    Actor, AggregateId, CommandId, CorrelationId, EventId, Fingerprint, IdentityError, UserId,
};
pub use memory::MemoryEventStore;
pub use query::{Answer, Query, QueryEnvelope, QueryReply};
pub use refusal::{FieldError, Refusal, RefusalKind};
pub use store::{AppendError, EventStore, Head, StoreError, StreamId};

#[cfg(test)]
mod tests;
