//! A service of aggregates, from its start to its orderly end.

use event_store_postgres::Database;
use eventsourcing::{Aggregate, Fingerprints};
use futures_util::future::BoxFuture;
use messaging::{Connection, JetStreamSnapshots, Link, NatsSettings, RequestServer, history};
use service_kit::{Context, health::State};
use tokio_util::sync::CancellationToken;

use crate::{
    endpoints::Endpoints,
    host::{Host, Running},
    store::Store,
};

/// Begins to answer for one kind of aggregate.
type Opening =
    Box<dyn for<'a> FnOnce(&'a Host<'_>) -> BoxFuture<'a, anyhow::Result<Running>> + Send>;

/// Works beside the aggregates, on the connection of the service.
type Beside = Box<dyn for<'a> FnOnce(&'a Connection, &'a Context) -> BoxFuture<'a, ()> + Send>;

/// A service that owns aggregates: it takes their commands and answers questions about their past.
pub struct CommandService {
    name: &'static str,
    contexts: Vec<&'static str>,
    openings: Vec<Opening>,
    beside: Vec<Beside>,
    fingerprints: Fingerprints,
}

impl CommandService {
    /// A service with the NATS user and the queue group `name`.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            contexts: Vec::new(),
            openings: Vec::new(),
            beside: Vec::new(),
            fingerprints: Fingerprints::default(),
        }
    }

    /// Answers for the aggregates `A`, too.
    #[must_use]
    pub fn aggregate<A: Aggregate>(mut self, endpoints: Endpoints<A>) -> Self {
        self.contexts.push(A::CONTEXT);
        self.openings.push(Box::new(|host| Box::pin(endpoints.open(host))));
        self
    }

    /// Recognises repeats of commands by `fingerprints`.
    #[must_use]
    pub fn fingerprints(self, fingerprints: Fingerprints) -> Self {
        Self { fingerprints, ..self }
    }

    /// Does `work` beside, until it is time to stop: a reaction that sends commands.
    #[must_use]
    pub fn beside(
        mut self,
        work: impl for<'a> FnOnce(&'a Connection, &'a Context) -> BoxFuture<'a, ()> + Send + 'static,
    ) -> Self {
        self.beside.push(Box::new(work));
        self
    }

    /// Runs until it is time to stop, with the events in `database`, or in the stream when there is none.
    ///
    /// # Errors
    /// NATS or the database refuses the service for good.
    pub async fn run(
        self,
        nats: &NatsSettings,
        database: Option<Database>,
        context: Context,
    ) -> anyhow::Result<()> {
        let name = self.name;
        let ready = context.health.component(name);
        let stop = context.lifecycle.stop_token();
        let Some(connection) = Connection::open(nats, name, stop).await? else {
            return Ok(());
        };
        follow(name, &connection, &context);
        let store = Store::open(name, &self.contexts, database, &connection, &context).await?;
        let Some(store) = store else { return Ok(()) };
        let snapshots = JetStreamSnapshots::start(connection.clone());
        let requests = RequestServer::start(&connection, name).await?;
        let host = Host {
            name,
            connection: &connection,
            requests: &requests,
            store: &store,
            snapshots: &snapshots,
            fingerprints: &self.fingerprints,
            stop,
        };
        let mut running = Vec::new();
        for opening in self.openings {
            running.push(opening(&host).await?);
        }
        requests.ready().await?;
        ready.ready();
        let beside = self.beside.into_iter().map(|work| work(&connection, &context));
        tokio::join!(serve(running, requests, stop), futures_util::future::join_all(beside));
        // What was taken is answered before the relay, which the answers wait for, ends.
        store.close().await;
        snapshots.close().await;
        connection.close().await;
        Ok(())
    }
}

/// Answers until it is time to stop; returns when nothing is in hand any more.
async fn serve(running: Vec<Running>, requests: RequestServer, stop: &CancellationToken) {
    let (queues, retire): (Vec<_>, Vec<_>) =
        running.into_iter().map(|Running { queue, retire }| (queue.run(), retire)).unzip();
    let answer = async {
        stop.cancelled().await;
        requests.stop().await;
    };
    tokio::join!(futures_util::future::join_all(queues), answer);
    for retire in retire {
        retire();
    }
}

/// Says in the health of the process of the service `name` whether it can work with NATS.
fn follow(name: &str, connection: &Connection, context: &Context) {
    let health = &context.health;
    health.follow(format!("{name}: nats"), connection.link(), Link::problem);
    health.follow(format!("{name}: permissions"), connection.permissions(), Option::clone);
    health.follow(format!("{name}: stream"), connection.reading(), Option::clone);
    health.follow_state(format!("{name}: history"), connection.damage(), |damage| {
        history::warning(damage).map_or(State::Ready, State::Warning)
    });
}
