//! Batched direct get (NATS ADR-31): an aggregate's events in one round trip, without a consumer.

use std::time::Duration;

use async_nats::{
    Message, header,
    jetstream::{
        message::StreamMessage,
        stream::{RawMessageError, RawMessageErrorKind, Stream},
    },
};
use eventsourcing::StoreError;
use futures_util::StreamExt;
use serde_json::json;

use crate::Connection;

/// What one request asks for when an aggregate is loaded.
const PAGE: PageSize = PageSize { messages: 500, bytes: 8 * 1024 * 1024 };
/// How long the next message of a page may take.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(2);
/// The status that ends a page.
const END_OF_BATCH: u16 = 204;
/// The status when nothing matches.
const NOT_FOUND: u16 = 404;

/// The most that a page holds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageSize {
    pub messages: usize,
    /// The server ends a page behind the message that reaches it.
    pub bytes: usize,
}

/// A stored message and its position.
pub(crate) struct Stored {
    pub subject: String,
    pub position: u64,
    pub message: Message,
}

/// The last message of `subject` in `stream`, from the leader: another replica may lag behind what it has told us.
pub(crate) async fn last(
    connection: &Connection,
    stream: &str,
    subject: &str,
) -> Result<Option<StreamMessage>, StoreError> {
    let last = async |stream: Stream<()>| stream.get_last_raw_message_by_subject(subject).await;
    from_leader(connection, stream, "reading the last message of a subject", last).await
}

/// The first message of `subject` in `stream`, from the leader.
pub(crate) async fn first(
    connection: &Connection,
    stream: &str,
    subject: &str,
) -> Result<Option<StreamMessage>, StoreError> {
    let first =
        async |stream: Stream<()>| stream.get_first_raw_message_by_subject(subject, 1).await;
    from_leader(connection, stream, "reading the first message of a subject", first).await
}

/// The message at `position` of `stream`, from the leader.
pub(crate) async fn at(
    connection: &Connection,
    stream: &str,
    position: u64,
) -> Result<Option<StreamMessage>, StoreError> {
    let at = async |stream: Stream<()>| stream.get_raw_message(position).await;
    from_leader(connection, stream, "reading a message of a stream", at).await
}

async fn from_leader(
    connection: &Connection,
    stream: &str,
    act: &'static str,
    get: impl AsyncFnOnce(Stream<()>) -> Result<StreamMessage, RawMessageError>,
) -> Result<Option<StreamMessage>, StoreError> {
    let stream = connection.jetstream.get_stream_no_info(stream).await;
    let stream = stream.map_err(|error| StoreError::new(act, error))?;
    match get(stream).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(StoreError::new(act, error)),
    }
}

/// All messages of `subject` in `stream` from the position `from` up to and including `to`, oldest first.
pub(crate) async fn read(
    connection: &Connection,
    stream: &str,
    subject: &str,
    from: u64,
    to: u64,
) -> Result<Vec<Stored>, StoreError> {
    let mut all: Vec<Stored> = Vec::new();
    let mut next = from;
    while next <= to {
        let page = read_page(connection, stream, subject, next, PAGE).await?;
        let Some(last) = page.last() else {
            // A replica that has not got there yet.
            return Err(StoreError::new("reading stored messages", "the end is missing"));
        };
        next = last.position + 1;
        all.extend(page.into_iter().filter(|stored| stored.position <= to));
    }
    Ok(all)
}

/// A page of messages of `subject` from the position `from` on, oldest first.
pub(crate) async fn read_page(
    connection: &Connection,
    stream: &str,
    subject: &str,
    from: u64,
    size: PageSize,
) -> Result<Vec<Stored>, StoreError> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| {
        StoreError::new("reading stored messages", source)
    };
    let client = &connection.client;
    let inbox = client.new_inbox();
    let mut replies =
        client.subscribe(inbox.clone()).await.map_err(|error| failed(error.into()))?;
    let request = json!({ "seq": from, "next_by_subj": subject, "batch": size.messages, "max_bytes": size.bytes });
    client
        .publish_with_reply(
            format!("$JS.API.DIRECT.GET.{stream}"),
            inbox,
            request.to_string().into_bytes().into(),
        )
        .await
        .map_err(|error| failed(error.into()))?;
    let mut page = Vec::new();
    loop {
        let message = tokio::time::timeout(MESSAGE_TIMEOUT, replies.next())
            .await
            .map_err(|error| failed(error.into()))?
            .ok_or_else(|| failed("the connection was closed".into()))?;
        match message.status.map(|status| status.as_u16()) {
            None => page.push(stored(message).ok_or_else(|| failed("no position".into()))?),
            Some(END_OF_BATCH | NOT_FOUND) => return Ok(page),
            Some(status) => {
                let text = message.description.as_deref().unwrap_or_default();
                return Err(failed(format!("status {status} {text}").into()));
            }
        }
    }
}

fn stored(message: Message) -> Option<Stored> {
    let headers = message.headers.as_ref()?;
    let position = headers.get(header::NATS_SEQUENCE)?.as_str().parse().ok()?;
    let subject = headers.get(header::NATS_SUBJECT)?.to_string();
    Some(Stored { subject, position, message })
}
