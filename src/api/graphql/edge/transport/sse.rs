//! Server-Sent Events, distinct connections mode of the GraphQL over SSE protocol (graphql-sse): one request, one
//! stream of `next` events, ended by `complete`. What is wrong with the document or its variables comes as a `next`.
//!
//! A browser's `EventSource` knows no end: it connects again whenever a stream ends, with the id of the last event. So `complete`
//! has an id too, and who connects with that one for the same request is answered 204, which ends it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_graphql::parser::types::OperationType;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures_util::Stream;
use futures_util::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use sha2::{Digest as _, Sha256};

use super::headers::{LAST_EVENT_ID, respond};
use crate::accounts::token_hash;
use crate::api::graphql::context::{RequestInfo, TokenIn};
use crate::api::graphql::edge::Edge;
use crate::api::graphql::edge::execution::event::Event;
use crate::api::graphql::edge::execution::operation::Running;
use crate::api::graphql::edge::execution::wheel::{CHECK, CLOSE, Place, TICK};
use crate::api::graphql::edge::protection::meters::{Meters, Transport};
use crate::api::graphql::edge::request::auth::AuthUnavailable;
use crate::api::graphql::edge::request::media::Media;
use crate::api::graphql::edge::request::params::Params;
use crate::api::graphql::edge::response::refusal::{Refusal, mutation_by_get};
use crate::model::accounts::Viewer;

/// Keeps proxies from taking a quiet stream for a dead one.
const KEEP_ALIVE: &[u8] = b":\n\n";

/// A request for a stream, as far as its transport is concerned.
pub struct Asked<'a> {
    is_get: bool,
    last_event_id: Option<&'a str>,
    /// The id of `complete`. It names the request, so that it ends no other.
    complete: String,
}

impl<'a> Asked<'a> {
    /// With this head and body.
    pub fn new(parts: &'a Parts, body: &[u8]) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let request = Sha256::new().chain_update(query).chain_update([0]).chain_update(body).finalize();
        Self {
            is_get: parts.method == Method::GET,
            last_event_id: parts.headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()),
            complete: format!("{}:complete", HEXLOWER.encode(&request[..12])),
        }
    }
}

/// Begins a stream.
pub fn stream(edge: &Edge, params: Params, mut info: RequestInfo, asked: Asked<'_>) -> Result<Response, Refusal> {
    if asked.last_event_id == Some(&asked.complete) {
        return Ok(ended());
    }
    let mut place = edge.join(info.address)?;
    // The answer has begun when somebody is signed in: too late for a cookie.
    if info.token_in == TokenIn::Cookie {
        info.token_in = TokenIn::Nowhere;
    }
    // Other ids are versions; another server's, or a wrong one, is as none.
    info.known_version = asked.last_event_id.and_then(|id| id.parse().ok());
    let mut token = None;
    let state = match edge.prepare(params, &info) {
        Ok(prepared) if asked.is_get && prepared.operation().kind == OperationType::Mutation => {
            return Err(mutation_by_get());
        }
        Ok(prepared) => {
            edge.meters().operation(Transport::EventStream, None);
            if prepared.operation().kind == OperationType::Subscription {
                token.clone_from(&info.token);
                if let Some(hash) = token.as_deref().and_then(token_hash) {
                    place.follow(hash);
                }
            }
            State::Running(Running::start_versioned(edge, prepared, info, place.seat()))
        }
        Err(refusal) if refusal.cause.is_of_document() => {
            edge.meters().operation(Transport::EventStream, refusal.code());
            State::Last(next(&refusal.body(), None))
        }
        Err(refusal) => return Err(refusal),
    };
    let complete = format!("event: complete\nid: {}\ndata:\n\n", asked.complete).into();
    let signed_in = SignedIn { token, edge: edge.clone(), check: None };
    let events = Events { place, state, complete, signed_in, meters: edge.meters().clone() };
    let mut response = respond(StatusCode::OK, Media::EventStream, Body::from_stream(events));
    // Some proxies hold back what they think is a page.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// The answer to who has heard all of a stream.
fn ended() -> Response {
    let mut response = respond(StatusCode::NO_CONTENT, Media::EventStream, Body::empty());
    response.headers_mut().remove(CONTENT_TYPE);
    response
}

enum State {
    Running(Running),
    /// One event, then the end.
    Last(Bytes),
    Complete,
    Ended,
}

/// Whether who subscribed is still signed in: asked whenever a period has passed, and when the token may have ended.
struct SignedIn {
    token: Option<String>,
    edge: Edge,
    check: Option<BoxFuture<'static, Result<Option<Viewer>, AuthUnavailable>>>,
}

impl SignedIn {
    /// `true` when the token is invalid by now.
    fn has_ended(&mut self, raised: u8, cx: &mut Context<'_>) -> bool {
        if raised & (TICK | CHECK) != 0
            && let Some(token) = self.token.clone()
        {
            let auth = self.edge.0.auth.clone();
            self.check = Some(Box::pin(async move { auth.viewer(&token).await }));
        }
        let Some(check) = &mut self.check else { return false };
        let Poll::Ready(checked) = check.as_mut().poll(cx) else { return false };
        self.check = None;
        matches!(checked, Ok(None))
    }
}

struct Events {
    place: Place,
    state: State,
    signed_in: SignedIn,
    /// What an `EventSource` understands as the end: some ignore an event without a data line.
    complete: Bytes,
    meters: Meters,
}

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.place.seat().register(cx.waker());
        let raised = this.place.seat().take();
        let is_over = raised & CLOSE != 0 || this.signed_in.has_ended(raised, cx);
        if is_over && matches!(this.state, State::Running(_)) {
            // Without `complete`, so that the client reconnects, to any node. That node rejects it if its token is no longer valid.
            this.state = State::Ended;
        }
        let chunk = match &mut this.state {
            State::Running(running) => match running.poll_event(cx) {
                Poll::Pending if raised & TICK != 0 => Bytes::from_static(KEEP_ALIVE),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Event::Next(body)) => next(&body, running.version()),
                Poll::Ready(Event::Error(errors)) => {
                    this.state = State::Complete;
                    next(&[b"{\"errors\":", &errors[..], b"}"].concat(), None)
                }
                Poll::Ready(Event::Complete) => {
                    this.state = State::Ended;
                    this.complete.clone()
                }
            },
            State::Last(event) => {
                let event = std::mem::take(event);
                this.state = State::Complete;
                event
            }
            State::Complete => {
                this.state = State::Ended;
                this.complete.clone()
            }
            State::Ended => return Poll::Ready(None),
        };
        this.meters.delivered();
        Poll::Ready(Some(Ok(chunk)))
    }
}

/// JSON has no line breaks of its own outside strings, and escapes those within: one data line always holds it.
/// With a version, a client that reconnects with it as `Last-Event-ID` gets newer events only.
fn next(json: &[u8], version: Option<u32>) -> Bytes {
    let id = version.map(|version| format!("id: {version}\n")).unwrap_or_default();
    [b"event: next\n", id.as_bytes(), b"data: ", json, b"\n\n"].concat().into()
}
