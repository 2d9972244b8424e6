//! `[hub]`: the delivery of events to subscriptions.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Span;

/// The delivery of events to subscriptions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// The minimum interval between two stock updates of the same sale.
    #[schemars(extend("x-hot" = true, "x-min" = "1ms", "x-max" = "1m"))]
    pub stock_tick: Span,
    /// The maximum number of sales in one stock subscription.
    #[schemars(range(min = 1, max = 1_000))]
    pub sales_per_subscription: usize,
    /// The maximum number of changed orders queued for one slow `viewerOrderUpdated` subscription, each with its latest change.
    /// Beyond that, the subscription ends with an error and the client queries the orders again.
    #[schemars(range(min = 1, max = 10_000))]
    pub orders_per_subscription: usize,
    /// The number of decided orders cached, so that queries right after a push need no database access. About 500 bytes each.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub recent_orders: u64,
    /// The maximum number of operators' `shopPulse` and `salePulse` subscriptions on a node. Beyond that, they are rejected with
    /// `RATE_LIMITED`.
    #[schemars(range(min = 1, max = 10_000))]
    pub pulses_max: usize,
}
