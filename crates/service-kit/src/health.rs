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
    /// It can serve, and somebody should look at it before it cannot; says why.
    Warning(String),
    /// It cannot; says why.
    NotReady(String),
}

impl State {
    /// Ready, unless there is a `problem`.
    #[must_use]
    pub fn unless(problem: Option<String>) -> Self {
        problem.map_or(Self::Ready, Self::NotReady)
    }

    /// Whether it can serve.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !matches!(self, Self::NotReady(_))
    }
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
        watched: watch::Receiver<T>,
        problem: fn(&T) -> Option<String>,
    ) {
        self.follow_state(name, watched, move |value| State::unless(problem(value)));
    }

    /// Lets the component `name` have the state that `state` makes of the value of `watched`.
    pub fn follow_state<T: Send + Sync + 'static>(
        &self,
        name: impl Into<String>,
        mut watched: watch::Receiver<T>,
        state: impl Fn(&T) -> State + Send + 'static,
    ) {
        let component = self.component(name);
        tokio::spawn(async move {
            loop {
                let state = state(&watched.borrow_and_update());
                component.set(state);
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
        !components.is_empty() && components.values().all(State::is_ready)
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
    /// It is in `state`.
    pub fn set(&self, state: State) {
        self.health.set(&self.name, state);
    }

    /// It can serve.
    pub fn ready(&self) {
        self.set(State::Ready);
    }

    /// It can serve, but `detail` should be looked at before it cannot.
    pub fn warning(&self, detail: impl Into<String>) {
        self.set(State::Warning(detail.into()));
    }

    /// It cannot, because of `reason`.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(State::NotReady(reason.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_shown_and_is_ready() {
        let health = Health::default();
        let component = health.component("store");
        assert!(!health.is_ready(), "it starts");
        component.warning("12 MiB are left");
        assert!(health.is_ready());
        let shown = serde_json::to_value(health.snapshot()).expect("JSON");
        assert_eq!(shown, serde_json::json!({ "store": { "warning": "12 MiB are left" } }));
        component.not_ready("nothing is left");
        assert!(!health.is_ready());
    }
}
