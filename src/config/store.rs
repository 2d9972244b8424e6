//! `[store]`: where the data lives.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Secret, Span};

/// Where the data lives.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// `sqlite://PATH` or `postgres://…`.
    pub url: Secret,
    /// Read connections (SQLite).
    #[schemars(range(min = 1, max = 64))]
    pub readers: usize,
    /// Writes that may wait for the writer (SQLite).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub writer_queue: usize,
    /// Writes that share one commit at most (SQLite).
    #[schemars(range(min = 1, max = 10_000))]
    pub writer_batch: usize,
    /// How long to wait for a lock that another process holds (SQLite).
    #[schemars(extend("x-min" = "0ms", "x-max" = "5m"))]
    pub busy_timeout: Span,
    /// Connections in the pool (PostgreSQL).
    #[schemars(range(min = 1, max = 1_000))]
    pub connections: u32,
    /// How long to wait for a pooled connection (PostgreSQL).
    #[schemars(extend("x-min" = "1ms", "x-max" = "5m"))]
    pub acquire_timeout: Span,
}

impl Store {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let known = matches!(self.url.scheme(), Some("sqlite" | "postgres" | "postgresql"));
        check.require(known, &["store.url"], "must be \"sqlite://PATH\" or \"postgres://USER:PASSWORD@HOST/DATABASE\"");
        let path = self.url.expose().strip_prefix("sqlite:").map(|rest| rest.strip_prefix("//").unwrap_or_default());
        check.require(
            path.is_none_or(is_file_path),
            &["store.url"],
            "must name a file, such as \"sqlite://data/doorbuster.db\"",
        );
    }
}

/// SQLite's in-memory databases are refused: each connection would have its own.
fn is_file_path(path: &str) -> bool {
    !path.is_empty() && !path.starts_with(':') && !path.contains('?')
}
