//! `[limits]`: how often, and how much at once.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Network, Span};

/// How often, and how much at once.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Networks whose requests are not counted.
    pub unlimited: Vec<Network>,
    /// Requests, and operations on sockets, per address and second; 0 lifts the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub requests_per_address_per_second: u32,
    /// Operations per user and second; 0 lifts the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub requests_per_user_per_second: u32,
    /// Purchases per user and minute; 0 lifts the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub purchases_per_user_per_minute: u32,
    /// How long a change waits for the count that nodes share; without an answer the node's own decides (Redis).
    #[schemars(extend("x-min" = "1ms", "x-max" = "1s"))]
    pub shared_wait: Span,
    /// Sockets and event streams per address at the same time; 0 lifts the limit.
    #[schemars(range(min = 0, max = 1_000_000))]
    pub streams_per_address: usize,
    /// Operations executed at the same time, when answers are slow.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency_min: usize,
    /// Operations executed at the same time at most.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency_max: usize,
    /// Slower than this is overload.
    #[schemars(extend("x-min" = "1ms", "x-max" = "1m"))]
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
