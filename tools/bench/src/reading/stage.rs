//! Projection and gateway in this process.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use gateway::GatewaySettings;
use messaging::{Connection, RequestClient, control};
use projection::{
    ProjectionSettings,
    control::{Question, Reply, State, Status},
};
use service_kit::Context;
use test_support::{NatsServer, context, ready};

/// How long a reply may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a rebuild is looked at.
const POLL: Duration = Duration::from_millis(20);

/// The services, and what is needed to talk to them.
pub(super) struct Stage {
    context: Context,
    admin: Connection,
    pub(super) queries: RequestClient,
    pub(super) address: String,
}

impl Stage {
    /// Starts both, the projection with its database at `database`.
    pub(super) async fn start(
        server: &NatsServer,
        folder: &Path,
        database: &str,
    ) -> anyhow::Result<Self> {
        let context = context();
        let projection = projection::Settings {
            data_dir: folder.to_owned(),
            nats: server.settings(projection::NAME),
            projection: ProjectionSettings {
                database: database.into(),
                max_wait_ms: 5000,
                rebuild_on_change: false,
                ..ProjectionSettings::default()
            },
        };
        let running = projection::run(projection, context.clone());
        context.lifecycle.run(projection::NAME, running);
        let gateway = gateway::Settings {
            nats: server.settings(gateway::NAME),
            auth: test_support::auth(),
            fingerprint: crate::system::fingerprint(),
            gateway: GatewaySettings { command_timeout_ms: 10_000, query_timeout_ms: 10_000 },
        };
        context.lifecycle.run(gateway::NAME, gateway::run(gateway, context.clone()));
        ready(&context).await;
        let address = context.site.address().await.context("the gateway is not mounted")?;
        let queries = RequestClient::new(server.connect("gateway").await, TIMEOUT);
        let admin = server.connect("admin").await;
        Ok(Self { context, admin, queries, address: address.to_string() })
    }

    pub(super) async fn ask(&self, question: Question) -> anyhow::Result<Status> {
        match control::ask(&self.admin, projection::NAME, &question).await? {
            Reply::Status(status) => Ok(status),
            Reply::Refused { reason } | Reply::Failed { reason } => bail!(reason),
        }
    }

    /// Waits until the live generation has reached `position`.
    pub(super) async fn reaches(&self, position: u64) -> anyhow::Result<()> {
        loop {
            let status = self.ask(Question::Status {}).await?;
            let live = status.generations.iter().find(|found| found.state == State::Live);
            if live.and_then(|live| live.position).is_some_and(|reached| reached >= position) {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Rebuilds, and returns when the switch was made. With `verify` it is made only if the rows are those of the live one.
    pub(super) async fn rebuild(&self, verify: bool) -> anyhow::Result<()> {
        let name = projection::READ_MODELS[0].name.to_owned();
        let mut status = self.ask(Question::Rebuild { name, hold: false, verify }).await?;
        while let Some(building) =
            status.generations.iter().find(|found| found.state == State::Building)
        {
            if building.held {
                bail!("the rebuild is held: {}", building.reason.as_deref().unwrap_or_default());
            }
            tokio::time::sleep(POLL).await;
            status = self.ask(Question::Status {}).await?;
        }
        let failed = status.generations.into_iter().find(|found| found.state == State::Failed);
        match failed {
            Some(failed) => bail!("the rebuild has failed: {}", failed.reason.unwrap_or_default()),
            None => Ok(()),
        }
    }

    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.context.lifecycle.finish().await
    }
}
