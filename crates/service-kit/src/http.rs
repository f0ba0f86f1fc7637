//! HTTP: serving with limits and deadlines, problems, correlation.

pub mod client_address;
pub mod origins;
pub mod problem;
pub mod query_string;
pub mod request_context;
pub mod server;
pub mod site;

mod cors;
mod guard;
#[cfg(test)]
mod tests;
