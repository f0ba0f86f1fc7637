//! A query, the envelope it travels in, and what comes back.

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Actor, CorrelationId, Refusal, StreamIdentity, object};

/// The most items that a page may have.
pub const MAX_PAGE: u32 = 100;
/// How many items a page has at most when nobody says how many.
pub const DEFAULT_PAGE: u32 = 20;

/// A question to a read model. It changes nothing.
pub trait Query: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The context asked about: `article`.
    const CONTEXT: &'static str;
    /// The question: `get`. With the context it names the subject `queries.article.get`.
    const NAME: &'static str;
    /// The answer.
    type Answer: Serialize + DeserializeOwned + Send + 'static;
}

/// A query with what its answer may depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryEnvelope<Q> {
    /// What it belongs to.
    pub correlation_id: CorrelationId,
    /// Who asks; absent for the public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
    /// The stream position that the answer must include.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_position: Option<u64>,
    /// The stream that whoever asks has positions of; of another one there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamIdentity>,
    /// The W3C trace context; travels as a message header, not in the body.
    #[serde(skip)]
    pub traceparent: Option<String>,
    /// The query itself.
    #[serde(deserialize_with = "object::deserialize", bound(deserialize = "Q: Deserialize<'de>"))]
    pub data: Q,
}

impl<Q: Query> QueryEnvelope<Q> {
    /// The public's question `data`.
    pub fn new(data: Q) -> Self {
        Self {
            correlation_id: CorrelationId::generate(),
            actor: None,
            min_position: None,
            stream: None,
            traceparent: None,
            data,
        }
    }
}

/// What a query's sender hears. An error is neither and travels apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum QueryReply<T> {
    /// The answer.
    Answered(Answer<T>),
    /// There is none, and asking again without a change is of no use.
    Refused(Refusal),
}

/// An answer, and the state that it was read from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer<T> {
    /// Every event up to this stream position is in it.
    pub position: u64,
    /// The stream that it is a position of, when whoever answers knows that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<StreamIdentity>,
    /// The answer.
    pub data: T,
}
