//! `[limits]`: rate limits and concurrency limits.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::{Network, Span};

/// Rate limits and concurrency limits.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Networks exempt from the rate limits per address and user. The default is this machine, for load tests. Behind a proxy on the
    /// same machine, also set `access.trusted_proxies`; otherwise nobody is limited.
    #[schemars(extend("x-hot" = true))]
    pub unlimited: Vec<Network>,
    /// Rate limit for requests, and operations on sockets, per address (IPv6: per /64). 0 disables the limit. Many customers of one
    /// mobile network can share an address. With Redis, all nodes count together. Without it, while it is unavailable, and for
    /// subscriptions, each node counts separately.
    #[schemars(range(min = 0, max = 1_000_000), extend("x-hot" = true))]
    pub requests_per_address_per_second: u32,
    /// Rate limit for operations per user. 0 disables the limit.
    #[schemars(range(min = 0, max = 1_000_000), extend("x-hot" = true))]
    pub requests_per_user_per_second: u32,
    /// Rate limit for purchase attempts per user. 0 disables the limit. The limits of sign-ins are in `[accounts]`.
    #[schemars(range(min = 0, max = 1_000_000), extend("x-hot" = true))]
    pub purchases_per_user_per_minute: u32,
    /// Rate limit for uploads of pictures per user. 0 disables the limit.
    #[schemars(range(min = 0, max = 1_000_000), extend("x-hot" = true))]
    pub uploads_per_user_per_minute: u32,
    /// How long a mutation waits for the counters shared in Redis. After that the node's own count decides. Queries do not wait: they
    /// are counted afterwards, and clients over a limit are rejected from then on.
    #[schemars(extend("x-hot" = true, "x-min" = "1ms", "x-max" = "1s"))]
    pub shared_wait: Span,
    /// The maximum number of concurrent sockets and event streams per address. 0 disables the limit.
    #[schemars(range(min = 0, max = 1_000_000), extend("x-hot" = true))]
    pub streams_per_address: usize,
    /// The lower bound of the concurrency limit, which adapts to the latency of purchases and other mutations. Operations beyond the
    /// limit fail immediately with UNAVAILABLE: lists first, then other queries, then mutations, and purchases last.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-hot" = true))]
    pub concurrency_min: usize,
    /// The upper bound of the concurrency limit. Each operation in progress uses memory.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-hot" = true))]
    pub concurrency_max: usize,
    /// The latency that counts as overload. When even the fastest mutation within a tenth of a second takes longer, the concurrency
    /// limit is lowered; when tasks wait this long for a processor, lists are rejected.
    #[schemars(extend("x-hot" = true, "x-min" = "1ms", "x-max" = "1m"))]
    pub latency_target: Span,
}

impl Limits {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        check.require(
            self.concurrency_min <= self.concurrency_max,
            &["limits.concurrency_min", "limits.concurrency_max"],
            "concurrency_min must not be larger than concurrency_max",
        );
    }
}
