//! Server-Sent Events, distinct connections mode of the GraphQL over SSE protocol (graphql-sse): one request, one
//! stream of `next` events, ended by `complete`. What is wrong with the document or its variables comes as a `next`.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_graphql::parser::types::OperationType;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::Edge;
use super::http::{mutation_by_get, respond};
use super::media::Media;
use super::meters::{Meters, Transport};
use super::operation::{Event, Running};
use super::params::Params;
use super::refusal::Refusal;
use super::wheel::{CLOSE, Place, TICK};
use crate::api::graphql::context::RequestInfo;

/// What an `EventSource` understands as the end: some ignore an event without a data line.
const COMPLETE: &[u8] = b"event: complete\ndata:\n\n";

/// Keeps proxies from taking a quiet stream for a dead one.
const KEEP_ALIVE: &[u8] = b":\n\n";

/// The id of the last event that the client has seen.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Begins a stream.
pub fn stream(
    edge: &Edge,
    params: Params,
    mut info: RequestInfo,
    headers: &HeaderMap,
    is_get: bool,
) -> Result<Response, Refusal> {
    let place = edge.join(info.address)?;
    // Ids are versions; another server's, or a wrong one, is as none.
    info.known_version = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse().ok());
    let state = match edge.prepare(params, &info) {
        Ok(prepared) if is_get && prepared.operation().kind == OperationType::Mutation => return Err(mutation_by_get()),
        Ok(prepared) => {
            edge.meters().operation(Transport::EventStream, None);
            State::Running(Running::start_versioned(edge, prepared, info, place.seat()))
        }
        Err(refusal) if refusal.cause.is_of_document() => {
            edge.meters().operation(Transport::EventStream, refusal.code());
            State::Last(next(&refusal.body(), None))
        }
        Err(refusal) => return Err(refusal),
    };
    let events = Events { place, state, meters: edge.meters().clone() };
    let mut response = respond(StatusCode::OK, Media::EventStream, Body::from_stream(events));
    // Some proxies hold back what they think is a page.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

enum State {
    Running(Running),
    /// One event, then the end.
    Last(Bytes),
    Complete,
    Ended,
}

struct Events {
    place: Place,
    state: State,
    meters: Meters,
}

impl Stream for Events {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        this.place.seat().register(cx.waker());
        let raised = this.place.seat().take();
        if raised & CLOSE != 0 && matches!(this.state, State::Running(_)) {
            // Without `complete`: the client is to connect again, elsewhere.
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
                    Bytes::from_static(COMPLETE)
                }
            },
            State::Last(event) => {
                let event = std::mem::take(event);
                this.state = State::Complete;
                event
            }
            State::Complete => {
                this.state = State::Ended;
                Bytes::from_static(COMPLETE)
            }
            State::Ended => return Poll::Ready(None),
        };
        this.meters.delivered();
        Poll::Ready(Some(Ok(chunk)))
    }
}

/// JSON has no line breaks of its own outside strings, and escapes those within: one data line always holds it.
/// With a version, whoever connects again with it as `Last-Event-ID` gets what is newer.
fn next(json: &[u8], version: Option<u32>) -> Bytes {
    let id = version.map(|version| format!("id: {version}\n")).unwrap_or_default();
    [b"event: next\n", id.as_bytes(), b"data: ", json, b"\n\n"].concat().into()
}
