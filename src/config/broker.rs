//! `[broker]`: what carries messages.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Secret, Span};

/// What carries messages.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `embedded:` or `pulsar://…`.
    pub url: Secret,
    /// Partitions of `order-requests`.
    #[schemars(range(min = 1, max = 1_024))]
    pub partitions: u32,
    /// Tickets in one message at most.
    #[schemars(range(min = 1, max = 10_000))]
    pub envelope_items: usize,
    /// Messages on their way to the broker at the same time, per partition.
    #[schemars(range(min = 1, max = 64))]
    pub in_flight: usize,
    /// How long a publish may take before the answer is "unknown".
    #[schemars(extend("x-min" = "1ms", "x-max" = "5m"))]
    pub publish_timeout: Span,
    /// How long until an unacknowledged message is delivered again (competing consumers).
    #[schemars(extend("x-min" = "1ms", "x-max" = "1d"))]
    pub redelivery_after: Span,
    /// Messages buffered for one broadcast consumer before it is told that it lagged.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub broadcast_buffer: usize,
}

impl Broker {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let known = self.url.expose() == "embedded:" || matches!(self.url.scheme(), Some("pulsar" | "pulsar+ssl"));
        check.require(known, &["broker.url"], "must be \"embedded:\" or \"pulsar://…\"");
    }
}
