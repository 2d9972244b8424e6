//! `[broker]`: what carries messages.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Secret, Size, Span};

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
    /// The largest message; what is larger is refused.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "4MiB"))]
    pub message_max: Size,
    /// Bytes of messages that may wait to be stored; publishers of more wait (embedded).
    #[schemars(extend("x-min" = "64KiB", "x-max" = "1GiB"))]
    pub publish_queue: Size,
    /// Bytes of each partition's newest messages kept for its consumer, so that it need not read them back (embedded).
    #[schemars(extend("x-min" = "0B", "x-max" = "1GiB"))]
    pub tail: Size,
    /// How long an acknowledgement may wait for a publish whose commit it shares (embedded).
    #[schemars(extend("x-min" = "1ms", "x-max" = "10s"))]
    pub ack_flush: Span,
    /// How often due times are compared with the clock, and messages of other processes looked for (embedded).
    #[schemars(extend("x-min" = "1ms", "x-max" = "10s"))]
    pub poll_every: Span,
    /// Outbox rows relayed at once at most.
    #[schemars(range(min = 1, max = 10_000))]
    pub relay_batch: usize,
    /// How often the whole outbox is looked through, should a wake-up be lost.
    #[schemars(extend("x-min" = "1ms", "x-max" = "10m"))]
    pub relay_sweep: Span,
}

impl Broker {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let known = self.url.expose() == "embedded:" || matches!(self.url.scheme(), Some("pulsar" | "pulsar+ssl"));
        check.require(known, &["broker.url"], "must be \"embedded:\" or \"pulsar://…\"");
    }
}
