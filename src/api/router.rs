//! Routes, and the server that listens for them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::extract::DefaultBodyLimit;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::any;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderName, HeaderValue, Request};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::graphql::edge::{Edge, endpoint};
use super::health::{self, Vitals};
use crate::config;

/// How long to wait before accepting again when the system has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Requests of one HTTP/2 connection at the same time.
const STREAMS_MAX: u32 = 200;

/// Bytes of a request's head.
const HEAD_MAX: usize = 32 * 1024;

const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// The content policy of what is no page.
const NOTHING: &str = "default-src 'none'; frame-ancestors 'none'";

/// All routes: the GraphQL endpoint, health and metrics, and what else the process serves (pages, callbacks).
pub fn router(edge: Edge, vitals: Arc<dyn Vitals>, others: Router, body_max: usize) -> Router {
    let rest = health::routes(vitals).merge(others).layer(DefaultBodyLimit::max(body_max)).layer(map_response(protect));
    // The endpoint sets its own headers and limits: no layer on the hot path, unless other sites may call.
    let cors = edge.cors();
    let graphql = Router::new().route("/graphql", any(endpoint)).with_state(edge);
    let graphql = if let Some(cors) = cors { graphql.layer(cors) } else { graphql };
    graphql.merge(rest)
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
pub async fn serve(listener: TcpListener, router: Router, shutdown: CancellationToken, config: &config::Server) {
    let slots = Arc::new(Semaphore::new(config.connections_max));
    let connections = GracefulShutdown::new();
    let server = Arc::new(Server { http: protocols(*config.read_timeout), router, read_timeout: *config.read_timeout });
    loop {
        // At the limit, newcomers wait in the kernel's queue.
        let accepted = async {
            let slot = slots.clone().acquire_owned().await;
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accepted => accepted,
        };
        match (accepted, slot) {
            (Ok((stream, peer)), Ok(slot)) => {
                let stream = Counted { stream, _slot: slot };
                tokio::spawn(server.clone().connection(stream, peer, connections.watcher()));
            }
            (Err(error), _) => {
                tracing::warn!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
            // Nobody closes the semaphore.
            (_, Err(_)) => break,
        }
    }
    drop(listener);
    if timeout(*config.shutdown_timeout, connections.shutdown()).await.is_err() {
        tracing::warn!("requests still running at the end of the shutdown timeout");
    }
}

struct Server {
    http: auto::Builder<TokioExecutor>,
    router: Router,
    read_timeout: Duration,
}

impl Server {
    async fn connection(self: Arc<Self>, counted: Counted, peer: SocketAddr, watch: Watcher) {
        // Answers are written whole: waiting for more to send would only delay them.
        let _ = counted.stream.set_nodelay(true);
        let began = Arc::new(AtomicBool::new(false));
        let (router, begun) = (TowerToHyperService::new(self.router.clone()), began.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            begun.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.call(request.map(Body::new))
        });
        let connection = self.http.serve_connection_with_upgrades(TokioIo::new(counted), service).into_owned();
        let connection = watch.watch(connection);
        // A timeout of a request's head counts from its first byte: who never sends one is caught here.
        let silent = async {
            sleep(self.read_timeout).await;
            if began.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            ended = connection => if let Err(error) = ended {
                tracing::debug!(%peer, %error, "connection failed");
            },
            () = silent => tracing::debug!(%peer, "connection sent no request"),
        }
    }
}

/// A connection that counts for as long as it is open, as a socket too.
struct Counted {
    stream: TcpStream,
    _slot: OwnedSemaphorePermit,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
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
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
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
