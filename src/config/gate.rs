//! `[gate]`: where purchases are admitted.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Secret, Span};

/// Where purchases are admitted.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// `memory:` or `redis://…`.
    pub url: Secret,
    /// Purchases that share one gate call at most.
    #[schemars(range(min = 1, max = 1_024))]
    pub batch: usize,
    /// Purchases of one sale that may wait for the gate.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub queue: usize,
    /// Sales that may have purchases waiting at the same time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sales: usize,
    /// How long after its end a sale stays in the gate.
    #[schemars(extend("x-min" = "1s", "x-max" = "90d"))]
    pub retention: Span,
}

impl Gate {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let known = self.url.expose() == "memory:" || matches!(self.url.scheme(), Some("redis" | "rediss"));
        check.require(known, &["gate.url"], "must be \"memory:\" or \"redis://…\"");
    }
}
