//! What is remembered of the stream, and must be forgotten when it is another one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use eventsourcing::StreamIdentity;
use messaging::{Connection, ServiceError, Sighting};

/// How long one waits for knowing which stream it is, after a connection was lost.
const PATIENCE: Duration = Duration::from_secs(2);

/// A `T` for the stream that is there. With another stream begins another `T`, and with another connection as well: behind it
/// the stream may have lost its end and look the same for a moment.
pub(crate) struct PerStream<T> {
    connection: Connection,
    make: Box<dyn Fn(StreamIdentity) -> T + Send + Sync>,
    current: Mutex<Option<(Sighting, Arc<T>)>>,
}

impl<T> PerStream<T> {
    /// `make` makes it.
    pub(crate) fn new(
        connection: Connection,
        make: impl Fn(StreamIdentity) -> T + Send + Sync + 'static,
    ) -> Self {
        Self { connection, make: Box::new(make), current: Mutex::default() }
    }

    /// The stream that is there, and what is remembered of it.
    ///
    /// # Errors
    /// Nobody knows in time which one it is, or there is none.
    pub(crate) async fn current(&self) -> Result<(StreamIdentity, Arc<T>), ServiceError> {
        let sighting = self.sighting().await.ok_or(ServiceError::Unavailable)?;
        let stream = sighting.identity;
        let mut current = self.lock();
        match current.as_ref() {
            Some((of, kept)) if *of == sighting => Ok((stream, kept.clone())),
            _ => {
                let made = Arc::new((self.make)(stream));
                *current = Some((sighting, made.clone()));
                Ok((stream, made))
            }
        }
    }

    /// What it is asked on.
    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the stream is still `stream`.
    pub(crate) async fn is_still(&self, stream: StreamIdentity) -> bool {
        self.sighting().await.is_some_and(|sighting| sighting.identity == stream)
    }

    /// What is remembered, without looking.
    pub(crate) fn last(&self) -> Option<Arc<T>> {
        self.lock().as_ref().map(|(_, kept)| kept.clone())
    }

    async fn sighting(&self) -> Option<Sighting> {
        let watch = self.connection.stream();
        if watch.is_missing() { None } else { watch.sighted_within(PATIENCE).await }
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, Option<(Sighting, Arc<T>)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
