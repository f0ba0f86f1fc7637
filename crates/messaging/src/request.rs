//! Commands and queries over the NATS service API.
//!
//! A reply is an acceptance or answer, or a refusal, both in the body; or an error, in the headers that the
//! service API has for it (NATS ADR-32). The three never mix.

mod client;
mod error;
mod metrics;
mod server;
mod turns;

pub use client::{RequestClient, RequestError};
pub use error::ServiceError;
pub use server::RequestServer;
