//! `[server]`: the HTTP server.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::access::is_origin;
use super::{Check, Size, Span};

/// The HTTP server.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port to listen on; port 0 takes any free one.
    #[schemars(extend("format" = "socket-address"))]
    pub listen: SocketAddr,
    /// Address and port for `/metrics` and the reasons of `/health/ready`, which are then on no other; empty: they are on `listen`.
    #[serde(deserialize_with = "address_or_none")]
    #[schemars(with = "String")]
    pub admin_listen: Option<SocketAddr>,
    /// Largest request body.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "16MiB"))]
    pub body_max: Size,
    /// How long a request's head or body may take to arrive.
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub read_timeout: Span,
    /// How long a connection may take nothing of what is written to it.
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub write_timeout: Span,
    /// Open connections at most.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: usize,
    /// How long a graceful shutdown may take.
    #[schemars(extend("x-min" = "0ms", "x-max" = "1h"))]
    pub shutdown_timeout: Span,
    /// How long, of that time, requests are still taken, each as the last of its connection.
    #[schemars(extend("x-min" = "0ms", "x-max" = "5m"))]
    pub linger: Span,
    /// Serve the storefront.
    pub storefront: bool,
    /// Origins of other hosts whose pictures the storefront may show.
    pub picture_origins: Vec<String>,
    /// Serve GraphiQL.
    pub graphiql: bool,
    /// How often readiness and the gauges are brought up to date.
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
