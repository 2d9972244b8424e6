//! `graphql-transport-ws` (the protocol of the `graphql-ws` library) over WebSocket, on the same path as HTTP; and the older
//! `graphql-ws` for clients that want that one. The first protocol that a client offers and that is known here counts.

mod common;
mod frames;
mod line;
mod old;
mod session;

use std::net::IpAddr;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse as _, Response};
use data_encoding::BASE64;
use futures_util::SinkExt as _;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, Version, header};

use crate::api::graphql::context::{RequestInfo, TokenIn};
use crate::api::graphql::edge::Edge;
use crate::api::graphql::edge::execution::wheel::Place;
use crate::api::graphql::edge::protection::access::{Access, foreign};
use crate::api::graphql::edge::request::auth::bearer;
use crate::api::graphql::edge::response::refusal::Refusal;
use session::Session;

/// The sub-protocol of today's clients.
const PROTOCOL: &str = "graphql-transport-ws";

/// The only version of the WebSocket protocol.
const VERSION: &str = "13";

/// Small: a socket that waits holds on to it.
const READ_BUFFER: usize = 1024;

/// Whether the request asks for a WebSocket: by upgrade (HTTP/1.1) or extended CONNECT (HTTP/2).
pub fn is_handshake(parts: &Parts) -> bool {
    let upgrade = parts.headers.get(header::UPGRADE).and_then(|value| value.to_str().ok());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket")) || parts.method == Method::CONNECT
}

/// Opens a socket.
pub async fn handshake(edge: &Edge, parts: &mut Parts, address: IpAddr, request_id: String) -> Response {
    if let Err(response) = check(parts) {
        return *response;
    }
    let mut upgrade = match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(rejection) => return rejection.into_response(),
    };
    let (place, info) = match admit(edge, parts, address, request_id) {
        Ok(admitted) => admitted,
        Err(refusal) => return edge.refuse(&refusal, None),
    };
    let config = &edge.0.config;
    let protocol = chosen(parts);
    upgrade = upgrade
        .protocols(protocol)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(*config.socket_queue + frames::ROOM)
        .max_message_size(*config.socket_message_max)
        .max_frame_size(*config.socket_message_max);
    let (edge, alive) = (edge.clone(), edge.0.tasks.token());
    upgrade.on_upgrade(move |socket| async move {
        match protocol {
            Some(old::PROTOCOL) => old::serve(edge, socket, place, info).await,
            Some(_) => Session::new(edge, socket, place, info).await,
            None => refuse_protocol(socket).await,
        }
        drop(alive);
    })
}

/// The first protocol that the client offers and that is known here. The extractor has them in alphabetical order.
fn chosen(parts: &Parts) -> Option<&'static str> {
    let lines = parts.headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    let mut offered = lines.flat_map(|line| line.split(',')).map(str::trim);
    offered.find_map(|name| [PROTOCOL, old::PROTOCOL].into_iter().find(|known| *known == name))
}

/// The problem of the handshake by RFC 6455, section 4.2.1, as far as no other code checks it.
fn check(parts: &Parts) -> Result<(), Box<Response>> {
    if parts.version > Version::HTTP_11 || parts.method != Method::GET {
        return Ok(());
    }
    if parts.headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != VERSION) {
        let mut response = (StatusCode::UPGRADE_REQUIRED, "Sec-WebSocket-Version must be 13\n").into_response();
        response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
        return Err(Box::new(response));
    }
    let mut keys = parts.headers.get_all(header::SEC_WEBSOCKET_KEY).iter();
    let key = keys.next().and_then(|key| BASE64.decode(key.as_bytes()).ok());
    if key.is_none_or(|key| key.len() != 16) || keys.next().is_some() {
        let message = "Sec-WebSocket-Key must be 16 bytes in base64\n";
        return Err(Box::new((StatusCode::BAD_REQUEST, message).into_response()));
    }
    Ok(())
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
    let token_in = match Access::token_in(&parts.headers) {
        TokenIn::Answer => TokenIn::Answer,
        TokenIn::Cookie | TokenIn::Nowhere => TokenIn::Nowhere,
    };
    let device = edge.0.access.device(&parts.headers).map(Into::into);
    Ok((place, RequestInfo { viewer: None, token, address, request_id, known_version: None, device, token_in }))
}

async fn refuse_protocol(mut socket: WebSocket) {
    let frame = CloseFrame { code: frames::PROTOCOL_UNKNOWN, reason: "Subprotocol not acceptable".into() };
    // The client may have gone already: then there is nobody to tell.
    let _ = socket.send(Message::Close(Some(frame))).await;
    let _ = socket.close().await;
}
