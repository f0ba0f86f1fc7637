//! Which stream of events this is, and whether it is still the one that somebody remembers.
//!
//! The stream has its identity in its metadata since it was provisioned, and a copy keeps it. A stream that lost its end
//! and goes on from there gives positions out again, under the same identity. Whoever remembers a position, and when
//! the server stored the message there, recognises that, and stores a renewal: a message in the stream itself, which
//! says what its identity is from then on. So a service needs no right to change the stream, two that recognise it at
//! once cannot both succeed, and a copy of the stream keeps its renewals too.

mod mark;
mod provisioned;
mod watch;

use async_nats::{
    HeaderMap,
    header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_EXPECTED_STREAM},
    jetstream::{
        self, ErrorCode,
        context::GetStreamErrorKind,
        message::PublishMessage,
        stream::{Info, RawMessageErrorKind},
    },
};
use eventsourcing::{AppendError, StoreError, StreamIdentity};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    mark::{At, Mark, Relation},
    watch::{Sighting, StreamWatch},
};
pub(crate) use self::{provisioned::metadata, watch::WatchTask};
use crate::{event_store::publish_error, leaving::check_quorum, names};

/// How many renewals are looked at: each is a disaster of its own.
const MAX_RENEWALS: usize = 10_000;

/// The body of a renewal.
#[derive(Debug, Serialize, Deserialize)]
struct Renewal {
    /// The identity of the stream from here on.
    identity: StreamIdentity,
    /// Why there is a new one.
    reason: String,
}

/// The stream of events, as a whole.
#[derive(Debug, Clone)]
pub struct EventStream {
    jetstream: jetstream::Context,
}

/// The stream as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub identity: StreamIdentity,
    /// The position of the last message; 0 when there is none.
    pub last: u64,
    /// The position of the last renewal; 0 when there is none.
    renewed_at: u64,
    /// How many servers keep it.
    replicas: usize,
}

impl EventStream {
    pub(crate) fn new(jetstream: jetstream::Context) -> Self {
        Self { jetstream }
    }

    /// Its identity now; `None` when there is no such stream.
    ///
    /// # Errors
    /// NATS did not answer.
    pub async fn identity(&self) -> Result<Option<StreamIdentity>, StoreError> {
        Ok(self.find().await?.map(|found| found.identity))
    }

    /// Its identity, and the position it ends at, as its leader says; `None` when there is no such stream.
    ///
    /// # Errors
    /// NATS did not answer.
    pub async fn end(&self) -> Result<Option<(StreamIdentity, u64)>, StoreError> {
        Ok(self.find().await?.map(|found| (found.identity, found.last)))
    }

    /// Gives the stream a new identity, because of `reason`: positions that anybody knows of it mean nothing any more.
    ///
    /// For whoever puts the stream back by hand, and for services that recognise it. When somebody else renews it at the
    /// same time, his renewal counts.
    ///
    /// # Errors
    /// NATS did not answer, or there is no stream.
    pub async fn renew(&self, reason: &str) -> Result<StreamIdentity, StoreError> {
        match self.find().await? {
            Some(found) => Ok(self.renew_found(&found, reason).await?.identity),
            None => Err(StoreError::new("renewing the identity of the stream", "there is none")),
        }
    }

    pub(crate) async fn find(&self) -> Result<Option<Found>, StoreError> {
        match self.info().await? {
            Some(info) => {
                check_quorum(info.cluster.as_ref())?;
                Ok(Some(self.found(&info).await?))
            }
            None => Ok(None),
        }
    }

    async fn info(&self) -> Result<Option<Info>, StoreError> {
        match self.jetstream.get_stream(names::EVENTS).await {
            Ok(stream) => Ok(Some(stream.cached_info().clone())),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(cause)
                    if cause.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(StoreError::new("asking which stream it is", error)),
            },
        }
    }

    async fn found(&self, info: &Info) -> Result<Found, StoreError> {
        let origin = provisioned::origin(info);
        let last = self.raw(Wanted::LastOf(names::IDENTITY)).await?;
        let (identity, renewed_at) = match last {
            None => (origin, 0),
            Some(last) => (read(&last.payload)?.identity, last.sequence),
        };
        let replicas = info.config.num_replicas;
        Ok(Found { identity, last: info.state.last_sequence, renewed_at, replicas })
    }

    /// When the server stored the message at `position`, in nanoseconds of Unix time; `None` when it has none there.
    async fn stored_at(&self, position: u64) -> Result<Option<i64>, StoreError> {
        let message = self.raw(Wanted::At(position)).await?;
        Ok(message.map(|message| nanoseconds(message.time)))
    }

    /// Whether `identity` is the one that `found` has, or had before a renewal.
    async fn knows(&self, found: &Found, identity: StreamIdentity) -> Result<bool, StoreError> {
        if found.identity == identity {
            return Ok(true);
        }
        if !identity.is_renewed() {
            return Ok(found.identity.has_origin_of(identity));
        }
        let mut from = 1;
        for _ in 0..MAX_RENEWALS {
            let Some(next) = self.raw(Wanted::NextOf(names::IDENTITY, from)).await? else { break };
            if read(&next.payload)?.identity == identity {
                return Ok(true);
            }
            from = next.sequence + 1;
        }
        Ok(false)
    }

    async fn renew_found(&self, found: &Found, reason: &str) -> Result<Found, StoreError> {
        let act = "renewing the identity of the stream";
        let identity = found.identity.renewed(Uuid::now_v7());
        let body = serde_json::to_vec(&Renewal { identity, reason: reason.to_owned() })
            .map_err(|error| StoreError::new(act, error))?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_EXPECTED_STREAM, names::EVENTS);
        headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, found.renewed_at.to_string());
        let publish = PublishMessage::build().headers(headers).payload(body.into());
        let sent = self.jetstream.send_publish(names::IDENTITY, publish).await;
        let stored = match sent {
            Ok(ack) => ack.await.map_err(publish_error),
            Err(error) => Err(publish_error(error)),
        };
        match stored {
            Ok(_) => {
                metrics::counter!("stream_renewals_total").increment(1);
                tracing::error!(%identity, reason, "the stream of events has a new identity");
            }
            Err(AppendError::Conflict) => {
                tracing::warn!(reason, "another service renews the identity of the stream");
            }
            Err(error) => return Err(StoreError::new(act, error)),
        }
        self.find().await?.ok_or_else(|| StoreError::new(act, "the stream is gone"))
    }

    /// A message of the stream, from its leader.
    async fn raw(
        &self,
        wanted: Wanted,
    ) -> Result<Option<jetstream::message::StreamMessage>, StoreError> {
        let act = "reading the identity of the stream";
        let stream = self.jetstream.get_stream_no_info(names::EVENTS).await;
        let stream = stream.map_err(|error| StoreError::new(act, error))?;
        let message = match wanted {
            Wanted::At(position) => stream.get_raw_message(position).await,
            Wanted::LastOf(subject) => stream.get_last_raw_message_by_subject(subject).await,
            Wanted::NextOf(subject, from) => {
                stream.get_first_raw_message_by_subject(subject, from).await
            }
        };
        match message {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(StoreError::new(act, error)),
        }
    }
}

/// Which message.
enum Wanted {
    At(u64),
    LastOf(&'static str),
    NextOf(&'static str, u64),
}

fn read(body: &[u8]) -> Result<Renewal, StoreError> {
    serde_json::from_slice(body).map_err(|error| StoreError::new("reading a renewal", error))
}

/// A time as whole nanoseconds, which is how exactly the server knows it.
pub(crate) fn nanoseconds(time: time::OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos()).unwrap_or_default()
}
