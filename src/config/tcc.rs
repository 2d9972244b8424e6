//! `[tcc]`: global transactions.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Span};

/// Global transactions.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tcc {
    /// How long a transaction may be undecided before it is cancelled.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub deadline: Span,
    /// How often transactions that were left behind are looked for.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub poll_every: Span,
    /// How long one instance keeps a transaction before others may work on it.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub lease: Span,
    /// Transactions that are taken at once.
    #[schemars(range(min = 1, max = 1_000))]
    pub batch: usize,
    /// How long to wait after the first trouble; each further wait is twice as long.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub retry_first: Span,
    /// How long to wait at most.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub retry_max: Span,
    /// Failed tries of one transaction after which each is logged as an error.
    #[schemars(range(min = 1, max = 1_000))]
    pub alert_after: u32,
}

impl Tcc {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        check.require(
            *self.retry_first <= *self.retry_max,
            &["tcc.retry_first", "tcc.retry_max"],
            "retry_first must not be longer than retry_max",
        );
    }
}
