//! Identities: who, which aggregate, which command, which event.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Namespace of every identity that Newswire derives (UUID version 5, RFC 9562).
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1c_5b1e_93a4_4c0d_9d57_2a1f_0c6b_7e42);

/// An identity could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {expected}")]
pub struct IdentityError {
    what: &'static str,
    expected: &'static str,
}

macro_rules! uuid_identity {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The identity as a UUID.
            #[must_use]
            pub fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdentityError;

            fn from_str(text: &str) -> Result<Self, IdentityError> {
                // Only the hyphenated form: one aggregate must have one subject.
                match Uuid::try_parse(text) {
                    Ok(id) if text.len() == 36 => Ok(Self(id)),
                    _ => Err(IdentityError { what: $what, expected: "a hyphenated UUID" }),
                }
            }
        }
    };
}

uuid_identity!(
    /// One aggregate, and the last token of its subject.
    AggregateId, "aggregate id"
);
uuid_identity!(
    /// One intention of one user. The same id again is the same intention again.
    CommandId, "command id"
);
uuid_identity!(
    /// One event, derived from its command, so that a repeated append is recognised.
    EventId, "event id"
);
uuid_identity!(
    /// One command that was accepted for later, and what became of it.
    OperationId, "operation id"
);
uuid_identity!(
    /// A digest of a command's name and data: tells a repeat from a reused id.
    Fingerprint, "fingerprint"
);

impl CommandId {
    /// A new id, ordered by time.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of the command that `user` sent under the idempotency key `key`.
    ///
    /// Two users never share an id, whatever keys they choose.
    #[must_use]
    pub fn from_key(user: &UserId, key: &str) -> Self {
        Self(derive(&["command", user.as_str(), key]))
    }

    /// The id of the command that a machine sends because of `event`, for `purpose`.
    ///
    /// An event may come again, and brings the same command again: so the machine needs no record of what it sent. One that sends
    /// several commands because of one event names each one's target in the purpose.
    #[must_use]
    pub fn caused_by(event: EventId, purpose: &str) -> Self {
        Self(derive(&["caused", &event.to_string(), purpose]))
    }

    /// The id of the aggregate that this command creates: a repeat meets the first one's aggregate.
    #[must_use]
    pub fn creates(&self, context: &str) -> AggregateId {
        AggregateId(derive(&["aggregate", context, &self.to_string()]))
    }

    /// The id of the event at `index` among those this command yields for `aggregate`.
    ///
    /// The aggregate is in it because a client may use one key for two resources: those are two commands, and
    /// the server must not take the second one's event for a duplicate of the first one's.
    #[must_use]
    pub fn event_id(&self, aggregate: AggregateId, index: usize) -> EventId {
        let (command, aggregate) = (self.to_string(), aggregate.to_string());
        EventId(derive(&["event", &command, &aggregate, &index.to_string()]))
    }
}

impl OperationId {
    /// The operation that executes `command` later. A repeat of the command is the same operation.
    #[must_use]
    pub fn of(command: CommandId, aggregate: AggregateId) -> Self {
        Self(derive(&["operation", &command.to_string(), &aggregate.to_string()]))
    }
}

impl Fingerprint {
    /// The fingerprint of the command `name` with the JSON `data`.
    #[must_use]
    pub fn of(name: &str, data: &[u8]) -> Self {
        let mut bytes = name.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend_from_slice(data);
        Self(Uuid::new_v5(&NAMESPACE, &bytes))
    }
}

/// Derives a UUID from parts, each with its length, so that no two lists of parts look alike.
pub(crate) fn derive(parts: &[&str]) -> Uuid {
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&part.len().to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &bytes)
}

macro_rules! text_identity {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $expected:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identity as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdentityError;

            fn try_from(text: String) -> Result<Self, IdentityError> {
                let allowed: fn(u8) -> bool = $allowed;
                if !text.is_empty() && text.len() <= $max && text.bytes().all(allowed) {
                    Ok(Self(text))
                } else {
                    Err(IdentityError { what: $what, expected: $expected })
                }
            }
        }

        impl FromStr for $name {
            type Err = IdentityError;

            fn from_str(text: &str) -> Result<Self, IdentityError> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_identity!(
    /// A user, as the token's subject names them. Safe in a header, a topic and a mailbox name.
    UserId, "user id", 64, "1 to 64 characters of a-z A-Z 0-9 . _ @ + -",
    |byte| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte)
);
text_identity!(
    /// Ties a request, its command, its events and every log line about them together.
    CorrelationId, "correlation id", 128, "1 to 128 visible ASCII characters",
    |byte| byte.is_ascii_graphic()
);

impl CorrelationId {
    /// A new id, ordered by time.
    #[must_use]
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string())
    }
}

/// On whose behalf a command is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// The user.
    pub user_id: UserId,
    /// The roles that the user's token carries.
    #[serde(default)]
    pub roles: Vec<String>,
}

/// The role of what acts for the system. No token has it.
pub const SYSTEM: &str = "system";

impl Actor {
    /// The part of the system that is called `name`, which is a word.
    ///
    /// # Panics
    /// `name` is no word.
    #[must_use]
    pub fn system(name: &str) -> Self {
        let user_id = format!("{SYSTEM}.{name}").parse().expect("a word");
        Self { user_id, roles: vec![SYSTEM.to_owned()] }
    }

    /// Whether it acts for the system.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.has_role(SYSTEM)
    }

    /// Whether the actor has `role`.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}
