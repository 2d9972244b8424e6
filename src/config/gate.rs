//! `[gate]`: the admission gate.

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::{Secret, Span};

/// The admission gate.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Where purchases are admitted: `"memory:"` (in this process, rebuilt from the database at start) or `"redis://…"`.
    pub url: Secret,
    /// A PEM file with the trusted certificate authorities. Empty: those of the operating system (Redis over TLS).
    pub tls_roots: String,
    /// A PEM file with the node's own certificate, followed by its intermediate certificates. Empty: no client certificate
    /// (Redis over TLS).
    pub tls_certificate: String,
    /// A file with the certificate's private key, without a passphrase (Redis over TLS).
    pub tls_key: String,
    /// The maximum number of purchases of one sale in one call to the gate.
    #[schemars(range(min = 1, max = 1_024))]
    pub batch: usize,
    /// The maximum number of purchases of one sale waiting for the gate. When the queue is full, buyers get `TRY_LATER`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub queue: usize,
    /// The maximum number of sales with purchases waiting for the gate at the same time.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub sales: usize,
    /// How long a sale stays in the gate after its end, so that late retries with an old key still get their original response.
    #[schemars(extend("x-min" = "1s", "x-max" = "90d"))]
    pub retention: Span,
    /// The prefix of all keys (Redis). Shops that share a server need different prefixes.
    #[schemars(length(min = 1, max = 64))]
    pub prefix: String,
    /// The number of this node's connections for admissions (Redis). Each one multiplexes many calls; with a second one, the
    /// processor core that writes to the first does not limit the throughput.
    #[schemars(range(min = 1, max = 64))]
    pub connections: usize,
    /// The number of this node's connections for everything else (Redis): rate limits, access tokens, rebuilds and settling. They are
    /// separate so that this work can't delay admissions.
    #[schemars(range(min = 1, max = 64))]
    pub other_connections: usize,
    /// The timeout for connecting (Redis), including the handshake and the check of the server.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub connect_timeout: Span,
    /// The timeout for a call (Redis). After that the request fails with UNAVAILABLE, and the connection is dropped.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub call_timeout: Span,
    /// The maximum delay before a lost connection is retried (Redis). The first delay is 50 ms and each further one doubles; up to
    /// half of it is removed at random so that many nodes do not reconnect at the same time.
    #[schemars(extend("x-min" = "1ms", "x-max" = "1m"))]
    pub reconnect_wait: Span,
    /// How long Redis may be unresponsive before the circuit breaker opens. While it is open, purchases fail immediately with
    /// UNAVAILABLE; a new connection closes it.
    #[schemars(extend("x-hot" = true, "x-min" = "10ms", "x-max" = "1m"))]
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
            check.require(kept, &[key, "gate.url"], "needs gate.url \"rediss://…\": otherwise nothing is encrypted");
        }
        check.require(
            self.tls_certificate.is_empty() == self.tls_key.is_empty(),
            &["gate.tls_certificate", "gate.tls_key"],
            "must be set together",
        );
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:".contains(&b);
        let prefix = (1..=64).contains(&self.prefix.len()) && self.prefix.bytes().all(plain);
        check.require(prefix, &["gate.prefix"], "must be 1 to 64 characters of A-Z a-z 0-9 - _ . :");
    }
}
