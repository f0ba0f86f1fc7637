//! Whether the stream of events can be read.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::names;

/// How long the stream may be unreadable before anybody is told: a server that restarts is away for a moment.
const UNREADABLE: Duration = Duration::from_secs(1);
/// What is said of a stream that was deleted. An empty one in its place would hide that events are lost.
const MISSING: &str = "the stream EVENTS is gone: restore it from a backup (README.md, \"When the stream is damaged\")";

/// Whether the stream of events is there, and can be opened. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    failing_since: Arc<Mutex<Option<Instant>>>,
    /// Whether there is no such stream.
    missing: watch::Sender<bool>,
    /// Why it cannot be opened.
    unopened: watch::Sender<Option<String>>,
    problem: watch::Sender<Option<String>>,
}

impl Reading {
    /// Notes whether the stream is there.
    pub(crate) fn note_missing(&self, missing: bool) {
        if missing && !self.missing.send_replace(missing) {
            tracing::error!("{MISSING}");
        }
        self.missing.send_replace(missing);
        self.tell();
    }

    /// Why it cannot be read, and the changes of that.
    pub(super) fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Notes that the stream was opened, or why not.
    pub(super) fn note<E: ToString>(&self, opened: Result<(), &E>) {
        let mut since = self.failing_since.lock().unwrap_or_else(PoisonError::into_inner);
        let unopened = match opened {
            Ok(()) => {
                *since = None;
                None
            }
            Err(error) => {
                if since.get_or_insert_with(Instant::now).elapsed() < UNREADABLE {
                    return;
                }
                Some(format!("the stream {} cannot be read: {}", names::EVENTS, error.to_string()))
            }
        };
        self.note_opened(unopened);
    }

    fn note_opened(&self, unopened: Option<String>) {
        self.unopened.send_replace(unopened);
        self.tell();
    }

    fn tell(&self) {
        let missing = self.missing.borrow().then(|| MISSING.to_owned());
        let problem = missing.or_else(|| self.unopened.borrow().clone());
        self.problem.send_if_modified(|known| {
            let changed = *known != problem;
            *known = problem;
            changed
        });
    }
}
