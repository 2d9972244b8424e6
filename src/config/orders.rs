//! `[orders]`: the order writer, expiry and reconciliation.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Span;

/// The order writer, expiry and reconciliation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// The maximum number of tickets that the order writer decides in one transaction.
    #[schemars(range(min = 1, max = 10_000), extend("x-hot" = true))]
    pub writer_batch: usize,
    /// How long the writer waits for more tickets before it commits a batch. This adds to the time until a buyer gets the outcome.
    #[schemars(extend("x-hot" = true, "x-min" = "0ms", "x-max" = "1s"))]
    pub writer_linger: Span,
    /// How often overdue unpaid orders are looked for, which is the longest delay of an expiry, and how often paid units are
    /// subtracted from the units shown as held.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1h"))]
    pub sweep_every: Span,
    /// The maximum number of orders expired in one transaction.
    #[schemars(range(min = 1, max = 10_000), extend("x-hot" = true))]
    pub sweep_batch: usize,
    /// How often pending tickets in the gate are compared with the orders.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1h"))]
    pub reconcile_every: Span,
    /// How long a ticket may be pending before it is published again. It must not be shorter than `broker.publish_timeout`.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1h"))]
    pub pending_after: Span,
    /// The number of attempts to record a ticket before it is moved to the dead-letter queue and reported to its buyer as VOIDED.
    #[schemars(range(min = 1, max = 100), extend("x-hot" = true))]
    pub poison_tries: u32,
}
