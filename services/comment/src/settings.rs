//! `[comment]`

use std::num::NonZeroU32;

use command_service::StoreKind;
use event_store_postgres::{Database, Namespace};
use secrecy::SecretString;
use serde::Deserialize;
use service_kit::settings::SettingsError;

use crate::NAME;

/// `[comment]`
#[derive(Debug, Clone, Deserialize)]
pub struct CommentSettings {
    /// Where the events are decided upon.
    pub store: StoreKind,
    /// The PostgreSQL database; its password is in it.
    pub database: SecretString,
    /// Connections to it at once, beside the relay's.
    pub max_connections: NonZeroU32,
}

impl Default for CommentSettings {
    fn default() -> Self {
        let (store, database) = (StoreKind::default(), SecretString::default());
        Self { store, database, max_connections: NonZeroU32::MIN }
    }
}

impl CommentSettings {
    /// The database to keep the events in, if they are to be kept in one.
    pub(crate) fn database(&self) -> Result<Option<Database>, SettingsError> {
        let (url, max) = (&self.database, self.max_connections);
        command_service::database(self.store, url, max, Namespace::of(NAME))
            .map_err(|error| SettingsError::wrong("comment.database", error.to_string()))
    }
}
