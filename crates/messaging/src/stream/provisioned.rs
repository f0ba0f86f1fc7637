//! The identity that a stream has from its provisioning.

use std::collections::HashMap;

use async_nats::jetstream::stream::Info;
use eventsourcing::{StoreError, StreamIdentity};
use uuid::Uuid;

use super::EventStream;

/// The key in the metadata of the stream.
const KEY: &str = "newswire-identity";
/// What the server keeps there for itself.
const SERVERS: &str = "_nats.";

/// The metadata that `stream` shall have: what is there, and an identity, which stays for good.
pub(crate) async fn metadata(stream: &EventStream) -> Result<HashMap<String, String>, StoreError> {
    let Some(info) = stream.info().await? else {
        let identity = StreamIdentity::new(Uuid::now_v7());
        return Ok(HashMap::from([(KEY.to_owned(), identity.to_string())]));
    };
    let identity = origin(&info);
    let mut metadata = info.config.metadata;
    metadata.retain(|key, _| !key.starts_with(SERVERS));
    metadata.insert(KEY.to_owned(), identity.to_string());
    Ok(metadata)
}

/// The identity that the stream was provisioned with. One of before there were any has one that follows from when it was
/// created, so that services agree before the next provisioning writes it down.
pub(super) fn origin(info: &Info) -> StreamIdentity {
    let written = info.config.metadata.get(KEY).and_then(|text| text.parse().ok());
    written.unwrap_or_else(|| {
        let created = super::nanoseconds(info.created).to_be_bytes();
        StreamIdentity::new(Uuid::new_v5(&Uuid::NAMESPACE_OID, &created))
    })
}
