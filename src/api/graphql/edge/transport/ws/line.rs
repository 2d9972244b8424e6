//! The messages of one socket that [`super::old`] serves, with the limits that all sockets have.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Error;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{Sink, Stream, StreamExt as _};
use tokio::time::{Sleep, sleep, timeout};

use super::common::{Common, Ending};
use super::frames;
use super::session::CLOSE_WAIT;
use crate::api::graphql::edge::Edge;
use crate::api::graphql::edge::execution::wheel::{CLOSE, Place, TICK};
use crate::api::graphql::edge::request::auth::AuthUnavailable;
use crate::model::accounts::Viewer;

/// Tells the client that the server is there: it can't see pings of the transport.
const KEEP_ALIVE: &str = r#"{"type":"ka"}"#;

/// `subscriptions-transport-ws` leaves a server from which it once heard `ka` and then none for so long. With rarer pings it is never
/// sent one.
const CLIENT_PATIENCE: Duration = Duration::from_secs(30);

/// The messages of one socket.
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one socket, not the states of one machine")]
pub struct Line {
    edge: Edge,
    socket: WebSocket,
    place: Place,
    common: Arc<Common>,
    /// By when the client must have sent `connection_init`.
    deadline: Pin<Box<Sleep>>,
    /// Something was heard from the client since the last ping.
    heard: bool,
    /// A ping is to be sent.
    ping: bool,
    /// The token is being checked again.
    check: Option<BoxFuture<'static, Result<Option<Viewer>, AuthUnavailable>>>,
    /// Runs while the network takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Nobody is there to say goodbye to.
    gone: bool,
    /// Nothing more can be read, and hanging up at once could overtake the last message.
    deaf: bool,
}

impl Line {
    /// Begins to wait for the client.
    pub fn new(edge: Edge, socket: WebSocket, place: Place, common: Arc<Common>) -> Self {
        let deadline = Box::pin(sleep(*edge.0.config.init_timeout));
        let (ping, check, stalled) = (false, None, None);
        Self { edge, socket, place, common, deadline, heard: true, ping, check, stalled, gone: false, deaf: false }
    }

    /// Says goodbye, and waits a little for the client's answer.
    pub async fn hang_up(mut self) {
        if self.gone {
            return;
        }
        let (code, reason) = match self.common.ending.get() {
            Some(Ending { code, reason }) => {
                self.edge.meters().closed(*code);
                (*code, reason.clone())
            }
            // The client has said so itself.
            None => (frames::NORMAL, Utf8Bytes::default()),
        };
        let goodbye = async {
            // A client that has closed already is answered by reading on.
            let _ = self.socket.send(Message::Close(Some(CloseFrame { code, reason }))).await;
            while let Some(Ok(_)) = self.socket.next().await {}
            if self.deaf {
                sleep(CLOSE_WAIT).await;
            }
        };
        // A client that does not respond in time is disconnected.
        let _ = timeout(CLOSE_WAIT, goodbye).await;
    }

    /// A period has passed: is the client still there, and still signed in?
    fn tick(&mut self) {
        let Some(info) = self.common.info.get() else { return };
        if !self.heard {
            tracing::debug!(request_id = info.request_id, "closing a socket that does not respond to pings");
            self.gone = true;
        }
        (self.heard, self.ping) = (false, true);
        if let Some(token) = info.token.clone() {
            let auth = self.edge.0.auth.clone();
            self.check = Some(Box::pin(async move { auth.viewer(&token).await }));
        }
    }

    fn poll_ping(&mut self, cx: &mut Context<'_>) {
        if !self.ping || Pin::new(&mut self.socket).poll_ready(cx).is_pending() {
            return;
        }
        self.ping = false;
        // A line that is broken is noticed when it is read.
        let _ = Pin::new(&mut self.socket).start_send(Message::Ping(Bytes::new()));
        if *self.edge.0.config.ping_every < CLIENT_PATIENCE {
            let _ = Pin::new(&mut self.socket).start_send(Message::text(KEEP_ALIVE));
        }
        let _ = Pin::new(&mut self.socket).poll_flush(cx);
    }

    /// Looks at what may end the socket.
    fn poll_ending(&mut self, cx: &mut Context<'_>) {
        self.place.seat().register(cx.waker());
        let raised = self.place.seat().take();
        if raised & CLOSE != 0 {
            self.common.end(frames::GOING_AWAY, "Server is shutting down, please reconnect");
        }
        if raised & TICK != 0 {
            self.tick();
        }
        if self.common.info.get().is_none() && self.deadline.as_mut().poll(cx).is_ready() {
            self.common.end(frames::INIT_TIMEOUT, "Connection initialisation timeout");
        }
        if let Some(check) = &mut self.check
            && let Poll::Ready(checked) = check.as_mut().poll(cx)
        {
            self.check = None;
            // What could not be checked is asked again at the next ping.
            if let Ok(None) = checked {
                self.common.end(frames::FORBIDDEN, "Forbidden");
            }
        }
    }

    fn in_time(&mut self, polled: Poll<Result<(), Error>>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if polled.is_ready() {
            self.stalled = None;
            return polled;
        }
        let patience = *self.edge.0.config.socket_write_timeout;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        tracing::debug!("closing a socket that accepts no data");
        self.gone = true;
        Poll::Ready(Err(Error::new(io::Error::from(io::ErrorKind::TimedOut))))
    }
}

/// The messages of the client.
impl Stream for Line {
    type Item = Result<Message, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            this.poll_ending(cx);
            if this.gone || this.common.ending.get().is_some() {
                return Poll::Ready(None);
            }
            this.poll_ping(cx);
            // Read on when it is sent: the adapter asks again after each message that it sends.
            if this.common.refusals.load(Ordering::Relaxed) > 0 {
                return Poll::Pending;
            }
            let message = ready!(this.socket.poll_next_unpin(cx));
            this.heard = true;
            match message {
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(None),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_))) => this.common.end(frames::BAD_MESSAGE, "Messages must be text"),
                Some(Ok(message @ Message::Text(_))) => return Poll::Ready(Some(Ok(message))),
                Some(Err(error)) => match frames::failure(error) {
                    Some((code, reason)) => {
                        this.deaf = true;
                        this.common.end(code, reason);
                    }
                    None => this.gone = true,
                },
            }
        }
    }
}

/// The messages of the server.
impl Sink<Message> for Line {
    type Error = Error;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.socket).poll_ready(cx);
        this.in_time(polled, cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        let this = self.get_mut();
        match message {
            // Its reasons may be longer than fits, and it does not wait for the answer.
            Message::Close(frame) => {
                let frame = frame.unwrap_or(CloseFrame { code: frames::NORMAL, reason: Utf8Bytes::default() });
                this.common.end(frame.code, frame.reason.as_str());
                Ok(())
            }
            message => Pin::new(&mut this.socket).start_send(message),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.socket).poll_flush(cx);
        this.in_time(polled, cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Pin::new(&mut self.get_mut().socket).poll_close(cx)
    }
}
