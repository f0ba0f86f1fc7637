use service_kit::{
    Context, Health, Lifecycle, Origins, Site, auth::AuthSettings,
    http::client_address::TrustedProxies, settings::HttpSettings,
};

use crate::{PATIENCE, eventually};

/// What a service in a test is given: a lifecycle of its own, and a site on a free port.
#[must_use]
pub fn context() -> Context {
    let lifecycle = Lifecycle::new(PATIENCE);
    let health = Health::default();
    let http = HttpSettings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        max_connections: 1000.try_into().expect("not zero"),
        max_connections_per_address: 1000.try_into().expect("not zero"),
        header_timeout_ms: 10_000,
        request_timeout_ms: 10_000,
        write_timeout_ms: 10_000,
        max_body_bytes: 256 * 1024,
        trusted_proxies: TrustedProxies::default(),
        allowed_origins: Origins::default(),
        log_client_address: false,
    };
    let site = Site::new(http, lifecycle.clone(), health.clone());
    Context { lifecycle, health, site }
}

/// Waits until every component of `context` is ready.
pub async fn ready(context: &Context) {
    eventually("the service to be ready", || async { context.health.is_ready().then_some(()) })
        .await;
}

/// A key for tokens, and whom they are from and for.
#[must_use]
pub fn auth() -> AuthSettings {
    AuthSettings {
        key: "0123456789abcdef0123456789abcdef".into(),
        key_file: String::new(),
        issuer: "newswire".to_owned(),
        audience: "newswire".to_owned(),
    }
}
