//! Telling a repeat of a command from another command under the same id, and naming a value that is claimed.
//!
//! A fingerprint stands in every event, and a digest in the subject of a claim, where others see them. Without a key anybody could test guesses
//! of the content against them. So each is an HMAC (RFC 2104, FIPS 198-1) over SHA-256, cut to 128 bits.

use std::{fmt, sync::Arc};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use uuid::Builder;

use crate::{Claim, Command, CommandEnvelope, Fingerprint, claim::Digest, identity};

/// Makes the fingerprints of commands and the digests of claims. Cheap to clone.
#[derive(Clone, Default)]
pub struct Fingerprints {
    /// `None` makes those of before there was a key.
    key: Option<Arc<Hmac<Sha256>>>,
}

/// The fingerprints of one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// What its events have from now on.
    pub today: Fingerprint,
    /// What they had before there was a key.
    before: Fingerprint,
}

impl Marks {
    /// Whether `stored` is that of the command.
    #[must_use]
    pub fn are_of(&self, stored: Fingerprint) -> bool {
        stored == self.today || stored == self.before
    }
}

/// The key is a secret.
impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fingerprints").field("is_keyed", &self.key.is_some()).finish()
    }
}

impl Fingerprints {
    /// Those under `key`, of any length; without one when it is empty. Events under another key are not recognised as repeats.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let key = (!key.is_empty()).then(|| Hmac::new_from_slice(key).ok().map(Arc::new));
        Self { key: key.flatten() }
    }

    /// Whether there is a key.
    #[must_use]
    pub fn is_keyed(&self) -> bool {
        self.key.is_some()
    }

    /// The fingerprints of `command`.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn of<C: Command>(&self, command: &CommandEnvelope<C>) -> Result<Marks, serde_json::Error> {
        let name = format!("{}.{}", C::CONTEXT, C::VERB);
        let data = serde_json::to_vec(&command.data)?;
        let before = Fingerprint::of(&name, &data);
        let today = self.key.as_ref().map_or(before, |key| keyed(key, &name, &data));
        Ok(Marks { today, before })
    }
}

impl Fingerprints {
    /// The digest of the value of `claim`.
    pub(crate) fn digest(&self, claim: &Claim) -> Digest {
        let Claim { context, field, value } = claim;
        let before = identity::derive(&["claim", context, field, value]);
        match &self.key {
            None => Digest { today: before, before: None },
            Some(key) => {
                let today = keyed(key, &format!("claim {context}-{field}"), value.as_bytes());
                Digest { today: today.as_uuid(), before: Some(before) }
            }
        }
    }
}

/// Equal when they make the same.
impl PartialEq for Fingerprints {
    fn eq(&self, other: &Self) -> bool {
        let probe = |of: &Self| of.key.as_ref().map(|key| keyed(key, "", b""));
        probe(self) == probe(other)
    }
}

impl Eq for Fingerprints {}

fn keyed(key: &Hmac<Sha256>, name: &str, data: &[u8]) -> Fingerprint {
    let mut mac = key.clone();
    mac.update(name.as_bytes());
    mac.update(&[0]);
    mac.update(data);
    let digest = mac.finalize().into_bytes();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    // Version 8 of RFC 9562: those of before are of version 5.
    Builder::from_custom_bytes(bytes).into_uuid().into()
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::{Actor, AggregateId, CommandId};

    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Say {
        word: String,
    }

    impl Command for Say {
        const CONTEXT: &'static str = "talk";
        const VERB: &'static str = "say";
        type Output = ();

        fn aggregate_id(&self, id: CommandId) -> AggregateId {
            id.creates("talk")
        }
    }

    fn say(word: &str) -> CommandEnvelope<Say> {
        CommandEnvelope::new(Actor::system("test"), Say { word: word.to_owned() })
    }

    fn marks(key: &str, word: &str) -> Marks {
        Fingerprints::new(key.as_bytes()).of(&say(word)).expect("JSON")
    }

    #[test]
    fn without_the_key_a_fingerprint_cannot_be_had() {
        let stored = marks("secret", "sunflower7").today;
        for key in ["", "other", "secreT"] {
            assert!(!marks(key, "sunflower7").are_of(stored), "{key}");
        }
        assert!(marks("secret", "sunflower7").are_of(stored));
        assert!(!marks("secret", "sunflower8").are_of(stored));
        assert_eq!(stored.as_uuid().get_version_num(), 8);
    }

    #[test]
    fn what_was_stored_before_there_was_a_key_is_recognised() {
        let stored = marks("", "sunflower7").today;
        assert!(marks("secret", "sunflower7").are_of(stored));
        assert!(!marks("secret", "sunflower8").are_of(stored));
    }

    #[test]
    fn a_claim_has_another_digest_under_each_key_and_its_former_one_beside() {
        let claim = Claim { context: "article", field: "slug", value: "s".to_owned() };
        let digest = |key: &str| Fingerprints::new(key.as_bytes()).digest(&claim);
        let (plain, keyed, other) = (digest(""), digest("secret"), digest("other"));
        assert_eq!((plain.before, keyed.before), (None, Some(plain.today)));
        assert!(keyed.today != plain.today && keyed.today != other.today);
        assert_eq!(keyed, digest("secret"));
    }

    #[test]
    fn the_key_is_not_shown() {
        let shown = format!("{:?}", Fingerprints::new(b"hunter2"));
        assert!(!shown.contains("hunter2") && shown.contains("true"), "{shown}");
    }
}
