//! `[article]`

use std::num::NonZeroU32;

use command_service::StoreKind;
use event_store_postgres::{Database, Namespace};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};
use service_kit::settings::SettingsError;

use crate::NAME;

/// `[article]`
#[derive(Debug, Clone, Deserialize)]
pub struct ArticleSettings {
    /// Where the events are decided upon.
    pub store: StoreKind,
    /// The PostgreSQL database; its password is in it.
    pub database: SecretString,
    /// Connections to it at once, beside the relay's.
    pub max_connections: NonZeroU32,
    /// The longest content of an article, in Unicode scalar values.
    #[serde(deserialize_with = "content_chars")]
    pub max_content_chars: NonZeroU32,
}

/// The longest content that an installation has without a setting of its own.
pub(crate) const DEFAULT_CONTENT: NonZeroU32 = NonZeroU32::new(10_000).expect("not 0");
/// The most that the setting can be: an event may have 512 KiB, and JSON writes a character in up to six bytes.
const MAX_CONTENT: u32 = 80_000;

fn content_chars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    let chars = u32::deserialize(deserializer)?;
    let chars = NonZeroU32::new(chars).filter(|chars| chars.get() <= MAX_CONTENT);
    chars.ok_or_else(|| {
        D::Error::custom(format!("article.max_content_chars must be 1 to {MAX_CONTENT}"))
    })
}

impl Default for ArticleSettings {
    fn default() -> Self {
        Self {
            store: StoreKind::default(),
            database: SecretString::default(),
            max_connections: NonZeroU32::MIN,
            max_content_chars: DEFAULT_CONTENT,
        }
    }
}

impl ArticleSettings {
    /// The database to keep the events in, if they are to be kept in one.
    pub(crate) fn database(&self) -> Result<Option<Database>, SettingsError> {
        // The first release had its tables in the default schema.
        let namespace = Namespace::default_schema(NAME);
        let (store, url, max) = (self.store, &self.database, self.max_connections);
        command_service::database(store, url, max, namespace)
            .map_err(|error| SettingsError::wrong("article.database", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(database: &str) -> ArticleSettings {
        let store = StoreKind::Postgres;
        ArticleSettings { store, database: database.into(), ..ArticleSettings::default() }
    }

    #[test]
    fn a_database_is_needed_only_for_postgres_and_is_not_repeated() {
        assert!(ArticleSettings::default().database().is_ok_and(|database| database.is_none()));
        assert!(postgres("postgres://a:b@localhost:5432/c").database().is_ok());
        for wrong in ["", "sqlite:hunter2", "postgres://u:hunter2@host:nonsense/db", "hunter2"] {
            let settings = postgres(wrong);
            let error = settings.database().expect_err("refused").to_string();
            assert!(error.contains("article.database"), "{error}");
            assert!(!error.contains("hunter2") && !format!("{settings:?}").contains("hunter2"));
        }
    }
}
