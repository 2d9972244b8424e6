//! `[hub]`: the fan-out to subscriptions.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Span;

/// The fan-out to subscriptions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hub {
    /// Live stock is pushed at most this often.
    #[schemars(extend("x-min" = "1ms", "x-max" = "1m"))]
    pub stock_tick: Span,
    /// Sales in one stock subscription.
    #[schemars(range(min = 1, max = 1_000))]
    pub sales_per_subscription: usize,
    /// Orders of one buyer whose changes may wait for one slow subscription to all of them.
    #[schemars(range(min = 1, max = 10_000))]
    pub orders_per_subscription: usize,
    /// Decided orders remembered, so that who asks just after the push is answered without a query.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub recent_orders: u64,
}
