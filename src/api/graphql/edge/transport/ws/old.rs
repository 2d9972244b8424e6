//! `graphql-ws`, the protocol of the library `subscriptions-transport-ws`, for clients that know no other: Apollo's older ones on
//! phones, and `gql` for Python, which offers it first. `async-graphql-axum` speaks it; this edge is its executor.
//!
//! What that adapter has no limits for is held around it by [`Line`], through which all of its messages go: the time to begin, pings,
//! stalled writes, the second look at tokens, shutdown. A write that waits keeps it from reading and from asking its operations, so
//! what waits for a slow reader is one message. How many operations run is counted by [`Operations`], the executor.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use async_graphql::futures_util::stream::BoxStream;
use async_graphql::http::WebSocketProtocols;
use async_graphql::{Data, Error, Executor, Request, Response};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::extract::FromRequestParts as _;
use axum::extract::ws::WebSocket;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::SEC_WEBSOCKET_PROTOCOL;
use serde_json::Value;

use super::common::Common;
use super::frames;
use super::line::Line;
use super::session::{too_large, too_many};
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::edge::Edge;
use crate::api::graphql::edge::execution::event::Event;
use crate::api::graphql::edge::execution::operation::Running;
use crate::api::graphql::edge::execution::wheel::{Place, Seat};
use crate::api::graphql::edge::protection::meters::Transport;
use crate::api::graphql::edge::request::auth::token_of;
use crate::api::graphql::edge::request::params::Params;
use crate::api::graphql::edge::response::refusal::Refusal;

/// The protocol's name.
pub const PROTOCOL: &str = "graphql-ws";

/// Serves a socket to its end. `info` has the token of the handshake, if it had one.
pub async fn serve(edge: Edge, socket: WebSocket, place: Place, info: RequestInfo) {
    let common = Arc::new(Common::default());
    let operations = Operations { edge: edge.clone(), seat: place.seat().clone(), common: common.clone() };
    let mut line = Line::new(edge.clone(), socket, place, common.clone());
    if let Some(protocol) = protocol().await {
        let begin = move |payload| begin(edge, info, common, payload);
        GraphQLWebSocket::new(&mut line, operations, protocol).on_connection_init(begin).serve().await;
    }
    line.hang_up().await;
}

/// The adapter takes its protocol from a request only.
async fn protocol() -> Option<GraphQLProtocol> {
    let offers = WebSocketProtocols::SubscriptionsTransportWS.sec_websocket_protocol();
    let request = http::Request::builder().header(SEC_WEBSOCKET_PROTOCOL, offers).body(()).ok()?;
    GraphQLProtocol::from_request_parts(&mut request.into_parts().0, &()).await.ok()
}

/// Answers `connection_init`.
async fn begin(edge: Edge, mut info: RequestInfo, common: Arc<Common>, payload: Value) -> async_graphql::Result<Data> {
    let refused = |code, reason: &str| {
        common.end(code, reason);
        Error::new(reason)
    };
    let payload = serde_json::value::to_raw_value(&payload).ok();
    if let Some(authorization) = payload.as_deref().and_then(frames::authorization) {
        let token = token_of(&authorization).ok_or_else(|| refused(frames::FORBIDDEN, "Forbidden"))?;
        info.token = Some(token.into());
    }
    if let Some(token) = &info.token {
        let checked = edge.0.auth.viewer(token).await;
        let viewer = checked
            .map_err(|_| refused(frames::TRY_AGAIN_LATER, "The access token can't be verified at the moment"))?;
        info.viewer = Some(viewer.ok_or_else(|| refused(frames::FORBIDDEN, "Forbidden"))?);
    }
    // The adapter begins once.
    let _ = common.info.set(info);
    Ok(Data::default())
}

/// Executes what one socket asks for.
#[derive(Clone)]
struct Operations {
    edge: Edge,
    seat: Arc<Seat>,
    common: Arc<Common>,
}

impl Operations {
    fn begin(&self, request: &Request) -> Result<Running, Refusal> {
        let Some(info) = self.common.info.get() else { return Err(too_many()) };
        self.edge.0.rates.request(info.address)?;
        if self.common.running.load(Ordering::Relaxed) >= self.edge.0.config.operations_per_socket {
            return Err(too_many());
        }
        let prepared = self.edge.prepare(params(request)?, info)?;
        Ok(Running::start(&self.edge, prepared, info.clone(), &self.seat))
    }
}

/// The parameters as every transport has them.
fn params(request: &Request) -> Result<Params, Refusal> {
    let mut body = serde_json::to_value(request).unwrap_or_default();
    // The adapter knows no difference between none and an empty one.
    if let Some(body) = body.as_object_mut().filter(|_| request.query.is_empty()) {
        body.remove("query");
    }
    Params::from_json(body.to_string().as_bytes()).and_then(Params::checked)
}

impl Executor for Operations {
    async fn execute(&self, request: Request) -> Response {
        self.execute_stream(request, None).next().await.unwrap_or_default()
    }

    fn execute_stream(&self, request: Request, _: Option<Arc<Data>>) -> BoxStream<'static, Response> {
        let begun = self.begin(&request);
        let refused = begun.as_ref().err().and_then(Refusal::code);
        self.edge.meters().operation(Transport::OldWebSocket, refused);
        let edge = self.edge.clone();
        match begun {
            Ok(running) => {
                let counted = Counted::new(&self.common, |common| &common.running);
                Answers { edge, running: Some(running), _counted: counted }.boxed()
            }
            Err(refusal) => {
                let waiting = Counted::new(&self.common, |common| &common.refusals);
                // It waits until the adapter drops the stream, which it does with `complete`.
                stream::iter([Response::from_errors(refusal.errors)]).inspect(move |_| _ = &waiting).boxed()
            }
        }
    }
}

/// One more of something, for as long as this is there.
struct Counted(Arc<Common>, fn(&Common) -> &AtomicUsize);

impl Counted {
    fn new(common: &Arc<Common>, of: fn(&Common) -> &AtomicUsize) -> Self {
        of(common).fetch_add(1, Ordering::Relaxed);
        Self(common.clone(), of)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.1)(&self.0).fetch_sub(1, Ordering::Relaxed);
    }
}

/// The answers of one operation.
struct Answers {
    edge: Edge,
    /// Nothing after the last answer.
    running: Option<Running>,
    _counted: Counted,
}

impl Stream for Answers {
    type Item = Response;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Response>> {
        let Some(running) = &mut self.running else { return Poll::Ready(None) };
        let event = ready!(running.poll_event(cx));
        Poll::Ready(match event {
            Event::Next(body) if body.len() <= *self.edge.0.config.socket_queue => {
                self.edge.meters().delivered();
                Some(response(&body))
            }
            Event::Next(_) => {
                self.running = None;
                Some(Response::from_errors(too_large().errors))
            }
            Event::Error(errors) => {
                self.running = None;
                Some(response(&[b"{\"errors\":", &errors[..], b"}"].concat()))
            }
            Event::Complete => None,
        })
    }
}

/// The adapter wants a value; what comes from the edge is written already.
fn response(json: &[u8]) -> Response {
    serde_json::from_slice(json).unwrap_or_else(|error| {
        tracing::error!(%error, "could not read the response");
        Response::default()
    })
}
