//! Uniqueness across aggregates, without a lock and without a table to look things up in.
//!
//! An aggregate says which values it holds ([`Aggregate::claims`](crate::Aggregate::claims)); what a command's
//! events change about that is stored together with them, all or nothing.

use uuid::Uuid;

use crate::Fingerprints;

/// A value that only one aggregate of a context holds at a time: a slug, an e-mail address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The context: `article`.
    pub context: &'static str,
    /// The field, as clients know it: `slug`.
    pub field: &'static str,
    /// The value, in the one form that stands for all that count as equal.
    pub value: String,
}

impl Claim {
    /// What is unique: `article-slug`.
    #[must_use]
    pub fn kind(&self) -> String {
        format!("{}-{}", self.context, self.field)
    }
}

/// Stands for a value where the value itself must not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// What stands for it from now on.
    pub today: Uuid,
    /// What stood for it before there was a key, if that is another.
    pub before: Option<Uuid>,
}

/// What a commit changes about the values that its aggregate holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClaimChanges {
    /// Held from now on.
    pub take: Vec<Claim>,
    /// Free from now on.
    pub release: Vec<Claim>,
    /// What makes the digests of both.
    pub fingerprints: Fingerprints,
}

impl ClaimChanges {
    /// The way from the claims `before` to the claims `after`.
    #[must_use]
    pub fn between(before: &[Claim], after: &[Claim]) -> Self {
        let without = |list: &[Claim], other: &[Claim]| {
            list.iter().filter(|claim| !other.contains(claim)).cloned().collect()
        };
        let (take, release) = (without(after, before), without(before, after));
        Self { take, release, fingerprints: Fingerprints::default() }
    }

    /// The same with the digests of `fingerprints`.
    #[must_use]
    pub fn with_fingerprints(self, fingerprints: Fingerprints) -> Self {
        Self { fingerprints, ..self }
    }

    /// The digest of the value of `claim`.
    #[must_use]
    pub fn digest(&self, claim: &Claim) -> Digest {
        self.fingerprints.digest(claim)
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.take.is_empty() && self.release.is_empty()
    }
}
