//! What `/readyz` says: whether each thing that the process needs is there.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use serde::Serialize;
use tokio::sync::watch;

/// The health of a process. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Health {
    components: Arc<RwLock<BTreeMap<String, State>>>,
}

/// The state of one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It can serve.
    Ready,
    /// It cannot; says why.
    NotReady(String),
}

impl Health {
    /// Says that the process has the component `name`, which is not ready yet.
    #[must_use]
    pub fn component(&self, name: impl Into<String>) -> Component {
        let component = Component { health: self.clone(), name: name.into() };
        component.not_ready("starting");
        component
    }

    /// Lets the component `name` be ready as long as `problem` finds none in the value of `watched`.
    pub fn follow<T: Send + Sync + 'static>(
        &self,
        name: impl Into<String>,
        mut watched: watch::Receiver<T>,
        problem: fn(&T) -> Option<String>,
    ) {
        let component = self.component(name);
        tokio::spawn(async move {
            loop {
                let problem = problem(&watched.borrow_and_update());
                match problem {
                    None => component.ready(),
                    Some(problem) => component.not_ready(problem),
                }
                if watched.changed().await.is_err() {
                    return component.not_ready("closed");
                }
            }
        });
    }

    /// Whether every component is ready. A process that has none yet is starting.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let components = self.snapshot();
        !components.is_empty() && components.values().all(|state| *state == State::Ready)
    }

    /// The state of every component.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<String, State> {
        self.components.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, name: &str, state: State) {
        let mut components = self.components.write().unwrap_or_else(PoisonError::into_inner);
        if components.get(name) != Some(&state) {
            tracing::debug!(component = name, ?state, "health changed");
            components.insert(name.to_owned(), state);
        }
    }
}

/// One component's say in the health of its process.
#[derive(Debug, Clone)]
pub struct Component {
    health: Health,
    name: String,
}

impl Component {
    /// It can serve.
    pub fn ready(&self) {
        self.health.set(&self.name, State::Ready);
    }

    /// It cannot, because of `reason`.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.health.set(&self.name, State::NotReady(reason.into()));
    }
}
