//! What is asked of one kind of aggregate.

use std::{convert::identity, future::Future, sync::Arc};

use anyhow::Context as _;
use eventsourcing::{Aggregate, Command, CommandEnvelope, Decide, Executor};
use futures_util::future::BoxFuture;
use messaging::{QueueServer, ServiceError};

use crate::{
    execute::{Executors, Show, handle},
    host::{Host, Running},
    others::Others,
    outcomes::Outcomes,
    past::{Past, PastQuery, Reader, Readers},
    per_stream::PerStream,
};

/// The commands that aggregates of the kind `A` take, and the questions about their past.
pub struct Endpoints<A: Aggregate> {
    registrations: Vec<Registration<A>>,
}

/// Adds one endpoint to those that are served.
type Registration<A> = Box<
    dyn for<'a> FnOnce(&'a Host<'_>, &'a mut Serving<A>) -> BoxFuture<'a, anyhow::Result<()>>
        + Send,
>;

/// What the endpoints of one kind of aggregate share.
struct Serving<A: Aggregate> {
    executors: Executors<A>,
    readers: Readers<A>,
    queue: QueueServer,
}

impl<A: Aggregate> Default for Endpoints<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A: Aggregate> Endpoints<A> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { registrations: Vec::new() }
    }

    /// Takes the command `C`.
    #[must_use]
    pub fn command<C>(self) -> Self
    where
        C: Command,
        A: Decide<C> + Show<C::Output>,
    {
        self.command_as(identity::<C>)
    }

    /// Takes the command `C` and decides it in the `form` that has the settings of the service, too. The form has the JSON of the
    /// command, so a repeat is one under other settings as well.
    #[must_use]
    pub fn command_as<C, D>(self, form: impl Fn(C) -> D + Clone + Send + Sync + 'static) -> Self
    where
        C: Command,
        D: Command<Output = C::Output>,
        A: Decide<D> + Show<C::Output>,
    {
        self.command_with(move |command, _| {
            let formed = form(command);
            async move { Ok(formed) }
        })
    }

    /// Takes the command `C` and decides it in the form that `prepare` makes of it, which has what must be known of other
    /// aggregates. It reads them in `Others`. The form has the JSON of the command, so a repeat is one whatever became of them.
    #[must_use]
    pub fn command_with<C, D, F, Fut>(mut self, prepare: F) -> Self
    where
        C: Command,
        D: Command<Output = C::Output>,
        A: Decide<D> + Show<C::Output>,
        F: Fn(C, Others) -> Fut + Clone + Send + Sync + 'static,
        Fut: Future<Output = Result<D, ServiceError>> + Send + 'static,
    {
        self.registrations.push(Box::new(move |host, serving| {
            Box::pin(async move {
                let outcomes = Outcomes::of::<C>(host.name);
                let executors = serving.executors.clone();
                let service = host.name;
                let others = Others::new(host.connection.clone());
                let handler = move |command: CommandEnvelope<C>| {
                    let (executors, outcomes) = (executors.clone(), outcomes.clone());
                    let (prepare, others) = (prepare.clone(), others.clone());
                    async move {
                        let reply = async {
                            let command = command.try_map(|data| prepare(data, others)).await?;
                            handle(service, &executors, &command).await
                        };
                        outcomes.count(reply.await)
                    }
                };
                if C::QUEUEABLE {
                    serving.queue.command::<C, _, _>(handler.clone());
                }
                let taken = host.requests.command::<C, _, _>(handler).await;
                taken.with_context(|| format!("taking the command {} failed", C::VERB))
            })
        }));
        self
    }

    /// Answers the question `Q` about the past.
    #[must_use]
    pub fn past<Q>(mut self) -> Self
    where
        A: Past,
        Q: PastQuery<A>,
    {
        self.registrations.push(Box::new(|host, serving| {
            Box::pin(crate::past::serve::<A, Q>(host.requests, serving.readers.clone()))
        }));
        self
    }

    /// Begins to answer.
    pub(crate) async fn open(self, host: &Host<'_>) -> anyhow::Result<Running> {
        let (store, snapshots) = (host.store.clone(), host.snapshots.clone());
        let fingerprints = host.fingerprints.clone();
        let executors = Arc::new(PerStream::new(host.connection.clone(), move |stream| {
            Executor::with_snapshots(store.clone(), snapshots.of(stream))
                .with_fingerprints(fingerprints.clone())
        }));
        let store = host.store.clone();
        let readers = PerStream::new(host.connection.clone(), move |_| Reader::new(store.clone()));
        let queue = QueueServer::new(host.connection.clone(), A::CONTEXT, host.stop.clone())
            .with_fingerprints(host.fingerprints.clone());
        let mut serving =
            Serving { executors: executors.clone(), readers: Arc::new(readers), queue };
        for register in self.registrations {
            register(host, &mut serving).await?;
        }
        let retire = move || {
            if let Some(executor) = executors.last() {
                executor.retire();
            }
        };
        Ok(Running { queue: serving.queue, retire: Box::new(retire) })
    }
}
