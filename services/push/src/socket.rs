//! One client: its frames, its replay, its end.

mod client;
mod end;
mod subscription;

use axum::{
    extract::{FromRequestParts, Request, State, WebSocketUpgrade},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use service_kit::Problem;

use crate::{Push, socket::client::Client};

/// The buffers of a connection: small, since most connections are idle most of the time.
const BUFFER: usize = 4096;
/// Unsent bytes that the library may hold for a client that does not read.
const MAX_WRITE_BUFFER: usize = 1024 * 1024;
/// The largest message that a client may send.
const MAX_MESSAGE: usize = 64 * 1024;

/// `GET /ws`: a WebSocket. A token may come as `Authorization` header, or later in an `authenticate` frame.
pub(crate) async fn upgrade(State(push): State<Push>, request: Request) -> Response {
    let claims = match push.tokens.check_headers(request.headers()) {
        Ok(claims) => claims,
        Err(error) => {
            return Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", error.to_string())
                .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
                .into_response();
        }
    };
    let (mut parts, _) = request.into_parts();
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let detail = format!("a WebSocket handshake was expected: {}", rejection.body_text());
            return Problem::new(rejection.status(), "websocket-expected", detail).into_response();
        }
    };
    let Ok(place) = push.places.clone().try_acquire_owned() else {
        let detail = "this server has as many live sockets as it takes";
        return Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too-many-sockets", detail)
            .retry_after(5)
            .into_response();
    };
    // The server does not wait for upgraded connections; the lifecycle does.
    let token = push.lifecycle.token();
    upgrade
        .read_buffer_size(BUFFER)
        .write_buffer_size(BUFFER)
        .max_write_buffer_size(MAX_WRITE_BUFFER)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .on_upgrade(move |socket| async move {
            Client::new(push, claims).serve(socket).await;
            drop((place, token));
        })
}
