//! `[points]`: loyalty points.

use schemars::JsonSchema;
use serde::Deserialize;

/// Loyalty points.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Points {
    /// Points that a new account begins with.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub welcome: i64,
    /// Points that one grant may give.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub grant_max: i64,
    /// Points up to which an account may be raised by grants.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub balance_max: i64,
}
