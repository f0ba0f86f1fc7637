//! The services, started and stopped in order.

mod banner;

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use messaging::{FingerprintSettings, NatsSettings};
use service_kit::{
    Context, Health, Lifecycle, Site, lifecycle,
    settings::{self, CommonSettings},
    start, telemetry,
};

use crate::{
    command::provision,
    embedded_nats::EmbeddedNats,
    settings::{ProvisionSettings, RunSettings, complete_auth, complete_fingerprint},
};

/// How often readiness is looked at while starting.
const READY_POLL: Duration = Duration::from_millis(5);
/// What JSON needs for a character at most: an escaped pair of surrogates.
const BODY_BYTES_A_CHAR: usize = 12;

/// Runs everything until a signal, or until something fails.
pub(crate) async fn run(config: Option<&Path>) -> anyhow::Result<()> {
    let common: CommonSettings = settings::load(config)?;
    let run: RunSettings = settings::load(config)?;
    let mut services = Services::load(config)?;
    complete_auth(&mut services.gateway.auth, &run.data_dir)?;
    services.push.auth = services.gateway.auth.clone();
    let mut fingerprint = services.gateway.fingerprint.clone();
    complete_fingerprint(&mut fingerprint, &run.data_dir)?;
    services.recognise_by(&fingerprint);
    telemetry::init_logs(&common.log)?;
    warn_of_small_bodies(&common, &services);
    std::fs::create_dir_all(&run.data_dir)
        .with_context(|| format!("creating the data folder {} failed", run.data_dir.display()))?;
    if !services.gateway.nats.url.is_empty() {
        return Box::pin(serve(config, &common, &services, None)).await;
    }
    let mut nats = EmbeddedNats::start(&run.embedded_nats, &run.data_dir).await?;
    services.connect_to(&nats.url(), nats.password());
    let served = Box::pin(serve(config, &common, &services, Some(&mut nats))).await;
    let stopped = nats.stop().await;
    served.and(stopped)
}

/// The two settings belong to services that know nothing of each other.
fn warn_of_small_bodies(common: &CommonSettings, services: &Services) {
    let max = services.article.article.max_content_chars.get();
    let needed = usize::try_from(max).unwrap_or(usize::MAX).saturating_mul(BODY_BYTES_A_CHAR);
    if common.http.max_body_bytes < needed {
        tracing::warn!(
            http.max_body_bytes = common.http.max_body_bytes,
            article.max_content_chars = max,
            "a request with an article of the greatest length may have up to {needed} bytes and be refused"
        );
    }
}

/// The settings of each service.
struct Services {
    article: article::Settings,
    comment: comment::Settings,
    projection: projection::Settings,
    notification: notification::Settings,
    gateway: gateway::Settings,
    push: push::Settings,
    admin: NatsSettings,
    replicas: usize,
}

impl Services {
    fn load(config: Option<&Path>) -> anyhow::Result<Self> {
        let gateway: gateway::Settings = settings::load(config)?;
        let provision: ProvisionSettings = settings::load(config)?;
        Ok(Self {
            article: settings::load(config)?,
            comment: settings::load(config)?,
            projection: settings::load(config)?,
            notification: settings::load(config)?,
            admin: gateway.nats.clone(),
            gateway,
            push: settings::load(config)?,
            replicas: provision.nats.replicas,
        })
    }

    /// Each as its own user, with the password that all have.
    fn connect_to(&mut self, url: &str, password: &str) {
        for (name, nats) in [
            (article::NAME, &mut self.article.nats),
            (comment::NAME, &mut self.comment.nats),
            (projection::NAME, &mut self.projection.nats),
            (notification::NAME, &mut self.notification.nats),
            (gateway::NAME, &mut self.gateway.nats),
            (push::NAME, &mut self.push.nats),
            (provision::ADMIN, &mut self.admin),
        ] {
            url.clone_into(&mut nats.url);
            name.clone_into(&mut nats.user);
            nats.password = password.into();
        }
    }

    /// All recognise repeats of commands by the same fingerprints.
    fn recognise_by(&mut self, fingerprint: &FingerprintSettings) {
        self.gateway.fingerprint = fingerprint.clone();
        self.article.fingerprint = fingerprint.clone();
        self.comment.fingerprint = fingerprint.clone();
    }

    /// Starts those behind NATS in `back`, and those in front of it, whose clients come first, in `front`.
    fn start(&self, back: &Context, front: &Context) {
        let run = &back.lifecycle;
        run.run(article::NAME, article::run(self.article.clone(), back.clone()));
        run.run(comment::NAME, comment::run(self.comment.clone(), back.clone()));
        run.run(projection::NAME, projection::run(self.projection.clone(), back.clone()));
        run.run(notification::NAME, notification::run(self.notification.clone(), back.clone()));
        let run = &front.lifecycle;
        run.run(gateway::NAME, gateway::run(self.gateway.clone(), front.clone()));
        run.run(push::NAME, push::run(self.push.clone(), front.clone()));
    }
}

async fn serve(
    config: Option<&Path>,
    common: &CommonSettings,
    services: &Services,
    mut nats: Option<&mut EmbeddedNats>,
) -> anyhow::Result<()> {
    let grace = Duration::from_millis(common.shutdown.grace_ms);
    let (front, back) = (Lifecycle::new(grace), Lifecycle::new(grace));
    let health = Health::default();
    let site = Site::new(common.http.clone(), front.clone(), health.clone());
    start::serve_admin("newswire", common, &back, &health)?;
    let context = |lifecycle: &Lifecycle| Context {
        lifecycle: lifecycle.clone(),
        health: health.clone(),
        site: site.clone(),
    };
    let running = async {
        provision::provision(&services.admin, services.replicas, &back).await?;
        services.start(&context(&back), &context(&front));
        while !(health.is_ready() && site.address().await.is_some()) {
            tokio::time::sleep(READY_POLL).await;
        }
        banner::print(config, &site, &services.gateway.nats.url).await?;
        std::future::pending::<anyhow::Result<()>>().await
    };
    let result = tokio::select! {
        result = running => result,
        signal = lifecycle::termination() => signal,
        () = front.stopping() => Ok(()),
        () = back.stopping() => Ok(()),
        error = supervise(&mut nats, &health) => Err(error),
    };
    // Clients are answered before what answers them goes.
    let front = front.finish().await;
    let back = back.finish().await;
    tracing::info!("stopped");
    result.and(front).and(back)
}

async fn supervise(nats: &mut Option<&mut EmbeddedNats>, health: &Health) -> anyhow::Error {
    match nats {
        Some(nats) => nats.supervise(health).await,
        None => std::future::pending().await,
    }
}
