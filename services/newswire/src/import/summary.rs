//! What an import did.

use std::fmt;

use super::poster::Posted;

/// Counts, and every article that is not there now with the reason.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    created: u64,
    already_there: u64,
    refused: Vec<(String, String)>,
    failed: Vec<(String, String)>,
}

impl Summary {
    /// Takes in what became of the article at `place`.
    pub(crate) fn add(&mut self, place: String, posted: Posted) {
        match posted {
            Posted::Created => self.created += 1,
            Posted::AlreadyThere => self.already_there += 1,
            Posted::Refused(reason) => self.refused.push((place, reason)),
            Posted::Failed(reason) => self.failed.push((place, reason)),
        }
    }

    /// Whether importing again may do more.
    pub(crate) fn is_incomplete(&self) -> bool {
        !self.failed.is_empty()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (what, entries) in [("refused", &self.refused), ("failed", &self.failed)] {
            for (place, reason) in entries {
                writeln!(f, "{what}: {place}: {reason}")?;
            }
        }
        write!(
            f,
            "{} created, {} already there, {} refused, {} failed",
            self.created,
            self.already_there,
            self.refused.len(),
            self.failed.len()
        )
    }
}
