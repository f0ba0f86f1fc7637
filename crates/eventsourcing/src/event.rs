//! Facts, before and after they are stored.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::{
    AggregateId, CommandEnvelope, CommandId, CorrelationId, EventContext, EventId, Fingerprint,
    UserId, command::Command,
};

/// Stored bytes that today's code cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No event of this context has the type.
    #[error("unknown event type {0}")]
    UnknownType(String),
    /// The type is known, the schema version is not.
    #[error("unknown schema version {version} of {event_type}")]
    UnknownVersion {
        /// The type.
        event_type: String,
        /// The version that was found.
        version: u32,
    },
    /// The events of an aggregate are not numbered 1, 2, 3 …
    #[error("version {found} follows version {after}")]
    Gap {
        /// The version before.
        after: u64,
        /// The version that was found.
        found: u64,
    },
    /// The data does not have the shape of its type and version.
    #[error("malformed {event_type}: {reason}")]
    Malformed {
        /// The type.
        event_type: String,
        /// What the parser said.
        reason: String,
    },
}

/// The events of one context. Written with [`events!`](crate::events).
pub trait EventData: Sized + Clone + Send + Sync + 'static {
    /// Every type on the wire, with the version of its shape that is written today.
    const TYPES: &'static [(&'static str, u32)];

    /// Every shape that was ever written: type and version.
    #[must_use]
    fn shapes() -> impl Iterator<Item = (&'static str, u32)> {
        let versions = |&(name, today): &(&'static str, u32)| (1..=today).map(move |v| (name, v));
        Self::TYPES.iter().flat_map(versions)
    }

    /// The past-tense name on the wire: `article.created`.
    fn event_type(&self) -> &'static str;
    /// The version of the data's shape that is written today.
    fn schema_version(&self) -> u32;
    /// The data as JSON.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    fn encode(&self) -> Result<Vec<u8>, serde_json::Error>;
    /// Reads stored data of `event_type` in the shape of `schema_version`.
    ///
    /// # Errors
    /// See [`DecodeError`].
    fn decode(event_type: &str, schema_version: u32, data: &[u8]) -> Result<Self, DecodeError>;
}

/// Where an event comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// What it belongs to.
    pub correlation_id: CorrelationId,
    /// The command that it was decided for.
    pub causation_id: CommandId,
    /// That command's fingerprint: a repeat is recognised from the events alone.
    pub fingerprint: Fingerprint,
    /// The user who sent the command.
    pub user_id: UserId,
    /// The W3C trace context of the command.
    pub traceparent: Option<String>,
}

impl Metadata {
    /// The metadata of every event that `command` yields.
    pub fn of<C: Command>(command: &CommandEnvelope<C>, fingerprint: Fingerprint) -> Self {
        Self {
            correlation_id: command.correlation_id.clone(),
            causation_id: command.id,
            fingerprint,
            user_id: command.actor.user_id.clone(),
            traceparent: command.traceparent.clone(),
        }
    }
}

/// An event on its way into a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Derived from the command, so that a repeat has the same.
    pub id: EventId,
    /// The type on the wire.
    pub event_type: String,
    /// The version of the data's shape.
    pub schema_version: u32,
    /// Its number within the aggregate: 1, 2, 3 …
    pub version: u64,
    /// When it was decided, to the nanosecond; never before another event of its aggregate that precedes it.
    pub time: OffsetDateTime,
    /// Where it comes from.
    pub metadata: Metadata,
    /// The data as JSON.
    pub data: Vec<u8>,
}

/// A stored event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// The context that owns it.
    pub context: String,
    /// The aggregate that it belongs to.
    pub aggregate_id: AggregateId,
    /// Its position in the stream: grows, with gaps within an aggregate.
    pub position: u64,
    /// What was appended.
    pub event: NewEvent,
}

impl RecordedEvent {
    /// Reads the data as an event of `E`.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn decode<E: EventData>(&self) -> Result<E, DecodeError> {
        E::decode(&self.event.event_type, self.event.schema_version, &self.event.data)
    }

    /// The data as JSON in today's shape, whatever shape it was stored in.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn data_today<E: EventData>(&self) -> Result<Cow<'_, [u8]>, DecodeError> {
        self.today::<E>().map(|(_, data)| data)
    }

    /// The event, and its data as JSON in today's shape, whatever shape it was stored in.
    ///
    /// # Errors
    /// See [`DecodeError`].
    pub fn today<E: EventData>(&self) -> Result<(E, Cow<'_, [u8]>), DecodeError> {
        let event: E = self.decode()?;
        if event.schema_version() == self.event.schema_version {
            return Ok((event, Cow::Borrowed(&self.event.data)));
        }
        let data = event.encode().map_err(|error| DecodeError::Malformed {
            event_type: self.event.event_type.clone(),
            reason: error.to_string(),
        })?;
        Ok((event, Cow::Owned(data)))
    }

    /// What the event says about itself beside its data.
    #[must_use]
    pub fn context(&self) -> EventContext {
        EventContext {
            aggregate_id: self.aggregate_id,
            version: self.event.version,
            time: self.event.time,
        }
    }
}

/// Makes data of a schema version data of the next one. Runs when an event is read, for every consumer alike;
/// what is stored never changes.
pub type Upcaster = fn(&mut serde_json::Map<String, serde_json::Value>);

/// Writes the enum of a context's events and its [`EventData`]: a line an event.
///
/// An event in schema version n names n - 1 upcasters, from version 1 to 2, from 2 to 3 and so on.
///
/// ```
/// # use serde::{Serialize, Deserialize};
/// #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
/// pub struct NoteWritten { pub text: String, pub language: String }
///
/// eventsourcing::events! {
///     /// Every fact about a note.
///     pub enum NoteEvent {
///         "note.written" v 2 => Written(NoteWritten), upcast [in_english],
///     }
/// }
///
/// fn in_english(data: &mut serde_json::Map<String, serde_json::Value>) {
///     data.insert("language".to_owned(), "en".into());
/// }
/// ```
#[macro_export]
macro_rules! events {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($event_type:literal v $version:literal => $variant:ident($data:ty)
            $(, upcast [$($upcaster:path),+ $(,)?])?),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis enum $name {
            $(#[doc = concat!("`", $event_type, "`")] $variant($data),)+
        }

        $(impl From<$data> for $name {
            fn from(data: $data) -> Self {
                Self::$variant(data)
            }
        })+

        impl $crate::EventData for $name {
            const TYPES: &'static [(&'static str, u32)] = &[$(($event_type, $version)),+];

            fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $event_type,)+
                }
            }

            fn schema_version(&self) -> u32 {
                match self {
                    $(Self::$variant(_) => $version,)+
                }
            }

            fn encode(&self) -> Result<Vec<u8>, $crate::event::JsonError> {
                match self {
                    $(Self::$variant(data) => $crate::event::to_json(data),)+
                }
            }

            fn decode(
                event_type: &str,
                schema_version: u32,
                data: &[u8],
            ) -> Result<Self, $crate::DecodeError> {
                match event_type {
                    $($event_type => {
                        let upcasters: &[$crate::event::Upcaster] = &[$($($upcaster),+)?];
                        debug_assert_eq!(upcasters.len() + 1, $version, "one upcaster from each version to the next");
                        $crate::event::from_json(event_type, schema_version, data, upcasters)
                            .map(Self::$variant)
                    })+
                    _ => Err($crate::DecodeError::UnknownType(event_type.to_owned())),
                }
            }
        }
    };
}

pub use serde_json::Error as JsonError;

/// Writes `data` as JSON. For [`events!`](crate::events).
///
/// # Errors
/// The data cannot be written as JSON.
pub fn to_json(data: &impl Serialize) -> Result<Vec<u8>, JsonError> {
    serde_json::to_vec(data)
}

/// Reads the data of an `event_type` that was stored in `schema_version`. For [`events!`](crate::events).
///
/// # Errors
/// [`DecodeError::Malformed`], and [`DecodeError::UnknownVersion`] for one from the future.
pub fn from_json<T: serde::de::DeserializeOwned>(
    event_type: &str,
    schema_version: u32,
    data: &[u8],
    upcasters: &[Upcaster],
) -> Result<T, DecodeError> {
    let malformed = |error: serde_json::Error| DecodeError::Malformed {
        event_type: event_type.to_owned(),
        reason: error.to_string(),
    };
    let older = usize::try_from(schema_version).ok().and_then(|version| version.checked_sub(1));
    match older.and_then(|older| upcasters.get(older..)) {
        Some([]) => serde_json::from_slice(data).map_err(malformed),
        Some(upcasters) => {
            let mut data = serde_json::from_slice(data).map_err(malformed)?;
            for upcast in upcasters {
                upcast(&mut data);
            }
            serde_json::from_value(data.into()).map_err(malformed)
        }
        None => Err(DecodeError::UnknownVersion {
            event_type: event_type.to_owned(),
            version: schema_version,
        }),
    }
}
