#![doc = include_str!("../README.md")]

mod appends;
mod batch;
mod claims;
pub mod connection;
pub mod consumer;
pub mod control;
mod descriptions;
mod direct_get;
pub mod event_codec;
pub mod event_store;
pub mod feed;
pub mod history;
pub mod lease;
mod leaving;
pub mod names;
pub mod permissions;
pub mod queue;
mod refused;
pub mod request;
pub mod server;
mod snapshots;
pub mod stream;
mod throttle;
pub mod topology;

pub use appends::Appends;
pub use connection::{ConnectError, Connection, Link, NatsSettings};
pub use event_store::JetStreamEventStore;
pub use feed::Feed;
pub use history::Suspicion;
pub use queue::{CommandQueue, EnqueueError, Operation, QueueServer};
pub use request::{RequestClient, RequestError, RequestServer, ServiceError};
pub use snapshots::JetStreamSnapshots;
pub use stream::{At, EventStream, Mark, Relation, Sighting, StreamWatch};
pub use throttle::Throttle;
