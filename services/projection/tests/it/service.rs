//! The service in this process.

use std::{path::Path, time::Duration};

use contracts::article::{Article, ArticlePage, GetArticle, ListArticles};
use eventsourcing::{Query, QueryEnvelope, QueryReply};
use messaging::{RequestClient, RequestError, control};
use projection::{
    ProjectionSettings, Settings,
    control::{GenerationStatus, Question, Reply, State, Status},
};
use service_kit::{Context, health::State as Health};
use tempfile::TempDir;
use test_support::{NatsServer, eventually, ready};

pub(crate) struct TestService {
    pub(crate) context: Context,
    client: RequestClient,
}

impl TestService {
    /// With files in `data_dir`.
    pub(crate) async fn start(server: &NatsServer, data_dir: &Path) -> Self {
        Self::start_with(server, data_dir, ProjectionSettings::default()).await
    }

    /// With `projection` in its settings.
    pub(crate) async fn start_with(
        server: &NatsServer,
        data_dir: &Path,
        projection: ProjectionSettings,
    ) -> Self {
        let context = run(server, data_dir, projection);
        ready(&context).await;
        Self::of(context, server).await
    }

    /// One that is not ready, and says why with the words `reason`.
    pub(crate) async fn start_unready(
        server: &NatsServer,
        data_dir: &Path,
        projection: ProjectionSettings,
        reason: &str,
    ) -> Self {
        let context = run(server, data_dir, projection);
        eventually(reason, || async {
            let components = context.health.snapshot();
            let says =
                |state: &Health| matches!(state, Health::NotReady(why) if why.contains(reason));
            components.values().any(says).then_some(())
        })
        .await;
        Self::of(context, server).await
    }

    async fn of(context: Context, server: &NatsServer) -> Self {
        let connection = server.connect("gateway").await;
        let client = RequestClient::new(connection, Duration::from_secs(5));
        Self { context, client }
    }

    /// Waits until it is ready.
    pub(crate) async fn ready(&self) {
        ready(&self.context).await;
    }

    pub(crate) async fn ask<Q: Query>(
        &self,
        data: Q,
        min_position: u64,
    ) -> Result<QueryReply<Q::Answer>, RequestError> {
        let min_position = Some(min_position);
        self.client.ask(&QueryEnvelope { min_position, ..QueryEnvelope::new(data) }).await
    }

    pub(crate) async fn get(
        &self,
        id: eventsourcing::AggregateId,
        position: u64,
    ) -> QueryReply<Article> {
        self.ask(GetArticle { id }, position).await.expect("a reply")
    }

    pub(crate) async fn list(&self, list: ListArticles, position: u64) -> ArticlePage {
        match self.ask(list, position).await.expect("a reply") {
            QueryReply::Answered(answer) => answer.data,
            QueryReply::Refused(refusal) => panic!("refused: {refusal}"),
        }
    }

    pub(crate) async fn stop(self) {
        self.context.lifecycle.finish().await.expect("an orderly end");
    }
}

pub(crate) fn run(server: &NatsServer, data_dir: &Path, projection: ProjectionSettings) -> Context {
    let context = test_support::context();
    let settings = Settings {
        data_dir: data_dir.to_owned(),
        nats: server.settings("projection"),
        projection: ProjectionSettings { max_wait_ms: 1000, ..projection },
    };
    context.lifecycle.run("projection", projection::run(settings, context.clone()));
    context
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// An administrator.
pub(crate) struct Admin(messaging::Connection);

impl Admin {
    pub(crate) async fn new(server: &NatsServer) -> Self {
        Self(server.connect("admin").await)
    }

    /// Asks what may be refused.
    pub(crate) async fn try_ask(&self, question: Question) -> Result<Status, String> {
        match control::ask(&self.0, projection::NAME, &question).await.expect("an answer") {
            Reply::Status(status) => Ok(status),
            Reply::Refused { reason } => Err(reason),
            Reply::Failed { reason } => panic!("{reason}"),
        }
    }

    pub(crate) async fn ask(&self, question: Question) -> Status {
        self.try_ask(question).await.expect("not refused")
    }

    pub(crate) async fn rebuild(&self, hold: bool, verify: bool) -> Status {
        let name = projection::READ_MODELS[0].name.to_owned();
        self.ask(Question::Rebuild { name, hold, verify }).await
    }

    /// Rebuilds every read model.
    pub(crate) async fn rebuild_all(&self) {
        for named in projection::READ_MODELS {
            let name = named.name.to_owned();
            let question = Question::Rebuild { name, hold: false, verify: false };
            let reply = control::ask(&self.0, named.consumer, &question).await.expect("an answer");
            assert!(matches!(reply, Reply::Status(_)), "{reply:?}");
        }
    }

    /// Waits until the generation `number` is as `is` says.
    pub(crate) async fn until(
        &self,
        number: i32,
        is: impl Fn(&GenerationStatus) -> bool,
    ) -> GenerationStatus {
        eventually("the generation to be as expected", || async {
            let status = self.ask(Question::Status {}).await;
            let found = status.generations.into_iter();
            found.filter(|found| found.number == number).find(|found| is(found))
        })
        .await
    }

    /// Waits until the generation `number` is live.
    pub(crate) async fn live(&self, number: i32) -> GenerationStatus {
        self.until(number, |found| found.state == State::Live).await
    }

    /// The states of all generations.
    pub(crate) async fn states(&self) -> Vec<(i32, State)> {
        let status = self.ask(Question::Status {}).await;
        status.generations.iter().map(|found| (found.number, found.state)).collect()
    }
}
