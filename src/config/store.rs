//! `[store]`: where the data lives.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Secret, Size, Span};

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
    /// Cache of the writer's connection (SQLite).
    #[schemars(extend("x-min" = "1MiB", "x-max" = "4GiB"))]
    pub writer_cache: Size,
    /// Size of the write-ahead log from which on it is copied into the file (SQLite).
    #[schemars(extend("x-min" = "64KiB", "x-max" = "1GiB"))]
    pub checkpoint: Size,
    /// How long to wait for a lock that another process holds (SQLite).
    #[schemars(extend("x-min" = "0ms", "x-max" = "5m"))]
    pub busy_timeout: Span,
    /// Connections in the pool (PostgreSQL).
    #[schemars(range(min = 1, max = 1_000))]
    pub connections: u32,
    /// How long to wait for a pooled connection (PostgreSQL).
    #[schemars(extend("x-min" = "1ms", "x-max" = "5m"))]
    pub acquire_timeout: Span,
    /// How long opening a connection may take (PostgreSQL).
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub connect_timeout: Span,
    /// How long the database may not answer before callers are told at once (PostgreSQL).
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub refuse_after: Span,
    /// How long one statement may take on the server (PostgreSQL).
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub statement_timeout: Span,
    /// How long a statement may wait for a lock on the server (PostgreSQL).
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub lock_timeout: Span,
    /// How long a transaction may do nothing before the server ends it (PostgreSQL).
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub idle_in_transaction_timeout: Span,
    /// How long one read or transaction may take before its connection is given up (PostgreSQL).
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub work_timeout: Span,
    /// How long a connection may be silent before the network is asked whether it still is one (PostgreSQL).
    #[schemars(extend("x-min" = "3s", "x-max" = "2h"))]
    pub keepalive: Span,
    /// How long a migration may wait for a lock, another migration included (PostgreSQL).
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub migration_wait: Span,
    /// The node's name, by which the server knows its connections; set by the program.
    #[serde(skip)]
    #[schemars(skip)]
    pub node: String,
    /// What another server on the same file is told about this one (SQLite); empty in a command, which may work beside a server.
    /// Set by the program.
    #[serde(skip)]
    #[schemars(skip)]
    pub server: String,
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
        check.require(
            *self.lock_timeout <= *self.statement_timeout,
            &["store.lock_timeout", "store.statement_timeout"],
            "lock_timeout must not be longer than statement_timeout, or it never ends a wait",
        );
        check.require(
            *self.statement_timeout < *self.work_timeout,
            &["store.statement_timeout", "store.work_timeout"],
            "work_timeout must be longer than statement_timeout, or a slow statement costs its connection",
        );
    }
}

/// SQLite's in-memory databases are refused: each connection would have its own.
fn is_file_path(path: &str) -> bool {
    !path.is_empty() && !path.starts_with(':') && !path.contains('?')
}
