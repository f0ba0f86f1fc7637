//! Other aggregates, of which a decision must know something.

use eventsourcing::{EventStore as _, RecordedEvent, StreamId};
use messaging::{Connection, JetStreamEventStore, ServiceError, Throttle};

/// Held back: each command may be the reason for it.
static AWAY: Throttle = Throttle::new();

/// Reads other aggregates in the stream of events. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Others {
    store: JetStreamEventStore,
}

impl Others {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { store: JetStreamEventStore::new(connection) }
    }

    /// The last event of the aggregate `stream` that is in the stream of events now; `None` when it has none.
    ///
    /// # Errors
    /// [`ServiceError::Unavailable`]: the stream cannot be read.
    pub async fn last(&self, stream: &StreamId) -> Result<Option<RecordedEvent>, ServiceError> {
        match self.store.last(stream).await {
            Ok(last) => {
                if let Some(held_back) = AWAY.over() {
                    tracing::info!(held_back, "other aggregates are read again");
                }
                Ok(last)
            }
            Err(error) => {
                if let Some(held_back) = AWAY.pass() {
                    tracing::warn!(%error, held_back, "reading another aggregate failed");
                }
                Err(ServiceError::Unavailable)
            }
        }
    }
}
