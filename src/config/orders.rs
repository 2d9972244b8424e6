//! `[orders]`: the order writer, expiry, reconciliation.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Span;

/// The order writer, expiry, reconciliation.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Orders {
    /// Tickets in one writer transaction at most.
    #[schemars(range(min = 1, max = 10_000))]
    pub writer_batch: usize,
    /// How long the writer waits for more tickets before it commits what it has.
    #[schemars(extend("x-min" = "0ms", "x-max" = "1s"))]
    pub writer_linger: Span,
    /// How often unpaid orders past their time are looked for.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub sweep_every: Span,
    /// Orders expired in one transaction at most.
    #[schemars(range(min = 1, max = 10_000))]
    pub sweep_batch: usize,
    /// How often pending tickets are compared with orders.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub reconcile_every: Span,
    /// How long a ticket may be pending before it is published again.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub pending_after: Span,
    /// Tries of one ticket before it is parked.
    #[schemars(range(min = 1, max = 100))]
    pub poison_tries: u32,
}
