//! Whether a generation is of the stream that is there.

use eventsourcing::StreamIdentity;
use messaging::Sighting;

/// What was found of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Unknown,
    /// It is of the stream.
    Ours { number: i32, seen: Sighting },
    /// It is of another one.
    Foreign { number: i32, seen: Sighting, reason: String },
}

impl Verdict {
    /// Why queries to the read model `name` have no answer, if they have none.
    pub(crate) fn problem(&self, name: &str) -> Option<String> {
        match self {
            Self::Unknown => {
                Some("the read model is yet to be compared with the stream".to_owned())
            }
            Self::Ours { .. } => None,
            Self::Foreign { number, reason, .. } => Some(format!(
                "generation {number} of the read model belongs to another stream: {reason}; it has to be rebuilt (newswire projection rebuild {name})"
            )),
        }
    }

    /// Whether the generation `of` is of another stream.
    pub(crate) fn is_foreign(&self, of: i32) -> bool {
        matches!(self, Self::Foreign { number, .. } if *number == of)
    }

    /// Whether it is about the generation `of` and the stream as it was `seen`.
    pub(crate) fn is_about(&self, of: i32, seen: Sighting) -> bool {
        self.about() == Some((of, seen))
    }

    /// Whether it is about the generation `of` and the stream `with`.
    pub(crate) fn is_about_stream(&self, of: i32, with: StreamIdentity) -> bool {
        self.about().is_some_and(|(number, seen)| (number, seen.identity) == (of, with))
    }

    fn about(&self) -> Option<(i32, Sighting)> {
        match self {
            Self::Unknown => None,
            Self::Ours { number, seen } | Self::Foreign { number, seen, .. } => {
                Some((*number, *seen))
            }
        }
    }
}
