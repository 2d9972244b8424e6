//! `[store]`: the database.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::{Secret, Size, Span};

/// The database.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Store {
    /// The database: `"sqlite://PATH"` (a file, relative to the working directory; its folder must be writable) or
    /// `"postgres://USER:PASSWORD@HOST/DATABASE"`. The three URLs of `[store]`, `[gate]` and `[broker]` must belong to the same
    /// profile.
    pub url: Secret,
    /// The number of read connections (SQLite). More connections allow more concurrent queries; each uses about 2 MiB of cache.
    #[schemars(range(min = 1, max = 64))]
    pub readers: usize,
    /// The maximum number of writes waiting for the single writer (SQLite). When the queue is full, further writes fail immediately
    /// with UNAVAILABLE.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub writer_queue: usize,
    /// The maximum number of writes that share one commit and therefore one flush to disk (SQLite).
    #[schemars(range(min = 1, max = 10_000))]
    pub writer_batch: usize,
    /// The page cache of the writer's connection (SQLite), allocated as needed. Index pages that do not fit are read again for each
    /// order.
    #[schemars(extend("x-min" = "1MiB", "x-max" = "4GiB"))]
    pub writer_cache: Size,
    /// The size of the write-ahead log at which commits start to copy it into the database file (SQLite). A larger log copies
    /// frequently changed pages less often, but takes longer to read when starting after a crash.
    #[schemars(extend("x-min" = "64KiB", "x-max" = "1GiB"))]
    pub checkpoint: Size,
    /// How long to wait for a lock on the file held by another process (SQLite) before failing with UNAVAILABLE.
    #[schemars(extend("x-min" = "0ms", "x-max" = "5m"))]
    pub busy_timeout: Span,
    /// The maximum number of connections in this node's pool (PostgreSQL). The total of all nodes must stay below the server's
    /// `max_connections`.
    #[schemars(range(min = 1, max = 1_000))]
    pub connections: u32,
    /// How long to wait for a pooled connection (PostgreSQL) before failing with UNAVAILABLE.
    #[schemars(extend("x-min" = "1ms", "x-max" = "5m"))]
    pub acquire_timeout: Span,
    /// The timeout for opening a connection (PostgreSQL).
    #[schemars(extend("x-min" = "10ms", "x-max" = "5m"))]
    pub connect_timeout: Span,
    /// How long the database may be unreachable or unresponsive before the circuit breaker opens (PostgreSQL). While it is open, one
    /// call per 200 ms is let through and all others fail immediately with UNAVAILABLE; the first success closes it.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1m"))]
    pub refuse_after: Span,
    /// The timeout after which the server cancels a statement (PostgreSQL). The request fails with UNAVAILABLE.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub statement_timeout: Span,
    /// The timeout after which the server cancels a statement that waits for a lock (PostgreSQL). It must not be longer than
    /// `statement_timeout`.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub lock_timeout: Span,
    /// How long a transaction may be idle before the server aborts it and releases its locks (PostgreSQL). This limits what a frozen
    /// node costs the others.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub idle_in_transaction_timeout: Span,
    /// The timeout for a whole read or transaction, after which its connection is closed (PostgreSQL). It also detects a server that
    /// hangs or is cut off. It must be longer than `statement_timeout`.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1h"))]
    pub work_timeout: Span,
    /// How long a connection may be idle before TCP keepalive probes it (PostgreSQL).
    #[schemars(extend("x-min" = "3s", "x-max" = "2h"))]
    pub keepalive: Span,
    /// How long migrations may take to get their locks, including the lock of another migration (PostgreSQL). They wait for a table in use
    /// for half a second at a time, so that they hold up other transactions no longer than that.
    #[schemars(extend("x-min" = "100ms", "x-max" = "1h"))]
    pub migration_wait: Span,
    /// The node's name, by which the server knows its connections; set by the program.
    #[serde(skip)]
    #[schemars(skip)]
    pub node: String,
    /// How this server identifies itself to another one on the same file (SQLite); empty in a command, which may run beside a server.
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
            "lock_timeout must not be longer than statement_timeout, or it has no effect",
        );
        check.require(
            *self.statement_timeout < *self.work_timeout,
            &["store.statement_timeout", "store.work_timeout"],
            "work_timeout must be longer than statement_timeout, or a slow statement closes its connection",
        );
    }
}

/// SQLite's in-memory databases are refused: each connection would have its own.
fn is_file_path(path: &str) -> bool {
    !path.is_empty() && !path.starts_with(':') && !path.contains('?')
}
