//! One socket: a future that its task polls, without tasks, queues or timers of its own while it is quiet.
//!
//! Everything is pulled: the socket reads a message, or asks an operation for its next event, only when the last thing
//! it sent has been taken by the network. So what waits for a slow reader is one message, and the rest stays where it
//! is bounded already: in the network's buffers, in the hub, or nowhere, where only the newest value counts.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Error;
use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Sink as _, StreamExt as _};
use serde_json::value::RawValue;
use tokio::time::{Sleep, sleep};

use super::frames::{self, Incoming};
use crate::accounts::token_hash;
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::edge::Edge;
use crate::api::graphql::edge::execution::event::Event;
use crate::api::graphql::edge::execution::operation::Running;
use crate::api::graphql::edge::execution::wheel::{CHECK, CLOSE, Place, TICK};
use crate::api::graphql::edge::protection::meters::Transport;
use crate::api::graphql::edge::request::auth::{AuthUnavailable, token_of};
use crate::api::graphql::edge::request::params::Params;
use crate::api::graphql::edge::response::refusal::{Cause, Refusal};
use crate::api::graphql::error::Code;
use crate::model::accounts::Viewer;

/// How long the client has to answer a close frame.
pub const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Steps of one socket before others get their turn. A step may execute a whole query.
const STEPS: usize = 8;

/// An open socket.
pub struct Session {
    edge: Edge,
    socket: WebSocket,
    place: Place,
    info: RequestInfo,
    phase: Phase,
    operations: Vec<Operation>,
    /// Counts steps, so that reading and operations come first in turns.
    turn: usize,
    /// Something was heard from the client since the last ping.
    heard: bool,
    /// A ping is to be sent.
    ping: bool,
    /// The token is being checked: at the beginning, or again.
    check: Option<BoxFuture<'static, Result<Option<Viewer>, AuthUnavailable>>>,
    /// Runs while the network takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
}

enum Phase {
    /// Until the connection is acknowledged.
    Waiting { deadline: Pin<Box<Sleep>>, initialised: bool },
    /// Operations run.
    Ready,
    /// `frame` is still to be sent. `deaf`: nothing more can be read, and hanging up at once could overtake the frame.
    Closing { frame: Option<CloseFrame>, deadline: Pin<Box<Sleep>>, deaf: bool },
}

struct Operation {
    /// The client's id as JSON.
    id: Box<str>,
    running: Running,
}

/// The result of a step.
enum Flow {
    More,
    Gone,
}

impl Session {
    /// Begins to wait for `connection_init`. `info` has the token of the handshake, if it had one.
    pub fn new(edge: Edge, socket: WebSocket, place: Place, info: RequestInfo) -> Self {
        let deadline = Box::pin(sleep(*edge.0.config.init_timeout));
        Self {
            edge,
            socket,
            place,
            info,
            phase: Phase::Waiting { deadline, initialised: false },
            operations: Vec::new(),
            turn: 0,
            heard: true,
            ping: false,
            check: None,
            stalled: None,
        }
    }

    /// One thing at a time, and only when the network has taken what was sent before.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<Flow> {
        if let Phase::Waiting { deadline, .. } | Phase::Closing { deadline, .. } = &mut self.phase
            && deadline.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(match self.phase {
                Phase::Closing { .. } => Flow::Gone,
                _ => self.close(frames::INIT_TIMEOUT, "Connection initialisation timeout"),
            });
        }
        if ready!(self.poll_writable(cx)).is_err() {
            return Poll::Ready(Flow::Gone);
        }
        if let Phase::Closing { .. } = self.phase {
            return self.poll_closing(cx);
        }
        if std::mem::take(&mut self.ping) {
            return Poll::Ready(self.send(Message::Ping(Bytes::new())));
        }
        self.turn = self.turn.wrapping_add(1);
        for source in 0..3 {
            let polled = match (self.turn + source) % 3 {
                0 => self.poll_read(cx),
                1 => self.poll_operations(cx),
                _ => self.poll_check(cx),
            };
            if polled.is_ready() {
                return polled;
            }
        }
        Poll::Pending
    }

    fn poll_writable(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        if let Poll::Ready(result) = Pin::new(&mut self.socket).poll_ready(cx) {
            self.stalled = None;
            return Poll::Ready(result.map_err(drop));
        }
        let patience = *self.edge.0.config.socket_write_timeout;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        tracing::debug!(request_id = self.info.request_id, "closing a socket that accepts no data");
        Poll::Ready(Err(()))
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Flow> {
        let message = ready!(self.socket.poll_next_unpin(cx));
        self.heard = true;
        Poll::Ready(match message {
            None => Flow::Gone,
            Some(Ok(Message::Text(text))) => self.receive(&text),
            Some(Ok(Message::Binary(_))) => self.close(frames::BAD_MESSAGE, "Messages must be text"),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Flow::More,
            // The next read sends the reply.
            Some(Ok(Message::Close(_))) => self.end(None),
            Some(Err(error)) => self.fail(error),
        })
    }

    fn receive(&mut self, text: &str) -> Flow {
        match Incoming::parse(text) {
            Err(reason) => self.close(frames::BAD_MESSAGE, &reason),
            Ok(Incoming::Init(payload)) => self.init(payload),
            Ok(Incoming::Ping(payload)) => self.send(Message::Text(frames::pong(payload, &self.edge.0.clock))),
            Ok(Incoming::Pong) => Flow::More,
            Ok(Incoming::Subscribe { id, payload }) => self.subscribe(&id, payload),
            Ok(Incoming::Complete { id }) => {
                let id = frames::quoted(&id);
                self.operations.retain(|operation| operation.id != id);
                Flow::More
            }
        }
    }

    fn init(&mut self, payload: Option<&RawValue>) -> Flow {
        match &mut self.phase {
            Phase::Waiting { initialised, .. } if !*initialised => *initialised = true,
            _ => return self.close(frames::TOO_MANY_INITS, "Too many initialisation requests"),
        }
        if let Some(authorization) = payload.and_then(frames::authorization) {
            let Some(token) = token_of(&authorization) else { return self.close(frames::FORBIDDEN, "Forbidden") };
            self.info.token = Some(token.into());
        }
        let Some(token) = &self.info.token else { return self.acknowledge() };
        // Before it is looked at: in between it could end unheard.
        if let Some(hash) = token_hash(token) {
            self.place.follow(hash);
        }
        self.begin_check();
        Flow::More
    }

    fn acknowledge(&mut self) -> Flow {
        self.phase = Phase::Ready;
        self.send(Message::Text(frames::ack()))
    }

    fn begin_check(&mut self) {
        if let Some(token) = self.info.token.clone() {
            let auth = self.edge.0.auth.clone();
            self.check = Some(Box::pin(async move { auth.viewer(&token).await }));
        }
    }

    fn poll_check(&mut self, cx: &mut Context<'_>) -> Poll<Flow> {
        let Some(check) = &mut self.check else { return Poll::Pending };
        let checked = ready!(check.as_mut().poll(cx));
        self.check = None;
        Poll::Ready(match (checked, &self.phase) {
            (Ok(None), _) => self.close(frames::FORBIDDEN, "Forbidden"),
            (Ok(viewer), Phase::Waiting { .. }) => {
                self.info.viewer = viewer;
                self.acknowledge()
            }
            (Err(_), Phase::Waiting { .. }) => {
                self.close(frames::TRY_AGAIN_LATER, "The access token can't be verified at the moment")
            }
            // Still signed in, or to be asked again at the next ping.
            (Ok(_) | Err(_), _) => Flow::More,
        })
    }

    fn subscribe(&mut self, id: &str, payload: &RawValue) -> Flow {
        let quoted = frames::quoted(id);
        if !matches!(self.phase, Phase::Ready) {
            return self.close(frames::UNAUTHORIZED, "Unauthorized");
        }
        if self.operations.iter().any(|operation| operation.id == quoted) {
            return self.close(frames::ID_IN_USE, &format!("Subscriber for {id} already exists"));
        }
        let params = match Params::from_json(payload.get().as_bytes()).and_then(Params::checked) {
            Ok(params) => params,
            Err(refusal) => return self.close(frames::BAD_MESSAGE, refusal.message()),
        };
        let counted = self.edge.0.rates.request(self.info.address);
        let prepared = if self.operations.len() < self.edge.0.config.operations_per_socket {
            counted.map_err(Refusal::from).and_then(|()| self.edge.prepare(params, &self.info))
        } else {
            Err(too_many())
        };
        let refused = prepared.as_ref().err().and_then(Refusal::code);
        self.edge.meters().operation(Transport::WebSocket, refused);
        match prepared {
            Err(refusal) => self.send_payload("error", &quoted, &refusal.errors_json()),
            Ok(prepared) => {
                let running = Running::start(&self.edge, prepared, self.info.clone(), self.place.seat());
                self.operations.push(Operation { id: quoted, running });
                Flow::More
            }
        }
    }

    fn poll_operations(&mut self, cx: &mut Context<'_>) -> Poll<Flow> {
        let count = self.operations.len();
        for offset in 0..count {
            let index = (self.turn + offset) % count;
            let Poll::Ready(event) = self.operations[index].running.poll_event(cx) else { continue };
            let id = match &event {
                Event::Next(body) if body.len() <= *self.edge.0.config.socket_queue => {
                    self.edge.meters().delivered();
                    let id = std::mem::take(&mut self.operations[index].id);
                    let flow = self.send_payload("next", &id, body);
                    self.operations[index].id = id;
                    return Poll::Ready(flow);
                }
                _ => self.operations.swap_remove(index).id,
            };
            return Poll::Ready(match event {
                Event::Complete => self.send(Message::Text(frames::complete(&id))),
                Event::Error(errors) => self.send_payload("error", &id, &errors),
                Event::Next(_) => self.send_payload("error", &id, &too_large().errors_json()),
            });
        }
        Poll::Pending
    }

    fn send_payload(&mut self, kind: &str, id: &str, payload: &[u8]) -> Flow {
        // Serialised JSON is UTF-8.
        let payload = std::str::from_utf8(payload).unwrap_or("null");
        self.send(Message::Text(frames::with_payload(kind, id, payload)))
    }

    fn send(&mut self, message: Message) -> Flow {
        match Pin::new(&mut self.socket).start_send(message) {
            Ok(()) => Flow::More,
            Err(_) => Flow::Gone,
        }
    }

    /// The server's turn to say goodbye.
    fn close(&mut self, code: u16, reason: &str) -> Flow {
        if let Phase::Closing { .. } = self.phase {
            return Flow::More;
        }
        self.edge.meters().closed(code);
        self.end(Some(CloseFrame { code, reason: frames::reason(reason) }))
    }

    fn end(&mut self, frame: Option<CloseFrame>) -> Flow {
        self.operations = Vec::new();
        self.check = None;
        self.phase = Phase::Closing { frame, deadline: Box::pin(sleep(CLOSE_WAIT)), deaf: false };
        Flow::More
    }

    fn fail(&mut self, error: Error) -> Flow {
        let Some((code, reason)) = frames::failure(error) else { return Flow::Gone };
        self.close(code, reason);
        if let Phase::Closing { deaf, .. } = &mut self.phase {
            *deaf = true;
        }
        Flow::More
    }

    fn poll_closing(&mut self, cx: &mut Context<'_>) -> Poll<Flow> {
        let Phase::Closing { frame, deaf, .. } = &mut self.phase else { return Poll::Ready(Flow::More) };
        if let Some(frame) = frame.take() {
            return Poll::Ready(self.send(Message::Close(Some(frame))));
        }
        if *deaf {
            return Poll::Pending;
        }
        Poll::Ready(match ready!(self.socket.poll_next_unpin(cx)) {
            Some(Ok(_)) => Flow::More,
            Some(Err(_)) | None => Flow::Gone,
        })
    }

    /// A period has passed: is the client still there, and still signed in?
    fn tick(&mut self) -> Flow {
        if let Phase::Ready = self.phase {
            if !self.heard {
                tracing::debug!(request_id = self.info.request_id, "closing a socket that does not respond to pings");
                return Flow::Gone;
            }
            self.heard = false;
            self.ping = true;
            self.begin_check();
        }
        Flow::More
    }
}

impl Future for Session {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.place.seat().register(cx.waker());
        let raised = this.place.seat().take();
        if raised & CLOSE != 0 {
            this.close(frames::GOING_AWAY, "Server is shutting down, please reconnect");
        }
        if raised & TICK != 0
            && let Flow::Gone = this.tick()
        {
            return Poll::Ready(());
        }
        if raised & CHECK != 0 {
            this.begin_check();
        }
        for _ in 0..STEPS {
            if let Flow::Gone = ready!(this.step(cx)) {
                return Poll::Ready(());
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// The answer to one operation too many.
pub fn too_many() -> Refusal {
    let message = "Too many operations on this socket. Complete one and try again.";
    Refusal::retry(Cause::Document, Code::RateLimited, message, 1)
}

/// The answer in place of one that is too large for a socket.
pub fn too_large() -> Refusal {
    let message = "The response is too large for a socket. Request less data, or use HTTP.";
    Refusal::new(Cause::Document, Code::DocumentTooComplex, message)
}
