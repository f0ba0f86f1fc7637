use eventsourcing::Fingerprints;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// The shortest key, in bytes: the size of the hash (RFC 2104, 3).
const MIN_KEY: usize = 32;

/// `[fingerprint]`: the key under which the fingerprints of commands are made. All services that take commands need the same one.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct FingerprintSettings {
    /// The key; empty for none.
    pub key: SecretString,
}

/// The key is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("fingerprint.key must have at least {MIN_KEY} bytes")]
pub struct FingerprintError;

impl FingerprintSettings {
    /// Whether there is a key.
    #[must_use]
    pub fn is_given(&self) -> bool {
        !self.key.expose_secret().trim().is_empty()
    }

    /// What makes fingerprints. Without a key it says so in the log: whoever sees events can then test guesses of what is in commands.
    ///
    /// # Errors
    /// The key is too short.
    pub fn fingerprints(&self) -> Result<Fingerprints, FingerprintError> {
        let key = self.key.expose_secret().trim();
        if key.is_empty() {
            tracing::warn!(
                "there is no fingerprint.key: whoever sees events can test guesses of what is in commands"
            );
        } else if key.len() < MIN_KEY {
            return Err(FingerprintError);
        }
        Ok(Fingerprints::new(key.as_bytes()))
    }
}
