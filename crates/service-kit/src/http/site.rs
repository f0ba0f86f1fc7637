//! The public address of a process: one origin for everything that its services offer.

use std::{
    error::Error as _,
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http_body_util::LengthLimitError;
use tokio::{net::TcpListener, sync::Mutex};
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use super::{
    client_address::{self, ClientAddress},
    connections::{self, Connections},
    cors,
    guard::guard,
    measure::{self, Measured},
    problem::Problem,
    progress::{Phase, Progress},
    request_context::{CORRELATION_ID, RequestContext, TRACEPARENT},
    server::{self, Limits},
};
use crate::{Health, Lifecycle, admin, settings::HttpSettings};

/// Sent with every response: it is data, not a page, and nobody's script or frame.
const SAFE_HEADERS: [(HeaderName, &str); 3] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Asked every few seconds for ever: nobody wants a line in the log for each.
const PROBES: [&str; 2] = ["/livez", "/readyz"];

/// The public address. Services mount their routes on it; it is bound when the first one does. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    inner: Arc<Inner>,
}

struct Inner {
    settings: HttpSettings,
    lifecycle: Lifecycle,
    health: Health,
    /// What is mounted, and the same with the answer to everything else.
    routes: RwLock<(Router, Router)>,
    address: Mutex<Option<SocketAddr>>,
}

impl Site {
    /// A site that serves as long as `lifecycle` does.
    #[must_use]
    pub fn new(settings: HttpSettings, lifecycle: Lifecycle, health: Health) -> Self {
        let probes = admin::probes(health.clone()).layer(middleware::from_fn(measure::name_route));
        let served = with_fallback(&probes, &health);
        let (routes, address) = (RwLock::new((probes, served)), Mutex::new(None));
        Self { inner: Arc::new(Inner { settings, lifecycle, health, routes, address }) }
    }

    /// Where it listens, once something is mounted.
    pub async fn address(&self) -> Option<SocketAddr> {
        *self.inner.address.lock().await
    }

    /// Adds `routes`, which must not overlap with what is there; tells where the site listens.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn mount(&self, routes: Router) -> anyhow::Result<SocketAddr> {
        let mut address = self.inner.address.lock().await;
        let bound = if let Some(bound) = *address {
            bound
        } else {
            let listener = server::bind(self.inner.settings.listen, "http.listen")?;
            let bound = listener.local_addr()?;
            self.serve(listener);
            *address.insert(bound)
        };
        let routes = routes.layer(middleware::from_fn(measure::name_route));
        let mut mounted = self.inner.routes.write().unwrap_or_else(PoisonError::into_inner);
        let merged = mounted.0.clone().merge(routes);
        let served = with_fallback(&merged, &self.inner.health);
        *mounted = (merged, served);
        Ok(bound)
    }

    fn serve(&self, listener: TcpListener) {
        let inner = self.inner.clone();
        let deadline = Duration::from_millis(inner.settings.request_timeout_ms);
        let max_body = inner.settings.max_body_bytes;
        let component = inner.health.component("http: connections");
        let places = Connections::new(&inner.settings, component);
        let proxies = Arc::new(inner.settings.trusted_proxies.clone());
        let cors = cors::layer(inner.settings.allowed_origins.clone());
        let app = Router::new()
            .fallback(dispatch)
            .with_state(inner.clone())
            // Its limit is ours: the body is there already.
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::from_fn(move |request, next| receive(max_body, request, next)))
            .layer(CatchPanicLayer::custom(|_| Problem::internal().into_response()))
            .layer(middleware::from_fn(move |request, next| within(deadline, request, next)))
            .layer(middleware::from_fn(guard))
            .layer(middleware::from_fn_with_state(places.clone(), connections::limit))
            .layer(middleware::from_fn_with_state(cors, cors::share))
            .layer(middleware::from_fn_with_state(inner.settings.log_client_address, identify))
            .layer(middleware::from_fn_with_state(proxies, client_address::locate));
        let limits = Limits::from(&inner.settings);
        let stop = inner.lifecycle.stop_token().clone();
        inner.lifecycle.spawn(server::serve(listener, app, limits, places, stop));
    }
}

/// `routes`, and a problem for every other path.
fn with_fallback(routes: &Router, health: &Health) -> Router {
    let health = health.clone();
    routes.clone().fallback(move || async move {
        if health.is_ready() {
            let detail = "there is nothing at this path";
            return Problem::new(StatusCode::NOT_FOUND, "no-such-path", detail);
        }
        // What is missing may be about to be mounted.
        let parts = health.snapshot().into_iter().filter(|(_, state)| !state.is_ready());
        let names: Vec<String> = parts.map(|(name, _)| name).collect();
        let detail = match names.as_slice() {
            [] => "the process is starting; nothing was changed".to_owned(),
            names => format!("not ready: {}; nothing was changed", names.join(", ")),
        };
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail).retry_after(1)
    })
}

/// Hands the request to whatever is mounted by now.
async fn dispatch(State(site): State<Arc<Inner>>, request: Request) -> Response {
    let routes = site.routes.read().unwrap_or_else(PoisonError::into_inner).1.clone();
    let (start, method) = (Instant::now(), measure::method(request.method()));
    let Ok(mut response) = routes.oneshot(request).await;
    measure::answered(&mut response, method, start.elapsed());
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => method_not_allowed(&response),
        _ => response,
    }
}

fn method_not_allowed(response: &Response) -> Response {
    let detail = "the path does not have this method";
    let problem = Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail);
    let mut problem = match response.headers().get(header::ALLOW) {
        Some(allow) => problem.with_header(header::ALLOW, allow.clone()).into_response(),
        None => problem.into_response(),
    };
    problem.extensions_mut().insert(Measured);
    problem
}

/// Takes the whole body in before anything is decided: a refusal that leaves it unread would cost the
/// connection, and whoever reuses that gets an error for the next request.
async fn receive(max: usize, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let received = axum::body::to_bytes(body, max).await;
    if let Some(progress) = parts.extensions.get::<Progress>() {
        progress.enter(Phase::Working);
    }
    match received {
        Ok(bytes) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Err(error) if is_too_long(&error) => {
            let detail = format!("the body is larger than {max} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail).into_response()
        }
        Err(_) => {
            let detail = "the body could not be read";
            Problem::new(StatusCode::BAD_REQUEST, "malformed-request", detail).into_response()
        }
    }
}

fn is_too_long(error: &axum::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<LengthLimitError>());
    source.is_some()
}

/// Ends what takes too long; a client that sends its body slowly is the usual cause.
async fn within(deadline: Duration, request: Request, next: Next) -> Response {
    let response = tokio::time::timeout(deadline, next.run(request)).await;
    response.unwrap_or_else(|_| {
        let detail = "the request took too long to arrive or to be answered";
        Problem::new(StatusCode::REQUEST_TIMEOUT, "request-timeout", detail).into_response()
    })
}

/// Gives the request its identity, and its response a line in the log.
async fn identify(
    State(log_client_address): State<bool>,
    mut request: Request<Body>,
    next: Next,
) -> Response {
    let is_probe = PROBES.contains(&request.uri().path());
    let client = request.extensions().get::<ClientAddress>().filter(|_| log_client_address);
    let client = client.map(|client| client.ip().to_string());
    let context = RequestContext::from_headers(request.headers());
    let span = tracing::info_span!(
        "request",
        http.method = %request.method(),
        http.path = request.uri().path(),
        client.address = client,
        correlation.id = context.correlation_id,
        traceparent = context.traceparent,
    );
    request.extensions_mut().insert(context.clone());
    let (start, method) = (Instant::now(), measure::method(request.method()));
    let mut response = next.run(request).instrument(span.clone()).await;
    if response.extensions().get::<Measured>().is_none() {
        measure::unmatched(method, response.status());
    }
    complete(response.headers_mut(), context);
    let (status, seconds) = (response.status().as_u16(), start.elapsed().as_secs_f64());
    if is_probe {
        tracing::debug!(parent: &span, http.status = status, duration.seconds = seconds, "probe served");
    } else {
        tracing::info!(parent: &span, http.status = status, duration.seconds = seconds, "request served");
    }
    response
}

/// Gives a response the headers that every response has.
pub(super) fn complete(headers: &mut HeaderMap, context: RequestContext) {
    for (name, value) in
        [(CORRELATION_ID, context.correlation_id), (TRACEPARENT, context.traceparent)]
    {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    for (name, value) in SAFE_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache"));
}
