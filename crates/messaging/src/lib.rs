#![doc = include_str!("../README.md")]

mod batch;
mod claims;
pub mod connection;
pub mod consumer;
mod direct_get;
pub mod event_codec;
pub mod event_store;
pub mod feed;
pub mod names;
pub mod request;
pub mod topology;

pub use connection::{ConnectError, Connection, Link, NatsSettings};
pub use event_store::JetStreamEventStore;
pub use feed::Feed;
pub use request::{RequestClient, RequestError, RequestServer, ServiceError};
