//! Where a service keeps its events. The settings stand in the service's own section, flat: a variable of the environment is a text,
//! and serde's `flatten` does not turn texts into numbers.

use std::num::NonZeroU32;

use event_store_postgres::{Database, Namespace};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// The stores that there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// The stream `EVENTS` itself.
    #[default]
    JetStream,
    /// A PostgreSQL database, relayed to the stream.
    Postgres,
}

/// The address of a database is not one. The address is not repeated: it may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("postgres://user:password@host:port/db was expected, since the store is postgres")]
pub struct DatabaseError;

/// The database at `url` to keep events in, if `store` keeps them in one; at most `connections` at once beside the relay's.
///
/// # Errors
/// `url` is no address of a PostgreSQL database.
pub fn database(
    store: StoreKind,
    url: &SecretString,
    connections: NonZeroU32,
    namespace: Namespace,
) -> Result<Option<Database>, DatabaseError> {
    match store {
        StoreKind::JetStream => Ok(None),
        StoreKind::Postgres => {
            // The parser's own error may repeat a part of the secret.
            let database = Database::parse(url.expose_secret(), namespace, connections);
            database.map(Some).ok_or(DatabaseError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_is_needed_only_for_postgres_and_its_address_is_not_repeated() {
        let open =
            |store, url: &str| database(store, &url.into(), NonZeroU32::MIN, Namespace::of("toy"));
        assert!(open(StoreKind::JetStream, "").is_ok_and(|database| database.is_none()));
        let given = open(StoreKind::Postgres, "postgres://a:b@localhost:5432/c");
        assert!(given.is_ok_and(|database| database.is_some()));
        for wrong in ["", "sqlite:hunter2", "postgres://u:hunter2@host:nonsense/db", "hunter2"] {
            let error = open(StoreKind::Postgres, wrong).expect_err("refused");
            assert!(!error.to_string().contains("hunter2"));
        }
    }
}
