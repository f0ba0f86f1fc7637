//! One commit, one transaction.

use eventsourcing::{
    AppendError, Claim, ClaimChanges, Commit, Head, NewEvent, StoreError, StreamId, claim::Digest,
};
use sqlx::{
    Connection as _, PgConnection, PgPool,
    postgres::{PgDatabaseError, PgSeverity},
};
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::rows::number;

/// The events and their places in the outbox, if the head is as expected; says how many. Whoever is as fast as we
/// are inserts the same key, and only one of us commits.
const STORE: &str = "
WITH head AS (
    SELECT version, position FROM events WHERE context = $1 AND aggregate_id = $2
    ORDER BY version DESC LIMIT 1
), stored AS (
    INSERT INTO events (context, aggregate_id, version, id, event_type, schema_version, time,
                        correlation_id, causation_id, fingerprint, user_id, traceparent, data)
    SELECT $1, $2, new.*
    FROM unnest($6::bigint[], $7::uuid[], $8::text[], $9::bigint[], $10::text[], $11::text[],
                $12::uuid[], $13::uuid[], $14::text[], $15::text[], $16::bytea[]) AS new
    WHERE ($3 = 0 AND NOT EXISTS (SELECT FROM head))
       OR EXISTS (SELECT FROM head WHERE version = $3 AND position = $4)
    RETURNING version
), queued AS (
    INSERT INTO outbox (context, aggregate_id, version)
    SELECT $1, $2, version FROM stored ORDER BY version
)
SELECT count(*), CASE WHEN $5 IS NOT NULL THEN pg_notify($5, '')::text END FROM stored";

/// Takes a value that nobody holds.
const TAKE: &str =
    "INSERT INTO claims (kind, digest, owner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const HOLDER: &str = "SELECT owner FROM claims WHERE kind = $1 AND digest = $2";
const RELEASE: &str = "DELETE FROM claims WHERE kind = $1 AND digest = $2 AND owner = $3";

const ACT: &str = "storing events";

/// Stores `commit` behind `expected`, and calls the relay of another process on the channel `call`.
pub(crate) async fn store(
    pool: &PgPool,
    stream: &StreamId,
    expected: Head,
    commit: &Commit,
    call: Option<&str>,
) -> Result<(), AppendError> {
    let mut connection = pool.acquire().await.map_err(not_stored)?;
    if commit.claims.is_empty() {
        // A statement alone is a transaction, and one round trip.
        return insert(&mut connection, stream, expected, &commit.events, call)
            .await
            .map_err(perhaps_stored)
            .and_then(complete);
    }
    let mut transaction = connection.begin().await.map_err(not_stored)?;
    let changed = async {
        let events = insert(&mut transaction, stream, expected, &commit.events, call);
        complete(events.await.map_err(not_stored)?)?;
        change_claims(&mut transaction, stream, &commit.claims).await
    }
    .await;
    match changed {
        Ok(()) => transaction.commit().await.map_err(perhaps_stored),
        Err(error) => {
            // It is rolled back anyway when the connection is used next; others wait less when it is now.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// Whether anything was stored: nothing is when the head is another.
fn complete(stored: i64) -> Result<(), AppendError> {
    if stored == 0 { Err(AppendError::Conflict) } else { Ok(()) }
}

async fn insert(
    connection: &mut PgConnection,
    stream: &StreamId,
    expected: Head,
    events: &[NewEvent],
    call: Option<&str>,
) -> Result<i64, sqlx::Error> {
    fn each<'a, T>(events: &'a [NewEvent], of: impl Fn(&'a NewEvent) -> T) -> Vec<T> {
        events.iter().map(of).collect()
    }
    let times: Result<Vec<String>, _> =
        events.iter().map(|event| event.time.format(&Rfc3339)).collect();
    let times = times.map_err(|error| sqlx::Error::Encode(error.into()))?;
    sqlx::query_scalar(STORE)
        .bind(stream.context.as_ref())
        .bind(stream.aggregate_id.as_uuid())
        .bind(number(expected.version))
        .bind(number(expected.position))
        .bind(call)
        .bind(each(events, |event| number(event.version)))
        .bind(each(events, |event| event.id.as_uuid()))
        .bind(each(events, |event| event.event_type.as_str()))
        .bind(each(events, |event| i64::from(event.schema_version)))
        .bind(times)
        .bind(each(events, |event| event.metadata.correlation_id.as_str()))
        .bind(each(events, |event| event.metadata.causation_id.as_uuid()))
        .bind(each(events, |event| event.metadata.fingerprint.as_uuid()))
        .bind(each(events, |event| event.metadata.user_id.as_str()))
        .bind(each(events, |event| event.metadata.traceparent.as_deref()))
        .bind(each(events, |event| event.data.as_slice()))
        .fetch_one(connection)
        .await
}

async fn change_claims(
    connection: &mut PgConnection,
    stream: &StreamId,
    changes: &ClaimChanges,
) -> Result<(), AppendError> {
    let owner = stream.aggregate_id.as_uuid();
    for (claim, digest) in in_one_order(changes, &changes.release) {
        for digest in [Some(digest.today), digest.before].into_iter().flatten() {
            let query = sqlx::query(RELEASE).bind(claim.kind()).bind(digest).bind(owner);
            // It may not be there: when it became a claim only after this aggregate had the value.
            query.execute(&mut *connection).await.map_err(not_stored)?;
        }
    }
    for (claim, digest) in in_one_order(changes, &changes.take) {
        let query = sqlx::query(TAKE).bind(claim.kind()).bind(digest.today).bind(owner);
        let taken = query.execute(&mut *connection).await.map_err(not_stored)?;
        let mut held_by = None;
        if taken.rows_affected() == 0 {
            held_by = Some(holder(connection, claim, digest.today).await?);
        } else if let Some(before) = digest.before {
            // By an aggregate of before there was a key.
            held_by = holder(connection, claim, before).await?.map(Some);
        }
        if let Some(holder) = held_by {
            return Err(match holder {
                Some(holder) if holder != owner => AppendError::Claimed(claim.clone()),
                // By an earlier sending of the same command, or it is free by now.
                _ => AppendError::Conflict,
            });
        }
    }
    Ok(())
}

async fn holder(
    connection: &mut PgConnection,
    claim: &Claim,
    digest: Uuid,
) -> Result<Option<Uuid>, AppendError> {
    let query = sqlx::query_scalar(HOLDER).bind(claim.kind()).bind(digest);
    query.fetch_optional(&mut *connection).await.map_err(not_stored)
}

/// The claims in the order in which everybody takes them, so that two who want the same do not block each other.
fn in_one_order<'a>(changes: &ClaimChanges, claims: &'a [Claim]) -> Vec<(&'a Claim, Digest)> {
    let with_digest = claims.iter().map(|claim| (claim, changes.digest(claim)));
    let mut claims: Vec<_> = with_digest.collect();
    claims.sort_by_cached_key(|(claim, digest)| (claim.kind(), *digest));
    claims
}

/// What an error means before the commit was sent.
fn not_stored(error: sqlx::Error) -> AppendError {
    if is_race(&error) {
        AppendError::Conflict
    } else {
        AppendError::Failed(StoreError::new(ACT, error))
    }
}

/// What an error means when the commit may have been sent.
fn perhaps_stored(error: sqlx::Error) -> AppendError {
    let refused = match &error {
        // An error, unlike the end of the session, is the database's word that nothing was stored.
        sqlx::Error::Database(error) => error
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|error| error.severity() == PgSeverity::Error),
        sqlx::Error::Encode(_) => true,
        _ => false,
    };
    if refused { not_stored(error) } else { AppendError::Unknown(StoreError::new(ACT, error)) }
}

/// Whether another writer was first: same key, no order among the transactions, a deadlock, or a lock that was waited for too long.
fn is_race(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| {
        error.is_unique_violation()
            || error.code().is_some_and(|code| ["40001", "40P01", "55P03"].contains(&&*code))
    })
}
