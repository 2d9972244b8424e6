//! `[server]`: the HTTP server.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::access::is_origin;
use super::check::Check;
use super::{Size, Span};

/// The HTTP server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The address and port to listen on. Port 0 picks any free port. Terminate TLS in a proxy in front of the server.
    #[schemars(extend("format" = "socket-address"))]
    pub listen: SocketAddr,
    /// The address and port of the operator endpoints: `/metrics`, and `/health/ready` with details. If set, `/health/ready` on
    /// `listen` only reports whether the node is ready. If empty, all of this is public on `listen`.
    #[serde(deserialize_with = "address_or_none")]
    #[schemars(with = "String")]
    pub admin_listen: Option<SocketAddr>,
    /// The maximum size of a request body. Larger ones get status 413.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "16MiB"))]
    pub body_max: Size,
    /// How long the head or the body of a request may take to arrive before the connection is closed.
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub read_timeout: Span,
    /// How long a client may accept no data before its connection is closed. It must not be shorter than
    /// `graphql.socket_write_timeout`.
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub write_timeout: Span,
    /// The maximum number of open connections, including subscription sockets. Further ones wait in the kernel's queue.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: usize,
    /// How long a graceful shutdown may take. Requests and messages in progress are finished; what still runs after that is aborted.
    #[schemars(extend("x-min" = "0ms", "x-max" = "1h"))]
    pub shutdown_timeout: Span,
    /// How long, within `shutdown_timeout`, new requests are still accepted (each closes its connection) while readiness already
    /// fails, so that clients and load balancers can move away without losing a request.
    #[schemars(extend("x-min" = "0ms", "x-max" = "5m"))]
    pub linger: Span,
    /// Whether the storefront is served at / and at every address that is not used otherwise. If false, / returns 404.
    pub storefront: bool,
    /// Additional origins from which the storefront may load images, such as `"https://img.example"`. This server itself need not be
    /// listed. Images from other origins are replaced with a placeholder.
    pub picture_origins: Vec<String>,
    /// Whether GraphiQL is served at `/graphiql`, to try queries in the browser.
    pub graphiql: bool,
    /// How often readiness and the gauges of `/metrics` are updated.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub measure_every: Span,
}

impl Server {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let shorter = *self.linger < *self.shutdown_timeout || self.linger.is_zero();
        check.require(
            shorter,
            &["server.linger", "server.shutdown_timeout"],
            "linger must be shorter than shutdown_timeout",
        );
        check.require(
            self.picture_origins.iter().all(|origin| is_origin(origin)),
            &["server.picture_origins"],
            "picture_origins must have a scheme and a host, such as \"https://img.example\", without a path",
        );
        check.require(
            self.listen.port() == 0 || self.admin_listen != Some(self.listen),
            &["server.listen", "server.admin_listen"],
            "listen and admin_listen must be different addresses",
        );
    }
}

fn address_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(D::Error::custom) }
}
