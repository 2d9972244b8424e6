//! `graphql-transport-ws` (the protocol of the `graphql-ws` library) over WebSocket, on the same path as HTTP.

mod frames;
mod session;

use std::net::IpAddr;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse as _, Response};
use futures_util::SinkExt as _;
use http::request::Parts;
use http::{Method, header};

use super::Edge;
use super::access::foreign;
use super::auth::bearer;
use super::refusal::Refusal;
use super::wheel::Place;
use crate::api::graphql::context::RequestInfo;
use session::Session;

/// The only sub-protocol spoken.
pub const PROTOCOL: &str = "graphql-transport-ws";

/// Small: a socket that waits holds on to it.
const READ_BUFFER: usize = 1024;

/// Whether the request asks for a WebSocket: by upgrade (HTTP/1.1) or extended CONNECT (HTTP/2).
pub fn is_handshake(parts: &Parts) -> bool {
    let upgrade = parts.headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) || parts.method == Method::CONNECT
}

/// Opens a socket.
pub async fn handshake(edge: &Edge, parts: &mut Parts, address: IpAddr, request_id: String) -> Response {
    let mut upgrade = match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let (place, info) = match admit(edge, parts, address, request_id) {
        Ok(admitted) => admitted,
        Err(refusal) => return edge.refuse(&refusal, None),
    };
    let config = &edge.0.config;
    upgrade = upgrade
        .protocols([PROTOCOL])
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(*config.socket_queue + frames::ROOM)
        .max_message_size(*config.socket_message_max)
        .max_frame_size(*config.socket_message_max);
    let known = upgrade.selected_protocol().is_some();
    let (edge, alive) = (edge.clone(), edge.0.tasks.token());
    upgrade.on_upgrade(move |socket| async move {
        if known {
            Session::new(edge, socket, place, info).await;
        } else {
            refuse_protocol(socket).await;
        }
        drop(alive);
    })
}

/// A place for the socket. Browsers open sockets for pages of any site and send cookies along, without asking first: so the
/// origin is looked at, whoever is signed in.
fn admit(edge: &Edge, parts: &Parts, address: IpAddr, request_id: String) -> Result<(Place, RequestInfo), Refusal> {
    edge.0.rates.request(address)?;
    if !edge.0.access.origin_is_known(parts) {
        return Err(foreign());
    }
    let token = bearer(&parts.headers)?.or_else(|| edge.0.access.cookie(&parts.headers)).map(Into::into);
    let place = edge.join(address)?;
    Ok((place, RequestInfo { viewer: None, token, address, request_id, known_version: None }))
}

async fn refuse_protocol(mut socket: WebSocket) {
    let frame = CloseFrame { code: frames::PROTOCOL_UNKNOWN, reason: "Subprotocol not acceptable".into() };
    // The client may have gone already: then there is nobody to tell.
    let _ = socket.send(Message::Close(Some(frame))).await;
    let _ = socket.close().await;
}
