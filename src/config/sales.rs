//! `[sales]`: sessions and sales.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Span};

/// Sessions and sales.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sales {
    /// IANA name of the shop's time zone.
    pub time_zone: String,
    /// How often the snapshot is checked against the database, should a change event be lost.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub poll_every: Span,
    /// How long after its end a session stays in the lists.
    #[schemars(extend("x-min" = "1h", "x-max" = "3650d"))]
    pub history: Span,
}

impl Sales {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let known = jiff::tz::TimeZone::get(&self.time_zone).is_ok();
        check.require(known, &["sales.time_zone"], "must be an IANA time zone, such as \"Asia/Shanghai\"");
    }
}
