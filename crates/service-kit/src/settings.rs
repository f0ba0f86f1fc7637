//! Settings: defaults, then a file, then the environment.
//!
//! The defaults are the documented file itself, so every setting has a default and a line that explains it.

mod layer;
mod secret_file;

use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use config::{Config, Environment, File, FileFormat, Map, Value, ValueKind};
use serde::{Deserialize, de::DeserializeOwned};

use crate::http::{client_address::TrustedProxies, origins::Origins};

/// The documented defaults.
pub const DEFAULTS: &str = include_str!("../../../deploy/newswire.toml");
/// The file that is read when it is there and no other is named.
pub const DEFAULT_FILE: &str = "newswire.toml";
const PREFIX: &str = "NEWSWIRE";

/// The settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A file cannot be read, or a value is not what was expected.
    #[error("{0}")]
    Invalid(#[from] config::ConfigError),
    /// The settings file is there and cannot be used, or was named and is not there.
    #[error("the settings file {path} cannot be read: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system or the parser says.
        reason: String,
    },
    /// The file that a setting's value is to come from cannot be read.
    #[error("setting {key} names the file {path}, which cannot be read: {reason}")]
    SecretFile {
        /// The setting, with `_file`.
        key: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A value is given both itself and as a file.
    #[error("setting {key} is given, and so is the value itself: give one of the two")]
    Twice {
        /// The setting, with `_file`.
        key: String,
    },
    /// A setting that does not exist, probably misspelt.
    #[error("unknown setting {key}: there is no such setting in {within}")]
    Unknown {
        /// The setting, as it was written.
        key: String,
        /// The names that exist beside it.
        within: String,
    },
    /// A value is of the right type and makes no sense.
    #[error("setting {key} is wrong: {expected}")]
    Wrong {
        /// The setting.
        key: &'static str,
        /// What was expected.
        expected: String,
    },
}

impl SettingsError {
    /// The setting `key` is not what was `expected`.
    pub fn wrong(key: &'static str, expected: impl Into<String>) -> Self {
        Self::Wrong { key, expected: expected.into() }
    }
}

/// Reads the settings that `T` has fields for.
///
/// `file` must exist when it is named; otherwise `./newswire.toml` is read when it is there. A file that is there and
/// cannot be read is an error: it may hold the key or the data folder that this installation has. An empty value is
/// the same as no value, in the file and in the environment. A text may be given as the name of a file, under the setting's
/// name and `_file`.
///
/// # Errors
/// Any unknown setting or wrong value, in any section.
pub fn load<T: DeserializeOwned>(file: Option<&Path>) -> Result<T, SettingsError> {
    let file = layer::file(file)?;
    let environment = Environment::with_prefix(PREFIX).prefix_separator("__").separator("__");
    let environment = Config::builder().add_source(environment).build()?.cache;
    load_from([file, environment])
}

/// The defaults, with `layers` over them, the last one on top.
fn load_from<T: DeserializeOwned>(
    layers: impl IntoIterator<Item = Value>,
) -> Result<T, SettingsError> {
    let defaults = Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    let known = defaults.clone().build()?.cache;
    let names = keys(&known);
    let mut settings = defaults;
    for layer in layers {
        let layer = secret_file::read(layer, &known)?;
        if let Some(key) = keys(&layer).into_iter().find(|key| !names.contains(key)) {
            return Err(unknown(key, &names));
        }
        settings = settings.add_source(layer::Layer::of(layer, &known));
    }
    Ok(settings.build()?.try_deserialize()?)
}

/// The dotted names of all values below `value`.
fn keys(value: &Value) -> BTreeSet<String> {
    fn collect(prefix: &str, table: &Map<String, Value>, keys: &mut BTreeSet<String>) {
        for (key, value) in table {
            let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match &value.kind {
                ValueKind::Table(table) => collect(&key, table, keys),
                _ => {
                    keys.insert(key);
                }
            }
        }
    }
    let mut all = BTreeSet::new();
    if let ValueKind::Table(table) = &value.kind {
        collect("", table, &mut all);
    }
    all
}

fn unknown(key: String, known: &BTreeSet<String>) -> SettingsError {
    let section = key.rsplit_once('.').map_or("", |(section, _)| section);
    let siblings: Vec<&str> =
        known.iter().filter_map(|known| known.strip_prefix(section)?.strip_prefix('.')).collect();
    let within = if siblings.is_empty() {
        let sections: BTreeSet<&str> =
            known.iter().filter_map(|known| known.split('.').next()).collect();
        format!("the top level: {}", sections.into_iter().collect::<Vec<_>>().join(", "))
    } else {
        format!("[{section}]: {}", siblings.join(", "))
    };
    SettingsError::Unknown { key, within }
}

/// The settings that every service has.
#[derive(Debug, Clone, Deserialize)]
pub struct CommonSettings {
    /// Logs.
    pub log: LogSettings,
    /// The public address.
    pub http: HttpSettings,
    /// The private address.
    pub admin: AdminSettings,
    /// The end.
    pub shutdown: ShutdownSettings,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
pub struct LogSettings {
    /// A level or a filter.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
pub struct HttpSettings {
    /// The public address.
    pub listen: std::net::SocketAddr,
    /// Connections at once.
    pub max_connections: NonZeroUsize,
    /// Of these, those from one address.
    pub max_connections_per_address: NonZeroUsize,
    /// For a request's headers, in milliseconds.
    pub header_timeout_ms: u64,
    /// For a whole request, in milliseconds.
    pub request_timeout_ms: u64,
    /// For taking any part of an answer, in milliseconds.
    pub write_timeout_ms: u64,
    /// The largest body.
    pub max_body_bytes: usize,
    /// Whose word is taken about where a request comes from.
    pub trusted_proxies: TrustedProxies,
    /// The web origins whose pages may use the API.
    pub allowed_origins: Origins,
    /// Whether the log says which address each request came from.
    pub log_client_address: bool,
}

/// `[admin]`
#[derive(Debug, Clone, Deserialize)]
pub struct AdminSettings {
    /// The private address.
    pub listen: std::net::SocketAddr,
}

/// `[shutdown]`
#[derive(Debug, Clone, Deserialize)]
pub struct ShutdownSettings {
    /// For what is in flight, in milliseconds.
    pub grace_ms: u64,
}

#[cfg(test)]
mod tests;
