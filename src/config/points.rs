//! `[points]`: loyalty points.

use schemars::JsonSchema;
use serde::Deserialize;

/// Loyalty points.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// The number of points granted at sign-up.
    #[schemars(range(min = 0, max = 1_000_000_000), extend("x-hot" = true))]
    pub welcome: i64,
    /// The maximum number of points per grant.
    #[schemars(range(min = 1, max = 1_000_000_000), extend("x-hot" = true))]
    pub grant_max: i64,
    /// The maximum balance that grants may raise an account to.
    #[schemars(range(min = 1, max = 1_000_000_000), extend("x-hot" = true))]
    pub balance_max: i64,
}
