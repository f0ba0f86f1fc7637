//! Whether the tables are of the stream that is there.

use eventsourcing::StoreError;

use super::{BatchError, ConsumerError, Projector, Runner};
use crate::{EventStream, Mark, Relation};

/// An event that tables have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landmark {
    /// Its position.
    pub position: u64,
    /// Its subject.
    pub subject: String,
}

impl<P: Projector> Runner<'_, P> {
    /// Where the tables are in the stream that is there, or why they are none of its.
    pub(super) async fn recognise(
        &self,
    ) -> Result<Result<Mark, ConsumerError>, BatchError<P::Error>> {
        let watch = self.connection.stream();
        let position = self.projector.position().await.map_err(BatchError::Database)?;
        let noted = self.projector.mark().await.map_err(BatchError::Database)?;
        let landmark = self.projector.landmark().await.map_err(BatchError::Database)?;
        let (relation, mark) = relate(watch.stream(), position, noted, landmark).await?;
        let mark = match relation {
            Relation::Same(_) if noted.is_some() => mark,
            Relation::Same(stream) | Relation::Renewed(stream) => {
                let mark = Mark { stream, ..mark };
                if !self.projector.adopt(&mark).await.map_err(BatchError::Database)? {
                    return Err(BatchError::Overtaken);
                }
                tracing::info!(consumer = P::NAME, position, %stream, "the tables are of this stream");
                mark
            }
            Relation::Another { stream, reason } => {
                watch.nudge();
                let name = P::NAME;
                return Ok(Err(ConsumerError::AnotherStream { name, position, stream, reason }));
            }
        };
        Ok(Ok(mark))
    }
}

/// How the stream relates to the tables of a projector at `position`, with the mark that they have, or one that suits them. Those of before
/// there were marks are believed to be of the stream that is there, if it has something at their position and at their
/// landmark.
///
/// # Errors
/// NATS did not answer, or there is no stream.
pub async fn relate(
    stream: &EventStream,
    position: u64,
    noted: Option<Mark>,
    landmark: Option<Landmark>,
) -> Result<(Relation, Mark), StoreError> {
    if let Some(mark) = noted {
        return Ok((stream.relate(&mark).await?, mark));
    }
    let (mark, found) = stream.adopt(position).await?;
    let missing = match landmark {
        _ if !found => Some(position),
        Some(landmark)
            if stream.subject_at(landmark.position).await?.as_ref() != Some(&landmark.subject) =>
        {
            Some(landmark.position)
        }
        _ => None,
    };
    let stream = mark.stream;
    let relation = match missing {
        None => Relation::Same(stream),
        Some(missing) => {
            let reason = format!("it has not what the tables know at position {missing}");
            Relation::Another { stream, reason }
        }
    };
    Ok((relation, mark))
}
