//! Serving with limits and deadlines, which `axum::serve` does not have.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use axum::{Router, body::Body, response::Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{
    answer::Answer,
    client_address::Peer,
    connections::{Connections, Place, too_many},
    measure,
    progress::{Phase, Progress},
    refusal,
    stream::Stream,
};
use crate::settings::HttpSettings;

/// The buffer of a connection: bounds what a request's headers may take.
const MAX_BUFFER: usize = 64 * 1024;
/// What the system may hold of an answer for a client, in bytes; it takes twice that. Small, so that a client which takes
/// bytes, however slowly, is seen to take them, and one that takes none costs little.
const SEND_BUFFER: u32 = 64 * 1024;
/// Connections that the system holds until they are accepted.
const BACKLOG: u32 = 1024;
/// The pause after the system had no resources for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long one is not told again that it has none.
const TELL_AGAIN: Duration = Duration::from_secs(30);
/// How many clients are told at once that their address has enough connections.
const MAX_REFUSALS: usize = 64;
/// How long clients may take, after the signal to stop, to send what they began and to take their answers.
const GOODBYE: Duration = Duration::from_secs(5);
/// How often those who do nothing are looked for after that.
const LOOK: Duration = Duration::from_millis(250);

/// What one server allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For a request's headers, and between requests.
    pub header_timeout: Duration,
    /// For taking any part of an answer.
    pub write_timeout: Duration,
}

impl From<&HttpSettings> for Limits {
    fn from(settings: &HttpSettings) -> Self {
        Self {
            header_timeout: Duration::from_millis(settings.header_timeout_ms),
            write_timeout: Duration::from_millis(settings.write_timeout_ms),
        }
    }
}

/// Binds `address`.
///
/// # Errors
/// Names the setting `key` it came from.
pub fn bind(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        // Connections inherit it.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().with_context(|| format!("listening on {address} failed (setting {key})"))
}

/// Serves `routes` until `stop`, then lets the requests in flight end.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    places: Arc<Connections>,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let refusals = Arc::new(Semaphore::new(MAX_REFUSALS));
    // Since one was told: without resources every attempt fails, for as long as that lasts.
    let (mut failures, mut told) = (0_u64, None::<Instant>);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok((stream, peer)) => (stream, Peer(peer.ip())),
            Err(error) => {
                failures += 1;
                if told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
                    tracing::warn!(%error, failures, "accepting a connection failed");
                    (told, failures) = (Some(Instant::now()), 0);
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let admitted = tokio::select! {
            () = stop.cancelled() => break,
            admitted = places.admit(peer) => admitted,
        };
        if let Some(place) = admitted {
            let connection = connection(stream, peer, place, routes.clone(), limits, stop.clone());
            connections.spawn(connection);
        } else if let Ok(one_of_refusals) = refusals.clone().try_acquire_owned() {
            measure::closed("address");
            connections.spawn(async move {
                refusal::refuse(stream, &too_many(), &[]).await;
                drop(one_of_refusals);
            });
        }
    }
    drop(listener);
    connections.close();
    tokio::select! {
        () = connections.wait() => return,
        () = tokio::time::sleep(GOODBYE) => {}
    }
    while tokio::time::timeout(LOOK, connections.wait()).await.is_err() {
        places.displace_all();
    }
}

async fn connection(
    stream: TcpStream,
    peer: Peer,
    place: Place,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) {
    // Small replies must not wait for each other.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "setting TCP_NODELAY failed");
    }
    let progress = place.progress().clone();
    let stream = Stream::new(stream, progress.clone(), limits.write_timeout);
    let service =
        service_fn(move |request| answer(request, peer, routes.clone(), progress.clone()));
    let mut connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(MAX_BUFFER)
        // The stream has to see each answer of the library's own in one piece.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let ended = async {
        tokio::select! {
            result = &mut connection => result,
            () = stop.cancelled() => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                (&mut connection).await
            }
        }
    };
    let result = tokio::select! {
        result = ended => result,
        () = place.displaced() => {
            measure::closed("displaced");
            return;
        }
    };
    let Err(error) = result else { return };
    let Some(parts) = connection.into_parts() else { return };
    let (stream, own_answer) = parts.io.into_inner().into_inner();
    if let Some(problem) = refusal::problem(&error, own_answer, &parts.read_buf) {
        refusal::refuse(stream, &problem, &parts.read_buf).await;
    } else if is_write_timeout(&error) {
        measure::closed("write-timeout");
    }
    // The client went away or spoke no HTTP: nothing that we could mend.
    tracing::debug!(%error, "connection ended");
}

async fn answer(
    request: hyper::Request<Incoming>,
    peer: Peer,
    routes: Router,
    progress: Progress,
) -> Result<Response<Answer>, Infallible> {
    let is_whole = hyper::body::Body::is_end_stream(request.body());
    progress.enter(if is_whole { Phase::Working } else { Phase::Receiving });
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(progress.clone());
    let response = routes.oneshot(request).await?;
    let is_upgrade = response.status() == hyper::StatusCode::SWITCHING_PROTOCOLS;
    progress.enter(if is_upgrade { Phase::Upgraded } else { Phase::Answering });
    Ok(response.map(|body| Answer::new(body, progress)))
}

fn is_write_timeout(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<std::io::Error>());
    source.is_some_and(|source| source.kind() == std::io::ErrorKind::TimedOut)
}
