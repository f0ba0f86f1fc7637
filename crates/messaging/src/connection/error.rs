//! Why there is no connection.

/// No connection, and trying again is of no use.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The setting is missing.
    #[error("setting nats.url is missing: nats://host:port was expected")]
    NoUrl,
    /// The server does not take the user or password.
    #[error("NATS at {url} refused the user {user}: check nats.user and nats.password")]
    Denied {
        /// The server.
        url: String,
        /// The user.
        user: String,
    },
    /// The server is too old.
    #[error(
        "nats-server {found} is too old: 2.12.14 or newer of 2.12, 2.14.4 or newer is required"
    )]
    TooOld {
        /// Its version.
        found: String,
    },
    /// The address or another option cannot be used.
    #[error("cannot connect to NATS at {url}")]
    Settings {
        /// The server.
        url: String,
        /// What is wrong.
        #[source]
        source: async_nats::ConnectError,
    },
}
