//! `[upgrade]`: upgrades to a new version of the program.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Span;

/// Upgrades to a new version of the program.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    /// An upgrade is finalised automatically once no node of the previous version has been seen for this long. Until then, the previous
    /// version can be started again. 0s disables this: then only `doorbuster upgrade finalise` finalises.
    #[schemars(extend("x-min" = "0ms", "x-max" = "30d"))]
    pub finalise_after: Span,
}
