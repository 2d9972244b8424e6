//! Routes, and the server that accepts connections.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::header::{CONNECTION, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::graphql::edge::{Edge, endpoint};
use super::heads::{self, Heads};
use super::unsent::Unsent;
use crate::config;

/// How long clients that connected at the last moment have to send their request.
const FIRST_REQUEST_WITHIN: Duration = Duration::from_millis(200);
/// How long to wait before accepting again when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Requests of one HTTP/2 connection at the same time.
const STREAMS_MAX: u32 = 200;

/// Bytes of a request's head.
const HEAD_MAX: usize = 32 * 1024;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The content policy of what is no page.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// Where the GraphQL endpoint is.
const GRAPHQL: &str = "/graphql";

/// The routes.
pub struct Routes {
    all: Router,
    /// The endpoint once more, and all routes while other sites may call it. Where they may not, nothing is layered around the endpoint: a
    /// router looks things up and allocates for each request.
    endpoint: Option<(Edge, Router)>,
}

/// All routes: the GraphQL endpoint, and what else the process serves (health, pages, callbacks).
pub fn router(edge: Edge, others: Router, body_max: usize) -> Routes {
    let rest = others.layer(DefaultBodyLimit::max(body_max)).layer(map_response(protect));
    // The endpoint sets its own headers and limits: no layer on the hot path, unless other sites may call.
    let graphql = Router::new().route(GRAPHQL, any(endpoint)).with_state(edge.clone());
    let open = graphql.clone().layer(edge.cors()).merge(rest.clone());
    Routes { all: graphql.merge(rest), endpoint: Some((edge, open)) }
}

/// The routes of a listener without the endpoint.
pub fn without_endpoint(routes: Router) -> Routes {
    Routes { all: routes.layer(map_response(protect)), endpoint: None }
}

impl Routes {
    async fn answer(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Response {
        let mut routes = &self.all;
        if let Some((edge, open)) = &self.endpoint {
            let plain = matches!(*request.method(), Method::GET | Method::POST) && request.uri().path() == GRAPHQL;
            if edge.has_origins() {
                routes = open;
            } else if plain {
                return edge.answer(request, peer.ip()).await;
            }
        }
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.clone().oneshot(request.map(Body::new)).await.unwrap_or_else(|never| match never {})
    }
}

/// Headers for pages; those that a route has set itself stay.
async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    headers.entry(X_FRAME_OPTIONS).or_insert(HeaderValue::from_static("DENY"));
    headers.entry(CROSS_ORIGIN_OPENER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NOTHING));
    headers.entry(REFERRER_POLICY).or_insert(HeaderValue::from_static("no-referrer"));
    response
}

/// Accepts connections until `shutdown`, then lets requests finish for as long as the configuration allows. HTTP/1.1
/// and HTTP/2 (prior knowledge). Sockets outlive it: they are the edge's.
///
/// A connection that is closed while a request is on its way leaves the client without an answer. So for `server.linger`
/// each request still gets a response, with `connection: close`.
pub async fn serve(listener: TcpListener, routes: Routes, shutdown: CancellationToken, config: &config::Server) {
    let slots = Arc::new(Semaphore::new(config.connections_max));
    let connections = GracefulShutdown::new();
    let (read_timeout, write_timeout) = (*config.read_timeout, *config.write_timeout);
    let (http, leaving) = (protocols(read_timeout), AtomicBool::new(false));
    let server = Arc::new(Server { http, routes, read_timeout, write_timeout, leaving });
    let admit = |stream, peer, slot| {
        let stream = Counted { stream, heads: Heads::default(), patience: write_timeout, stalled: None, _slot: slot };
        tokio::spawn(server.clone().connection(stream, peer, connections.watcher()));
    };
    let mut over = pin!(async {
        shutdown.cancelled().await;
        server.leaving.store(true, Ordering::Relaxed);
        sleep(*config.linger).await;
    });
    loop {
        // At the limit, newcomers wait in the kernel's queue.
        let accepted = async {
            let slot = slots.clone().acquire_owned().await;
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            biased;
            () = &mut over => break,
            accepted = accepted => accepted,
        };
        match (accepted, slot) {
            (Ok((stream, peer)), Ok(slot)) => admit(stream, peer, slot),
            (Err(error), _) => {
                tracing::warn!(%error, "could not accept a connection");
                sleep(ACCEPT_PAUSE).await;
            }
            // Nobody closes the semaphore.
            (_, Err(_)) => break,
        }
    }
    // Clients whose connections the kernel has accepted would see a reset, perhaps after sending a request.
    if let Ok(listener) = listener.into_std() {
        while let Ok(slot) = slots.clone().try_acquire_owned()
            && let Some((stream, peer)) = accept_waiting(&listener)
        {
            admit(stream, peer, slot);
        }
    }
    // A connection whose first bytes were not read yet is closed without an answer.
    sleep(FIRST_REQUEST_WITHIN).await;
    if timeout(*config.shutdown_timeout, connections.shutdown()).await.is_err() {
        tracing::warn!("requests were still running when the shutdown timeout expired");
    }
}

/// A connection that the kernel has, if there is one. The kernel is asked itself: the runtime may not have heard of all of them yet, and
/// lets a task have so many at a time only.
fn accept_waiting(listener: &std::net::TcpListener) -> Option<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true).ok()?;
                return Some((TcpStream::from_std(stream).ok()?, peer));
            }
            // Who has left meanwhile is not the last one.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(_) => return None,
        }
    }
}

struct Server {
    http: auto::Builder<TokioExecutor>,
    routes: Routes,
    read_timeout: Duration,
    write_timeout: Duration,
    /// Read with every answer, which a token would make a lock.
    leaving: AtomicBool,
}

/// The state shared by the requests of one connection.
struct Requests {
    server: Arc<Server>,
    /// There was one.
    began: AtomicBool,
    /// It came over HTTP/2.
    multiplexed: AtomicBool,
    /// One was taken since the connection was looked at.
    taken: AtomicBool,
    /// The pending data that HTTP/2 lets the client leave here.
    unsent: Arc<Unsent>,
}

impl Server {
    /// Answers a request over HTTP/1, where the answer also says whether the connection goes on.
    async fn answer_plain(&self, request: Request<Incoming>, peer: SocketAddr) -> Response {
        let mut last = heads::ends_connection(request.headers());
        let mut answer = if !heads::host_is_clear(request.version(), request.headers()) {
            last = true;
            (StatusCode::BAD_REQUEST, "A request must have exactly one Host header.\n").into_response()
        } else if heads::coding_is_known(request.headers()) {
            self.routes.answer(request, peer).await
        } else {
            (StatusCode::NOT_IMPLEMENTED, "The only transfer coding is chunked, once.\n").into_response()
        };
        // The rest of a body that is too large is never read: `connection: close` makes the client open another connection.
        last |= self.leaving.load(Ordering::Relaxed) || answer.status() == StatusCode::PAYLOAD_TOO_LARGE;
        if last && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        answer
    }

    async fn connection(self: Arc<Self>, counted: Counted, peer: SocketAddr, watch: Watcher) {
        // Answers are written whole: waiting for more to send would only delay them.
        let _ = counted.stream.set_nodelay(true);
        let [began, multiplexed, taken] = [const { AtomicBool::new(false) }; 3];
        let requests = Arc::new(Requests { server: self.clone(), began, multiplexed, taken, unsent: Arc::default() });
        let these = requests.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let (requests, plain) = (these.clone(), request.version() <= Version::HTTP_11);
            these.multiplexed.store(!plain, Ordering::Relaxed);
            these.began.store(true, Ordering::Release);
            let waits = these.taken.swap(true, Ordering::Relaxed);
            // In a box: what is idle need not keep room for an answer in work.
            Box::pin(async move {
                // Another request of this connection was answered just now: it sends them without waiting. They are not
                // answered in one go, or a few such connections would keep everybody else waiting.
                if waits {
                    yield_now().await;
                }
                Ok::<_, Infallible>(if plain {
                    requests.server.answer_plain(request, peer).await
                } else {
                    requests.server.routes.answer(request, peer).await.map(|body| requests.unsent.watch(body))
                })
            })
        });
        let connection = self.http.serve_connection_with_upgrades(TokioIo::new(counted), service).into_owned();
        let mut connection = pin!(watch.watch(connection));
        let connection = poll_fn(|context| {
            requests.taken.store(false, Ordering::Relaxed);
            connection.as_mut().poll(context)
        });
        // A timeout of a request's head counts from its first byte: who never sends one is caught here.
        let idle = async {
            sleep(self.read_timeout).await;
            if requests.began.load(Ordering::Acquire) {
                // What HTTP/1.1 has not sent yet is noticed when it is written.
                if !requests.multiplexed.load(Ordering::Relaxed) {
                    return pending().await;
                }
                requests.unsent.stalls(self.write_timeout).await;
            }
        };
        tokio::select! {
            biased;
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%peer, %error, "connection failed");
            },
            () = idle => tracing::debug!(%peer, "closing a connection that sent no request or accepts no response"),
        }
    }
}

/// A connection that counts for as long as it is open, as a socket too. Whoever takes nothing of what is written to it is
/// given up, or those who ask and never read would hold all places, and the answers too.
struct Counted {
    stream: TcpStream,
    heads: Heads,
    patience: Duration,
    /// Runs while the network takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    _slot: OwnedSemaphorePermit,
}

impl Counted {
    fn in_time(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        ready!(self.stalled.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        // What does not fit is not needed: a head that long is refused for its length.
        if self.heads.look(&mut buffer.filled_mut()[before..]) && buffer.remaining() >= heads::END.len() {
            buffer.put_slice(heads::END);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.in_time(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

fn protocols(read_timeout: Duration) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(read_timeout).max_buf_size(HEAD_MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_MAX as u32)
        .keep_alive_interval(read_timeout)
        .keep_alive_timeout(read_timeout)
        .enable_connect_protocol();
    http
}
