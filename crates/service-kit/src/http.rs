//! HTTP: serving with limits and deadlines, problems, correlation.

pub mod client_address;
pub mod origins;
pub mod problem;
pub mod query_string;
pub mod request_context;
pub mod server;
pub mod site;

mod addresses;
mod answer;
pub(crate) mod connections;
mod cors;
mod guard;
mod host;
pub(crate) mod measure;
mod progress;
mod refusal;
mod stream;
#[cfg(test)]
mod tests;
