//! `[projection]`

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use service_kit::settings::SettingsError;

use crate::{postgres::PostgresDatabase, sqlite::SqliteDatabase};

/// The catalog in the data folder.
const DEFAULT_FILE: &str = "read-models.db";

/// `[projection]`
#[derive(Debug, Clone, Deserialize)]
pub struct ProjectionSettings {
    /// The database; empty for files in the data folder. A password may be in it.
    pub database: SecretString,
    /// How long a read may wait for a position, in milliseconds.
    pub max_wait_ms: u64,
    /// Whether a rebuild starts by itself when this code makes something else of the events than the live tables have.
    pub rebuild_on_change: bool,
    /// Whether a rebuild starts by itself when the live tables were made from another stream than the one that is there.
    pub rebuild_on_foreign_stream: bool,
}

impl Default for ProjectionSettings {
    fn default() -> Self {
        Self {
            database: SecretString::default(),
            max_wait_ms: 0,
            rebuild_on_change: false,
            rebuild_on_foreign_stream: true,
        }
    }
}

/// Where the read model is.
#[derive(Debug)]
pub(crate) enum Place {
    Sqlite(SqliteDatabase),
    Postgres(Box<PostgresDatabase>),
}

impl ProjectionSettings {
    /// Where the read model is to be.
    pub(crate) fn place(&self, data_dir: &Path) -> Result<Place, SettingsError> {
        let database = self.database.expose_secret();
        if database.is_empty() {
            return Ok(Place::Sqlite(SqliteDatabase::new(data_dir.join(DEFAULT_FILE))));
        }
        if let Some(path) = database.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(Place::Sqlite(SqliteDatabase::new(PathBuf::from(path))));
        }
        // The parser's own error may repeat a part of the secret.
        let database = PostgresDatabase::parse(database);
        database.map(|database| Place::Postgres(Box::new(database))).ok_or_else(|| {
            let expected = "sqlite:PATH or postgres://user:password@host:port/db was expected";
            SettingsError::wrong("projection.database", expected)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(database: &str) -> Result<Place, SettingsError> {
        let settings =
            ProjectionSettings { database: database.into(), ..ProjectionSettings::default() };
        settings.place(Path::new("/data"))
    }

    #[tokio::test]
    async fn a_database_is_named_by_its_url_and_not_repeated() {
        assert!(matches!(place(""), Ok(Place::Sqlite(_))));
        assert!(matches!(place("sqlite:/tmp/x.db"), Ok(Place::Sqlite(_))));
        assert!(matches!(place("postgres://a:b@localhost:5432/c"), Ok(Place::Postgres(_))));
        for wrong in ["sqlite:", "hunter2", "mysql://u:hunter2@h/d", "postgres://u:hunter2@h:x/d"] {
            let error = place(wrong).expect_err(wrong).to_string();
            assert!(error.contains("projection.database") && !error.contains("hunter2"), "{error}");
        }
    }
}
