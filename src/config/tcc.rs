//! `[tcc]`: global transactions (Try, Confirm, Cancel).

use schemars::JsonSchema;
use serde::Deserialize;

use super::Span;
use super::check::Check;

/// Global transactions (Try, Confirm, Cancel).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tcc {
    /// How long a transaction may be undecided before it is cancelled.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub deadline: Span,
    /// How often abandoned transactions are looked for.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub poll_every: Span,
    /// How long a recovery worker holds a transaction before others may take it over.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub lease: Span,
    /// The maximum number of transactions taken over at once.
    #[schemars(range(min = 1, max = 1_000))]
    pub batch: usize,
    /// The delay before the first retry. Each further delay doubles.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub retry_first: Span,
    /// The maximum delay between retries. Transactions are retried until they complete.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub retry_max: Span,
    /// The number of failed attempts of a transaction after which each further failure is logged as an error.
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
