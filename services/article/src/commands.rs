//! Every command that the service takes. Adding one: a file below, and a line here.

mod create;
mod delete;
mod update;

use std::sync::Arc;

use anyhow::Context as _;
use contracts::article::{Article as View, CONTEXT, CreateArticle, DeleteArticle, UpdateArticle};
use eventsourcing::{
    Accepted, Command, CommandEnvelope, Decide, DecodeError, ExecuteError, Executor, Refusal,
    RefusalKind, Reply, StreamId,
};
use messaging::{
    Connection, JetStreamSnapshots, QueueServer, RequestServer, ServiceError, Suspicion, Throttle,
    names::EventSubject,
};
use tokio_util::sync::CancellationToken;

use crate::{
    NAME,
    domain::{
        Article,
        bounded::{Bounded, Bounds},
    },
    per_stream::PerStream,
    queries,
    store::Store,
};

const COMMANDS: &str = "article_commands_total";
/// Held back: what each command may be the reason for.
static GAPS: Throttle = Throttle::new();
static REPLACED: Throttle = Throttle::new();
static AWAY: Throttle = Throttle::new();
static CONTENDED: Throttle = Throttle::new();
static BROKEN: Throttle = Throttle::new();

type Executors = Arc<PerStream<Executor<Article, Store, JetStreamSnapshots>>>;

/// Takes commands: those whose sender waits, and those from the queue.
pub(crate) struct Commands {
    executors: Executors,
    bounds: Bounds,
    requests: RequestServer,
    queue: QueueServer,
    stop: CancellationToken,
}

impl Commands {
    /// Answers commands from now on, and queries about the past in `store`.
    pub(crate) async fn serve(
        connection: &Connection,
        executors: Executors,
        bounds: Bounds,
        store: &Store,
        stop: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let requests = RequestServer::start(connection, NAME).await?;
        let queue = QueueServer::new(connection.clone(), CONTEXT, stop.clone());
        metrics::describe_counter!(
            COMMANDS,
            "Commands, from requests and from the queue: accepted, repeated (accepted before), refused, failed"
        );
        metrics::describe_counter!(
            "history_gaps_total",
            "Times that an event of an article was found to be missing, by who found it"
        );
        let mut commands = Self { executors, bounds, requests, queue, stop: stop.clone() };
        commands.register::<CreateArticle>().await?;
        commands.register::<UpdateArticle>().await?;
        commands.register::<DeleteArticle>().await?;
        queries::register(&commands.requests, connection, store).await?;
        commands.requests.ready().await?;
        Ok(commands)
    }

    /// Executes commands from the queue until it is time to stop; returns when nothing is in hand any more.
    pub(crate) async fn run(self) {
        let Self { executors, requests, queue, stop, .. } = self;
        let answer = async {
            stop.cancelled().await;
            requests.stop().await;
        };
        tokio::join!(queue.run(), answer);
        if let Some(executor) = executors.last() {
            executor.retire();
        }
    }

    async fn register<C>(&mut self) -> anyhow::Result<()>
    where
        C: Command<Output = View>,
        Article: Decide<Bounded<C>>,
    {
        // There from the start: a rate needs a first value.
        count(C::VERB, "accepted", 0);
        let bounds = self.bounds;
        let executors = self.executors.clone();
        let handler = move |command: CommandEnvelope<C>| {
            let executors = executors.clone();
            let command = command.map(|command| Bounded::new(command, bounds));
            async move { handle(&executors, &command).await }
        };
        self.queue.command::<C, _, _>(handler.clone());
        self.requests
            .command::<C, _, _>(handler)
            .await
            .with_context(|| format!("taking the command {} failed", C::VERB))
    }
}

/// Executes `command`, and counts how that ended.
async fn handle<C>(
    executors: &Executors,
    command: &CommandEnvelope<C>,
) -> Result<Reply<View>, ServiceError>
where
    C: Command<Output = View>,
    Article: Decide<C>,
{
    let reply = execute(executors, command).await;
    let outcome = match &reply {
        Ok(Reply::Accepted(accepted)) if accepted.repeated => "repeated",
        Ok(Reply::Accepted(_)) => "accepted",
        Ok(Reply::Refused(_)) => "refused",
        Err(_) => "failed",
    };
    count(C::VERB, outcome, 1);
    reply
}

fn count(command: &'static str, outcome: &'static str, by: u64) {
    metrics::counter!(COMMANDS, "command" => command, "outcome" => outcome).increment(by);
}

/// Executes `command`; what went wrong is logged here, once.
async fn execute<C>(
    executors: &Executors,
    command: &CommandEnvelope<C>,
) -> Result<Reply<View>, ServiceError>
where
    C: Command<Output = View>,
    Article: Decide<C>,
{
    let (stream, executor) = executors.current().await?;
    let reply = match executor.execute(command).await {
        Ok(reply) => reply,
        Err(ExecuteError::Corrupt(gap @ DecodeError::Gap { .. })) => {
            metrics::counter!("history_gaps_total", "reader" => NAME).increment(1);
            let id = command.aggregate_id();
            if let Some(held_back) = GAPS.pass() {
                tracing::error!(
                    article.id = %id,
                    %gap,
                    held_back,
                    "events of an article are missing from the stream: restore it from a backup (newswire verify lists what is missing)"
                );
            }
            let subject = EventSubject(StreamId::new(CONTEXT, id)).to_string();
            executors.connection().suspect(NAME, Suspicion::Aggregate(subject));
            Reply::Refused(history_damaged())
        }
        Err(error) => return Err(failed(error)),
    };
    if !executors.is_still(stream).await {
        if let Some(held_back) = REPLACED.pass() {
            tracing::error!(%stream, held_back, "the stream was replaced under a command");
        }
        return Err(ServiceError::OutcomeUnknown);
    }
    match reply {
        Reply::Refused(refusal) => {
            tracing::info!(refusal = %refusal.code, "command refused");
            Ok(Reply::Refused(refusal))
        }
        Reply::Accepted(accepted) => {
            let (id, version) = (accepted.aggregate_id, accepted.version);
            tracing::info!(
                article.id = %id,
                article.version = version,
                event.position = accepted.position,
                repeated = accepted.repeated,
                "command accepted"
            );
            if let Some(held_back) = AWAY.over() {
                tracing::info!(held_back, "commands are executed again");
            }
            let view = accepted.state.view().cloned().ok_or(ServiceError::Internal)?;
            let accepted = Accepted { stream: Some(stream), ..accepted };
            Ok(Reply::Accepted(accepted.map(|_| view)))
        }
    }
}

/// A write over missing events would make them missed for good.
fn history_damaged() -> Refusal {
    let detail = "earlier changes to this article are missing from the store; nothing was changed";
    Refusal::new(RefusalKind::Conflict, "history-damaged", detail)
}

/// What the sender hears of `error`, which is logged.
fn failed(error: ExecuteError) -> ServiceError {
    let answer = service_error(&error);
    let kind = match answer {
        ServiceError::Contended => &CONTENDED,
        ServiceError::Internal => &BROKEN,
        _ => &AWAY,
    };
    if let Some(held_back) = kind.pass() {
        let error = format!("{:#}", anyhow::Error::from(error));
        tracing::error!(error, held_back, "command failed");
    }
    answer
}

fn service_error(error: &ExecuteError) -> ServiceError {
    match error {
        ExecuteError::Expired => ServiceError::DeadlineExceeded,
        ExecuteError::Unavailable(_) => ServiceError::Unavailable,
        ExecuteError::Contended => ServiceError::Contended,
        ExecuteError::OutcomeUnknown(_) => ServiceError::OutcomeUnknown,
        // An event of a newer process: that one can decide, and so can we once we are replaced.
        ExecuteError::Corrupt(DecodeError::UnknownType(_) | DecodeError::UnknownVersion { .. }) => {
            ServiceError::Unavailable
        }
        ExecuteError::Corrupt(_) | ExecuteError::Encode(_) => ServiceError::Internal,
    }
}
