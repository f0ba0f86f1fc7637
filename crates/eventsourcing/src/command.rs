//! A command, the envelope it travels in, and what comes back.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use time::OffsetDateTime;

use crate::{
    Actor, AggregateId, CommandId, CorrelationId, EventId, Fingerprint, Refusal, StreamIdentity,
    object,
};

/// An intention, addressed to one aggregate of one context.
pub trait Command: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The context that decides it: `article`.
    const CONTEXT: &'static str;
    /// The imperative: `create`. With the context it names the subject `commands.article.create`.
    const VERB: &'static str;
    /// Whether it creates its aggregate, so that there is nothing to load unless it is a repeat.
    const CREATES: bool = false;
    /// Whether it may wait in the queue, which keeps it on disk until it is executed. One with a secret may not.
    const QUEUEABLE: bool = true;
    /// What the sender is told of the aggregate afterwards.
    type Output: Serialize + DeserializeOwned + Send + 'static;

    /// The aggregate it is for. A command that creates one derives it from its own id.
    fn aggregate_id(&self, id: CommandId) -> AggregateId;
}

/// A command with everything that its decision may depend on: nothing is read from a clock later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandEnvelope<C> {
    /// The intention's identity; a repeat carries the same.
    pub id: CommandId,
    /// On whose behalf.
    pub actor: Actor,
    /// What it belongs to.
    pub correlation_id: CorrelationId,
    /// The version that the sender saw; any other is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<u64>,
    /// Versions that are as good as the expected one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternative_versions: Vec<u64>,
    /// Versions that are refused.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded_versions: Vec<u64>,
    /// When it was sent; becomes the time of its events, unless the aggregate has an event that is later.
    #[serde(with = "time::serde::rfc3339")]
    pub issued_at: OffsetDateTime,
    /// After this instant it is not executed any more.
    #[serde(
        default,
        with = "time::serde::rfc3339::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub deadline: Option<OffsetDateTime>,
    /// The W3C trace context; travels as a message header, not in the body.
    #[serde(skip)]
    pub traceparent: Option<String>,
    /// The command itself.
    #[serde(deserialize_with = "object::deserialize", bound(deserialize = "C: Deserialize<'de>"))]
    pub data: C,
}

impl<C> CommandEnvelope<C> {
    /// The refusal of the command when its aggregate is at `current` and the sender wants another version.
    pub(crate) fn refusal_at(&self, current: u64) -> Option<Refusal> {
        let is_expected = self.expected_version.is_none_or(|expected| {
            expected == current || self.alternative_versions.contains(&current)
        });
        let fits = is_expected && !self.excluded_versions.contains(&current);
        (!fits).then(|| Refusal::version_mismatch(current))
    }

    /// The same envelope around another form of the command.
    pub fn map<D>(self, form: impl FnOnce(C) -> D) -> CommandEnvelope<D> {
        let (bare, data) = self.split();
        bare.with(form(data))
    }

    fn split(self) -> (CommandEnvelope<()>, C) {
        let bare = CommandEnvelope {
            id: self.id,
            actor: self.actor,
            correlation_id: self.correlation_id,
            expected_version: self.expected_version,
            alternative_versions: self.alternative_versions,
            excluded_versions: self.excluded_versions,
            issued_at: self.issued_at,
            deadline: self.deadline,
            traceparent: self.traceparent,
            data: (),
        };
        (bare, self.data)
    }
}

impl CommandEnvelope<()> {
    fn with<D>(self, data: D) -> CommandEnvelope<D> {
        CommandEnvelope {
            id: self.id,
            actor: self.actor,
            correlation_id: self.correlation_id,
            expected_version: self.expected_version,
            alternative_versions: self.alternative_versions,
            excluded_versions: self.excluded_versions,
            issued_at: self.issued_at,
            deadline: self.deadline,
            traceparent: self.traceparent,
            data,
        }
    }
}

impl<C> CommandEnvelope<C> {
    /// The same envelope around the form of the command that `form` finds, if it finds one.
    ///
    /// # Errors
    /// Those of `form`.
    pub async fn try_map<D, E, Fut>(
        self,
        form: impl FnOnce(C) -> Fut,
    ) -> Result<CommandEnvelope<D>, E>
    where
        Fut: Future<Output = Result<D, E>>,
    {
        let (bare, data) = self.split();
        let data = form(data).await?;
        Ok(bare.with(data))
    }
}

impl<C: Command> CommandEnvelope<C> {
    /// A fresh command of `actor`, sent now.
    pub fn new(actor: Actor, data: C) -> Self {
        Self {
            id: CommandId::generate(),
            actor,
            correlation_id: CorrelationId::generate(),
            expected_version: None,
            alternative_versions: Vec::new(),
            excluded_versions: Vec::new(),
            issued_at: OffsetDateTime::now_utc(),
            deadline: None,
            traceparent: None,
            data,
        }
    }

    /// The aggregate it is for.
    pub fn aggregate_id(&self) -> AggregateId {
        self.data.aggregate_id(self.id)
    }

    /// Tells a repeat of this command from another command under the same id.
    ///
    /// # Errors
    /// The data cannot be written as JSON.
    pub fn fingerprint(&self) -> Result<Fingerprint, serde_json::Error> {
        let name = format!("{}.{}", C::CONTEXT, C::VERB);
        Ok(Fingerprint::of(&name, &serde_json::to_vec(&self.data)?))
    }
}

/// What a command's sender hears. An error is neither and travels apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply<T> {
    /// Its events are stored.
    Accepted(Accepted<T>),
    /// The domain said no; nothing is stored.
    Refused(Refusal),
}

/// The outcome of an accepted command, the same for every repeat of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted<T> {
    /// The aggregate.
    pub aggregate_id: AggregateId,
    /// Its version after the command.
    pub version: u64,
    /// The stream position of the last event of the command.
    pub position: u64,
    /// The stream that it is a position of, when whoever accepted the command knows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamIdentity>,
    /// The events of the command.
    pub events: Vec<EventRef>,
    /// Whether an earlier sending of the command stored them.
    pub repeated: bool,
    /// The aggregate after the command.
    pub state: T,
}

/// Names a stored event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRef {
    /// The event's id.
    pub id: EventId,
    /// The event's type: `article.created`.
    #[serde(rename = "type")]
    pub event_type: String,
}

impl<T> Accepted<T> {
    /// The same outcome with another view of the state.
    pub fn map<U>(self, view: impl FnOnce(T) -> U) -> Accepted<U> {
        Accepted {
            aggregate_id: self.aggregate_id,
            version: self.version,
            position: self.position,
            stream: self.stream,
            events: self.events,
            repeated: self.repeated,
            state: view(self.state),
        }
    }
}

impl<T> Reply<T> {
    /// The same reply with another view of the state.
    pub fn map<U>(self, view: impl FnOnce(T) -> U) -> Reply<U> {
        match self {
            Self::Accepted(accepted) => Reply::Accepted(accepted.map(view)),
            Self::Refused(refusal) => Reply::Refused(refusal),
        }
    }

    /// The same reply with another view of the state, if there is one.
    ///
    /// # Errors
    /// What `view` says.
    pub fn try_map<U, E>(self, view: impl FnOnce(T) -> Result<U, E>) -> Result<Reply<U>, E> {
        match self.map(view) {
            Reply::Accepted(accepted) => {
                let Accepted { aggregate_id, version, position, stream, events, repeated, state } =
                    accepted;
                let state = state?;
                Ok(Reply::Accepted(Accepted {
                    aggregate_id,
                    version,
                    position,
                    stream,
                    events,
                    repeated,
                    state,
                }))
            }
            Reply::Refused(refusal) => Ok(Reply::Refused(refusal)),
        }
    }
}
