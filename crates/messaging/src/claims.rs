//! Claims in the stream: one subject a value, beside the events that it commits with.
//!
//! The last message of a claim's subject says who holds the value now. The value itself is not in it.

use async_nats::{
    HeaderMap,
    header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_EXPECTED_STREAM},
};
use bytes::Bytes;
use eventsourcing::{AggregateId, AppendError, Claim, ClaimChanges, StoreError, StreamId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Connection, direct_get,
    names::{self, header},
    publish::Outgoing,
};

/// The body of a claim's message.
#[derive(Debug, Serialize, Deserialize)]
struct Holding {
    /// Who holds the value from here on; nobody after it was released.
    held_by: Option<AggregateId>,
}

/// The messages that make `changes` for `owner`, each under the expectation that nothing happens in between.
pub(crate) async fn messages(
    connection: &Connection,
    owner: &StreamId,
    changes: &ClaimChanges,
) -> Result<Vec<Outgoing>, AppendError> {
    let mut messages = Vec::new();
    for claim in &changes.take {
        let digest = changes.digest(claim);
        let (sequence, mut held_by) = holding(connection, claim, digest.today).await?;
        if let (None, Some(before)) = (held_by, digest.before) {
            // By an aggregate of before there was a key.
            held_by = holding(connection, claim, before).await?.1;
        }
        match held_by {
            None => {
                let subject = names::claim(&claim.kind(), digest.today);
                messages.push(message(subject, sequence, Some(owner.aggregate_id))?);
            }
            // By an earlier sending of the same command: reading the aggregate back shows it.
            Some(id) if id == owner.aggregate_id => return Err(AppendError::Conflict),
            Some(_) => return Err(AppendError::Claimed(claim.clone())),
        }
    }
    for claim in &changes.release {
        let digest = changes.digest(claim);
        for digest in [Some(digest.today), digest.before].into_iter().flatten() {
            let (sequence, held_by) = holding(connection, claim, digest).await?;
            // Nothing to release: it became a claim only after this aggregate had the value.
            if held_by == Some(owner.aggregate_id) {
                let subject = names::claim(&claim.kind(), digest);
                messages.push(message(subject, sequence, None)?);
            }
        }
    }
    Ok(messages)
}

/// Who holds the value, and the position that says so.
async fn holding(
    connection: &Connection,
    claim: &Claim,
    digest: Uuid,
) -> Result<(u64, Option<AggregateId>), AppendError> {
    let subject = names::claim(&claim.kind(), digest);
    match direct_get::last(connection, names::EVENTS, &subject).await? {
        None => Ok((0, None)),
        Some(message) => {
            let holding: Holding = serde_json::from_slice(&message.payload)
                .map_err(|error| StoreError::new("reading a claim", error))?;
            Ok((message.sequence, holding.held_by))
        }
    }
}

fn message(
    subject: String,
    expected: u64,
    held_by: Option<AggregateId>,
) -> Result<Outgoing, StoreError> {
    let payload = serde_json::to_vec(&Holding { held_by })
        .map_err(|error| StoreError::new("writing a claim", error))?;
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_STREAM, names::EVENTS);
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
    headers.insert(header::EXPECTED_LAST_SUBJECT_SEQUENCE_SUBJECT, subject.as_str());
    Ok(Outgoing { subject, headers, payload: Bytes::from(payload) })
}
