//! What `newswire` reads of the settings beside what the services read.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use messaging::FingerprintSettings;
use serde::{Deserialize, Deserializer, de::Error as _};
use service_kit::auth::{self, AuthSettings};

/// The key in the data folder.
const KEY_FILE: &str = "auth.key";
/// The key of fingerprints there.
const FINGERPRINT_FILE: &str = "fingerprint.key";

/// What `newswire run` reads.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RunSettings {
    pub(crate) data_dir: PathBuf,
    pub(crate) embedded_nats: EmbeddedNatsSettings,
}

/// `[embedded_nats]`
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct EmbeddedNatsSettings {
    /// The nats-server to run; empty to look for one.
    pub(crate) binary: String,
    /// Where it listens, if that is free.
    pub(crate) listen: std::net::SocketAddr,
    /// When an acknowledged write is on disk: `always`, or a time.
    pub(crate) sync: String,
    /// The most that all streams may take: a number with a unit.
    pub(crate) max_store: String,
}

/// What `newswire provision` reads.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ProvisionSettings {
    pub(crate) nats: Replicas,
}

/// A part of `[nats]`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Replicas {
    /// How many servers keep each stream.
    #[serde(deserialize_with = "replicas")]
    pub(crate) replicas: usize,
}

/// An odd number: an even one survives no more losses than the one below it.
fn replicas<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let replicas = usize::deserialize(deserializer)?;
    if [1, 3, 5].contains(&replicas) {
        Ok(replicas)
    } else {
        Err(D::Error::custom(format!("nats.replicas is {replicas}: 1, 3 or 5 was expected")))
    }
}

/// What minting a token needs.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct TokenSettings {
    pub(crate) data_dir: PathBuf,
    pub(crate) auth: AuthSettings,
}

/// Names the key in the data folder, generated when it is not there, unless another key is given.
pub(crate) fn complete_auth(auth: &mut AuthSettings, data_dir: &Path) -> anyhow::Result<()> {
    if auth.is_given() {
        return Ok(());
    }
    auth.key_file = key_file(data_dir, KEY_FILE)?.display().to_string();
    Ok(())
}

/// The key of fingerprints in the data folder, generated when it is not there, unless another key is given.
pub(crate) fn complete_fingerprint(
    fingerprint: &mut FingerprintSettings,
    data_dir: &Path,
) -> anyhow::Result<()> {
    if fingerprint.is_given() {
        return Ok(());
    }
    let path = key_file(data_dir, FINGERPRINT_FILE)?;
    let key = std::fs::read_to_string(&path);
    let key = key.with_context(|| format!("reading {} failed", path.display()))?;
    anyhow::ensure!(!key.trim().is_empty(), "{} is empty: remove it", path.display());
    fingerprint.key = key.into();
    Ok(())
}

/// The key in the file `name` of the data folder, generated when it is not there.
fn key_file(data_dir: &Path, name: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(data_dir)
        .with_context(|| format!("creating the data folder {} failed", data_dir.display()))?;
    let path = data_dir.join(name);
    auth::generate_key(&path)
        .with_context(|| format!("looking for {}, or making it, failed", path.display()))?;
    Ok(path)
}
