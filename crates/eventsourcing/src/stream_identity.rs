//! Which stream a position is in: a bare number says nothing about that.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// What separates the origin from the renewal.
const SEPARATOR: char = '.';

/// Names a stream of events, so that a position of another one is recognised.
///
/// The origin stays with the stream and its copies. A renewal takes its place when the stream lost its end and gives the
/// same positions out again: then positions under the name before mean nothing any more. As text it is one opaque token
/// of lower-case letters, digits, and a full stop before the renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamIdentity {
    origin: Uuid,
    renewal: Option<Uuid>,
}

/// The text is no identity of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the identity of a stream")]
pub struct StreamIdentityError;

impl StreamIdentity {
    /// The identity of a stream that was never renewed.
    #[must_use]
    pub const fn new(origin: Uuid) -> Self {
        Self { origin, renewal: None }
    }

    /// The identity of the same stream after the renewal `renewal`.
    #[must_use]
    pub const fn renewed(self, renewal: Uuid) -> Self {
        Self { renewal: Some(renewal), ..self }
    }

    /// Whether it was renewed.
    #[must_use]
    pub const fn is_renewed(self) -> bool {
        self.renewal.is_some()
    }

    /// Whether both began as one stream.
    #[must_use]
    pub fn has_origin_of(self, other: Self) -> bool {
        self.origin == other.origin
    }
}

impl fmt::Display for StreamIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.origin.simple())?;
        match self.renewal {
            Some(renewal) => write!(f, "{SEPARATOR}{}", renewal.simple()),
            None => Ok(()),
        }
    }
}

impl FromStr for StreamIdentity {
    type Err = StreamIdentityError;

    fn from_str(text: &str) -> Result<Self, StreamIdentityError> {
        let read = |text: &str| Uuid::try_parse(text).map_err(|_| StreamIdentityError);
        let identity = match text.split_once(SEPARATOR) {
            None => Self::new(read(text)?),
            Some((origin, renewal)) => Self::new(read(origin)?).renewed(read(renewal)?),
        };
        // One spelling an identity: some compare it as text.
        if identity.to_string() == text { Ok(identity) } else { Err(StreamIdentityError) }
    }
}

impl Serialize for StreamIdentity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for StreamIdentity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written_and_in_no_other_spelling() {
        let first = StreamIdentity::new(Uuid::from_u128(7));
        let second = first.renewed(Uuid::from_u128(8));
        for identity in [first, second] {
            assert_eq!(identity.to_string().parse(), Ok(identity));
        }
        assert!(second.has_origin_of(first) && second != first);
        let hyphens = Uuid::from_u128(7).to_string();
        let upper = Uuid::from_u128(171).simple().to_string().to_uppercase();
        for text in ["", ".", "x", &hyphens, &upper, &format!("{second}.1"), &format!("{first}.")] {
            assert_eq!(text.parse::<StreamIdentity>(), Err(StreamIdentityError), "{text}");
        }
    }
}
