//! Where read models are, and how they are kept.

use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::{model::ReadModel, postgres::PostgresDatabase, sqlite::SqliteDatabase};

/// The catalog in the data folder, but for what the read model adds.
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

/// The database is none. Its address is not repeated: it may have a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sqlite:PATH or postgres://user:password@host:port/db was expected")]
pub struct PlaceError;

/// Where a read model is.
#[derive(Debug)]
pub(crate) enum Place<M> {
    Sqlite(SqliteDatabase<M>),
    Postgres(Box<PostgresDatabase<M>>),
}

impl ProjectionSettings {
    /// Where the read model `M` is to be.
    pub(crate) fn place<M: ReadModel>(&self, data_dir: &Path) -> Result<Place<M>, PlaceError> {
        let sqlite = |path| Place::Sqlite(SqliteDatabase::new(file_of::<M>(path)));
        let database = self.database.expose_secret();
        if database.is_empty() {
            return Ok(sqlite(data_dir.join(DEFAULT_FILE)));
        }
        if let Some(path) = database.strip_prefix("sqlite:").filter(|path| !path.is_empty()) {
            return Ok(sqlite(PathBuf::from(path)));
        }
        // The parser's own error may repeat a part of the secret.
        let database = PostgresDatabase::parse(database).ok_or(PlaceError)?;
        Ok(Place::Postgres(Box::new(database)))
    }
}

/// The catalog of `M`, where that of the oldest read model is `file`: `read-models.db` becomes `read-models-comments.db`.
fn file_of<M: ReadModel>(file: PathBuf) -> PathBuf {
    match (M::NAMES.storage, file.file_stem()) {
        ("", _) | (_, None) => file,
        (storage, Some(stem)) => {
            let mut name = stem.to_os_string();
            name.push("-");
            name.push(storage);
            if let Some(extension) = file.extension() {
                name.push(".");
                name.push(extension);
            }
            file.with_file_name(name)
        }
    }
}
