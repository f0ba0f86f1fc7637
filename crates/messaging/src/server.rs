//! What a nats-server says of itself to its system user.

use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};

use crate::Connection;

/// The health of a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct ServerHealth {
    /// What is wrong with it; `None` when nothing is.
    #[serde(default)]
    pub error: Option<String>,
}

/// What a server's streams take, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct ServerStore {
    /// What is stored.
    #[serde(rename = "storage")]
    pub used: u64,
    /// What streams with a bound have set aside.
    #[serde(rename = "reserved_storage", default)]
    pub reserved: u64,
    /// Its settings.
    config: ServerConfig,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
struct ServerConfig {
    max_storage: u64,
}

impl ServerStore {
    /// The most that may be stored.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.config.max_storage
    }
}

/// A server did not tell.
#[derive(Debug, thiserror::Error)]
#[error("asking the nats-server {what} failed")]
pub struct ServerError {
    what: &'static str,
    #[source]
    source: async_nats::Error,
}

#[derive(Deserialize)]
struct Told<T> {
    data: T,
}

/// The health of the server that `connection`, of a system user, is connected to, when there is no other.
pub async fn health(connection: &Connection) -> Result<ServerHealth, ServerError> {
    ask(connection, "HEALTHZ").await
}

/// What its streams take.
pub async fn store(connection: &Connection) -> Result<ServerStore, ServerError> {
    ask(connection, "JSZ").await
}

async fn ask<T: DeserializeOwned>(
    connection: &Connection,
    what: &'static str,
) -> Result<T, ServerError> {
    let subject = format!("$SYS.REQ.SERVER.PING.{what}");
    let reply = connection.client.request(subject, Bytes::new()).await;
    let reply = reply.map_err(|error| ServerError { what, source: error.into() })?;
    let told: Told<T> = serde_json::from_slice(&reply.payload)
        .map_err(|error| ServerError { what, source: error.into() })?;
    Ok(told.data)
}
