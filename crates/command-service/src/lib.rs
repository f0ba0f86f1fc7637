#![doc = include_str!("../README.md")]

mod endpoints;
mod execute;
mod host;
mod others;
mod outcomes;
pub mod past;
mod per_stream;
mod service;
mod settings;
mod store;
#[cfg(test)]
mod tests;

pub use endpoints::Endpoints;
pub use execute::Show;
pub use others::Others;
pub use past::{Fault, Past, PastQuery, Replay};
pub use service::CommandService;
pub use settings::{DatabaseError, StoreKind, database};
