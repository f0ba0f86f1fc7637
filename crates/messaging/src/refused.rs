//! A request of an administrator that cannot be read is answered as the NATS service API has it: with the code 400, and why.

use async_nats::{
    HeaderMap, Message, Subject,
    service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE},
};
use bytes::Bytes;

use crate::Connection;

/// Tells `reply` that its request is none, and why.
pub(crate) async fn answer(
    connection: &Connection,
    reply: Subject,
    error: &serde_json::Error,
) -> Result<(), async_nats::PublishError> {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_SERVICE_ERROR, "malformed-request");
    headers.insert(NATS_SERVICE_ERROR_CODE, "400");
    // It may quote the request, so it is no header.
    let why = Bytes::from(error.to_string());
    connection.client.publish_with_headers(reply, headers, why).await
}

/// Why the request was refused that `answer` is about, if it was.
pub(crate) fn reason(answer: &Message) -> Option<String> {
    answer.headers.as_ref()?.get(NATS_SERVICE_ERROR)?;
    Some(String::from_utf8_lossy(&answer.payload).into_owned())
}
