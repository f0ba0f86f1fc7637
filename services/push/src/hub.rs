//! Who wants what. Hands every event to whoever wants it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use contracts::{Published, Topic};
use eventsourcing::{RecordedEvent, StreamIdentity};
use messaging::feed::StreamMessage;
use tokio::sync::watch;

use crate::{
    frame, metrics,
    queue::{Queued, Sender},
};

/// A connected client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClientId(u64);

impl ClientId {
    /// Its number: clients of a process are numbered as they come.
    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// The clients of this process and their topics.
#[derive(Debug)]
pub(crate) struct Hub {
    state: Mutex<State>,
    progress: watch::Sender<u64>,
    stream: watch::Sender<StreamIdentity>,
}

#[derive(Debug)]
struct State {
    stream: StreamIdentity,
    /// Every event up to here was handed out.
    position: u64,
    next_client: u64,
    clients: HashMap<ClientId, Sender>,
    topics: HashMap<Topic, HashSet<ClientId>>,
}

impl Hub {
    /// A hub that has handed out everything up to `position` of `stream`.
    pub(crate) fn new(stream: StreamIdentity, position: u64) -> Self {
        let (clients, topics) = (HashMap::new(), HashMap::new());
        let state = Mutex::new(State { stream, position, next_client: 0, clients, topics });
        let (progress, stream) = (watch::Sender::new(position), watch::Sender::new(stream));
        Self { state, progress, stream }
    }

    /// From now on it hands out what comes after `position` of `stream`. Who is connected has heard of another one, and
    /// has to come back.
    pub(crate) fn replace(&self, stream: StreamIdentity, position: u64) {
        let mut state = self.lock();
        (state.stream, state.position) = (stream, position);
        self.progress.send_replace(position);
        self.stream.send_replace(stream);
    }

    /// The stream that it hands out.
    pub(crate) fn stream(&self) -> StreamIdentity {
        *self.stream.borrow()
    }

    /// Returns when it hands out another stream than `stream`.
    pub(crate) fn replaced(&self, stream: StreamIdentity) -> impl Future<Output = ()> + use<> {
        let mut current = self.stream.subscribe();
        async move {
            // Without a hub there is nobody who could be told.
            if current.wait_for(|current| *current != stream).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// A client appears; what it wants goes to `queue`.
    pub(crate) fn connect(&self, queue: Sender) -> ClientId {
        let mut state = self.lock();
        state.next_client += 1;
        let client = ClientId(state.next_client);
        state.clients.insert(client, queue);
        metrics::clients(state.clients.len());
        client
    }

    /// A client is gone.
    pub(crate) fn disconnect(&self, client: ClientId, topics: impl IntoIterator<Item = Topic>) {
        let mut state = self.lock();
        for topic in topics {
            state.unsubscribe(client, &topic);
        }
        state.clients.remove(&client);
        metrics::clients(state.clients.len());
    }

    /// The client wants `topics`: of every event after the returned position it will hear through its queue.
    pub(crate) fn subscribe(&self, client: ClientId, topics: &[Topic]) -> u64 {
        let mut state = self.lock();
        for topic in topics {
            state.topics.entry(topic.clone()).or_default().insert(client);
        }
        state.position
    }

    /// The client does not want `topics` any more: no event after the returned position is queued because of them.
    pub(crate) fn unsubscribe(&self, client: ClientId, topics: &[Topic]) -> u64 {
        let mut state = self.lock();
        for topic in topics {
            state.unsubscribe(client, topic);
        }
        state.position
    }

    /// Returns when everything up to `position` was handed out.
    pub(crate) async fn reaches(&self, position: u64) {
        // The sender is in `self`, so it cannot be gone.
        let _ = self.progress.subscribe().wait_for(|reached| *reached >= position).await;
    }

    /// Hands out messages of the stream, in order. What is no event of ours is nobody's topic.
    pub(crate) fn publish(&self, messages: &[StreamMessage]) {
        for message in messages {
            let event = message.event().ok();
            let mut state = self.lock();
            let clients = event.map_or(0, |event| state.publish(&event));
            state.position = message.position;
            metrics::frames(clients);
        }
        if let Some(last) = messages.last() {
            self.progress.send_replace(last.position);
        }
    }

    // Nothing panics while the lock is held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Queues `event` once for every client that wants one of its topics; tells how many.
    fn publish(&self, event: &RecordedEvent) -> u64 {
        let mut reached = HashSet::new();
        let Some(Published { audience, data }) = contracts::published(event) else { return 0 };
        for topic in audience.topics() {
            let Some(clients) = self.topics.get(&topic) else { continue };
            let Some(frame) = frame::event(event, &data, self.stream, &topic) else { continue };
            for client in clients {
                if reached.insert(*client)
                    && let Some(queue) = self.clients.get(client)
                {
                    queue.push(Queued { position: event.position, frame: frame.clone() });
                }
            }
        }
        tracing::info!(
            event.id = %event.event.id,
            event.type = event.event.event_type,
            event.position = event.position,
            correlation.id = %event.event.metadata.correlation_id,
            traceparent = event.event.metadata.traceparent,
            clients = reached.len(),
            "event pushed"
        );
        reached.len() as u64
    }

    fn unsubscribe(&mut self, client: ClientId, topic: &Topic) {
        if let Some(clients) = self.topics.get_mut(topic) {
            clients.remove(&client);
            if clients.is_empty() {
                self.topics.remove(topic);
            }
        }
    }
}
