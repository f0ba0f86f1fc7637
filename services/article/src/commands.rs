//! Every command that the service takes. Adding one: a file below, and a line here.

mod create;
mod delete;
mod update;

use std::sync::Arc;

use anyhow::Context as _;
use contracts::article::{Article as View, CreateArticle, DeleteArticle, UpdateArticle};
use eventsourcing::{Command, CommandEnvelope, Decide, ExecuteError, Executor, Reply};
use messaging::{Connection, RequestServer, ServiceError};

use crate::{NAME, domain::Article, store::Store};

type ArticleExecutor = Arc<Executor<Article, Store>>;

/// Answers every command until the server is stopped.
pub(crate) async fn serve(connection: &Connection, store: Store) -> anyhow::Result<RequestServer> {
    let executor = Arc::new(Executor::new(store));
    let server = RequestServer::start(connection, NAME).await?;
    register::<CreateArticle>(&server, &executor).await?;
    register::<UpdateArticle>(&server, &executor).await?;
    register::<DeleteArticle>(&server, &executor).await?;
    server.ready().await?;
    Ok(server)
}

async fn register<C>(server: &RequestServer, executor: &ArticleExecutor) -> anyhow::Result<()>
where
    C: Command<Output = View>,
    Article: Decide<C>,
{
    let executor = executor.clone();
    server
        .command::<C, _, _>(move |command| {
            let executor = executor.clone();
            async move { handle(&executor, &command).await }
        })
        .await
        .with_context(|| format!("taking the command {} failed", C::VERB))
}

/// Executes `command`; what went wrong is logged here, once.
async fn handle<C>(
    executor: &ArticleExecutor,
    command: &CommandEnvelope<C>,
) -> Result<Reply<View>, ServiceError>
where
    C: Command<Output = View>,
    Article: Decide<C>,
{
    let reply = executor.execute(command).await.map_err(|error| {
        let answer = service_error(&error);
        tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "command failed");
        answer
    })?;
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
            let view = accepted.state.view().cloned().ok_or(ServiceError::Internal)?;
            Ok(Reply::Accepted(accepted.map(|_| view)))
        }
    }
}

fn service_error(error: &ExecuteError) -> ServiceError {
    match error {
        ExecuteError::Expired => ServiceError::DeadlineExceeded,
        ExecuteError::Unavailable(_) => ServiceError::Unavailable,
        ExecuteError::Contended => ServiceError::Contended,
        ExecuteError::OutcomeUnknown(_) => ServiceError::OutcomeUnknown,
        ExecuteError::Corrupt(_) | ExecuteError::Encode(_) => ServiceError::Internal,
    }
}
