//! Whether what is live is of the stream that is there. Every replica looks by itself, before it answers.

use std::time::Duration;

use eventsourcing::{StoreError, StreamIdentity};
use messaging::{Connection, Relation, ServiceError, Sighting, Throttle, consumer::relate};
use tokio_util::sync::CancellationToken;

use crate::{
    catalog::Database,
    live::{Current, Live},
    model::{DatabaseError, ReadModel},
    tables::Tables,
    verdict::Verdict,
};

const FOREIGN: &str = "projection_foreign_streams_total";
/// The pause before another attempt.
const PAUSE: Duration = Duration::from_millis(200);
/// The pause while nothing changes.
const LONG: Duration = Duration::from_mins(10);

/// A generation could not be compared with the stream.
#[derive(Debug, thiserror::Error)]
enum CompareError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Stream(#[from] StoreError),
}

/// Compares until `stop`: whenever the stream, the connection or the generation is another one.
pub(crate) async fn run<D: Database>(
    connection: &Connection,
    live: &Live<D>,
    stop: &CancellationToken,
) {
    let watch = connection.stream();
    let warnings = Throttle::new();
    loop {
        let seen = tokio::select! {
            () = stop.cancelled() => return,
            seen = watch.sighted() => seen,
        };
        let current = live.current();
        let news = async {
            tokio::select! {
                _ = watch.sighted_again(seen) => {}
                () = live.other_than(current.number) => {}
            }
        };
        let compared = compare(connection, &current, seen).await;
        if compared.is_ok()
            && let Some(held_back) = warnings.over()
        {
            tracing::info!(held_back, "the read model is compared with the stream again");
        }
        let pause = match compared {
            Ok(Some(verdict)) => {
                tell(live, verdict);
                LONG
            }
            // It was renewed by this very look.
            Ok(None) => {
                watch.nudge();
                PAUSE
            }
            Err(error) => {
                if let Some(held_back) = warnings.pass() {
                    tracing::warn!(%error, held_back, "comparing the read model with the stream failed");
                }
                PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = news => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// The verdict; `None` when the stream is another one than was `seen`.
async fn compare<T: Tables>(
    connection: &Connection,
    current: &Current<T>,
    seen: Sighting,
) -> Result<Option<Verdict>, CompareError> {
    let (number, tables) = (current.number, &current.tables);
    let noted = tables.mark().await?;
    let (position, landmark) = (tables.position().await?, tables.landmark().await?);
    let (relation, _) = relate(connection.stream().stream(), position, noted, landmark).await?;
    let (stream, verdict) = match relation {
        Relation::Same(stream) | Relation::Renewed(stream) => {
            (stream, Verdict::Ours { number, seen })
        }
        Relation::Another { stream, reason } => (stream, Verdict::Foreign { number, seen, reason }),
    };
    Ok((stream == seen.identity).then_some(verdict))
}

/// Says what is measured here.
pub(crate) fn describe() {
    metrics::describe_counter!(
        FOREIGN,
        "Times that the read model was found to be made from another stream of events"
    );
}

fn tell<D: Database>(live: &Live<D>, verdict: Verdict) {
    live.verdict().send_if_modified(|before| {
        let is_news = *before != verdict;
        let name = <D::Model>::NAME;
        let problem = verdict.problem(name);
        if let Some(problem) =
            problem.filter(|problem| Some(problem) != before.problem(name).as_ref())
        {
            metrics::counter!(FOREIGN).increment(1);
            tracing::error!(problem, "the read model answers no queries");
        }
        *before = verdict;
        is_news
    });
}

/// The stream that what is live is of; an error when it is of another one, or nobody knows in time. `None` while there is
/// no stream: then nothing contradicts the tables.
pub(crate) async fn of_live<D: Database>(
    connection: &Connection,
    live: &Live<D>,
    patience: Duration,
) -> Result<Option<StreamIdentity>, ServiceError> {
    let watch = connection.stream();
    if watch.is_missing() {
        return Ok(None);
    }
    let known = async {
        let seen = watch.sighted().await;
        let mut verdict = live.verdict().subscribe();
        let found = verdict.wait_for(|verdict| verdict.is_about(live.current().number, seen));
        // It ends with `live`, which is borrowed.
        found.await.map(|found| (seen.identity, matches!(*found, Verdict::Ours { .. })))
    };
    match tokio::time::timeout(patience, known).await {
        Ok(Ok((stream, true))) => Ok(Some(stream)),
        Ok(Ok((_, false))) => Err(ServiceError::AnotherStream),
        _ if watch.is_missing() => Ok(None),
        _ => Err(ServiceError::Unavailable),
    }
}
