//! One client: its frames, its replay, its end.

mod client;
mod connection;
mod end;
mod frames;
mod handshake;
mod incoming;
mod origin;
mod subscription;
mod user;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use service_kit::{Problem, http::client_address::ClientAddress};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{Role, WebSocketConfig},
};

use crate::{
    Push,
    places::Place,
    socket::{
        client::Client,
        incoming::{Incoming, Room},
        user::User,
    },
};

/// The buffers of a connection: small, since most connections are idle most of the time.
const BUFFER: usize = 4096;
/// Unsent bytes that the library may hold for a client that does not read.
const MAX_WRITE_BUFFER: usize = 1024 * 1024;
/// The largest message that a client may send.
const MAX_MESSAGE: usize = 64 * 1024;

/// `GET /ws`: a WebSocket. A token may come as `Authorization` header, or later in an `authenticate` frame.
pub(crate) async fn upgrade(State(push): State<Push>, mut request: Request) -> Response {
    let upgrading = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let accept = match handshake::check(&parts) {
        Ok(accept) => accept,
        Err(problem) => return problem.into_response(),
    };
    let allowed = handshake::no_parameters(&parts.uri)
        .and_then(|()| origin::check(&parts.headers, &push.origins));
    if let Err(problem) = allowed {
        return problem.into_response();
    }
    let user =
        match push.tokens.check_headers(&parts.headers).map(|claims| claims.as_ref().map(User::of))
        {
            Ok(None) => None,
            Ok(Some(Ok(user))) => Some(user),
            Ok(Some(Err(error))) => return unauthorized(error.to_string()),
            Err(error) => return unauthorized(error.to_string()),
        };
    let Some(address) = parts.extensions.get::<ClientAddress>().copied() else {
        return Problem::internal().into_response();
    };
    let place = match push.places.take(user.is_none().then_some(address)) {
        Ok(place) => place,
        Err(full) => return full.into_response(),
    };
    // The server does not wait for upgraded connections; the lifecycle does.
    let token = push.lifecycle.token();
    tokio::spawn(async move {
        match upgrading.await {
            Ok(upgraded) => serve(push, user, place, upgraded).await,
            Err(error) => tracing::debug!(%error, "a client left in its handshake"),
        }
        drop(token);
    });
    handshake::accepted(accept)
}

fn unauthorized(detail: String) -> Response {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
        .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
        .into_response()
}

async fn serve(push: Push, user: Option<User>, place: Place, upgraded: Upgraded) {
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE));
    let room = Room::new(push.unfinished.clone(), user.is_none());
    let stream =
        Incoming::new(TokioIo::new(upgraded), push.settings.message_timeout(), room.clone());
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    Client::new(push, user, place, room).serve(socket).await;
}
