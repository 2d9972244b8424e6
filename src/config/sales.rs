//! `[sales]`: sessions and sales.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Span;
use super::check::Check;

/// Sessions and sales.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sales {
    /// The shop's time zone, an IANA name. It determines which sessions are "today's".
    pub time_zone: String,
    /// How often the catalog in memory is compared with the database, in case a change event was lost. Each comparison is one small
    /// query.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1h"))]
    pub poll_every: Span,
    /// How often the whole catalog in the database is compared with the one in memory, for edits in SQL that no trigger recorded.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1d"))]
    pub reread_every: Span,
    /// How long a session stays in the lists after its end, which limits their memory. Orders of older sales still show them.
    #[schemars(extend("x-min" = "1h", "x-max" = "3650d"))]
    pub history: Span,
    /// How long an uploaded picture that no product uses is kept after it was uploaded or taken off a product. A product uses it if its
    /// image URL is the path that the upload returned.
    #[schemars(extend("x-hot" = true, "x-min" = "1s", "x-max" = "3650d"))]
    pub unused_pictures: Span,
    /// The maximum number of sale reports that a node prepares at the same time. Each reads all purchases of its sale. Beyond that, they
    /// are rejected with `UNAVAILABLE`.
    #[schemars(range(min = 1, max = 100))]
    pub reports_max: usize,
}

impl Sales {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let known = jiff::tz::TimeZone::get(&self.time_zone).is_ok();
        check.require(known, &["sales.time_zone"], "must be an IANA time zone, such as \"Asia/Shanghai\"");
    }
}
