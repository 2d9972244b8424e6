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
    /// A file with the authorities whose certificates are believed; empty: those of the system (Redis over TLS).
    pub tls_roots: String,
    /// A file with the node's own certificate; empty: none is shown (Redis over TLS).
    pub tls_certificate: String,
    /// A file with its key (Redis over TLS).
    pub tls_key: String,
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
    /// What the names of all keys begin with (Redis).
    #[schemars(length(min = 1, max = 64))]
    pub prefix: String,
    /// Connections of this node for admissions, each shared by many calls (Redis).
    #[schemars(range(min = 1, max = 64))]
    pub connections: usize,
    /// Connections of this node for everything else, each shared by many calls (Redis).
    #[schemars(range(min = 1, max = 64))]
    pub other_connections: usize,
    /// How long connecting may take (Redis).
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub connect_timeout: Span,
    /// How long a call may take before the answer is "unknown" (Redis).
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub call_timeout: Span,
    /// The longest wait before a lost connection is tried again (Redis).
    #[schemars(extend("x-min" = "1ms", "x-max" = "1m"))]
    pub reconnect_wait: Span,
    /// How long Redis may not answer before callers are told at once (Redis).
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub refuse_after: Span,
}

impl Gate {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let known = self.url.expose() == "memory:" || matches!(self.url.scheme(), Some("redis" | "rediss"));
        check.require(known, &["gate.url"], "must be \"memory:\", \"redis://…\" or \"rediss://…\"");
        let files = [
            (&self.tls_roots, "gate.tls_roots"),
            (&self.tls_certificate, "gate.tls_certificate"),
            (&self.tls_key, "gate.tls_key"),
        ];
        for (file, key) in files {
            let kept = file.is_empty() || self.url.scheme() == Some("rediss");
            check.require(kept, &[key, "gate.url"], "needs gate.url \"rediss://…\": nothing is encrypted otherwise");
        }
        check.require(
            self.tls_certificate.is_empty() == self.tls_key.is_empty(),
            &["gate.tls_certificate", "gate.tls_key"],
            "belong together",
        );
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        let prefix = (1..=64).contains(&self.prefix.len()) && self.prefix.bytes().all(plain);
        check.require(prefix, &["gate.prefix"], "must be 1 to 64 of A-Z a-z 0-9 - _ . :");
    }
}
