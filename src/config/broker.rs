//! `[broker]`: the message broker.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::check::Check;
use super::{Secret, Size, Span};

/// The largest message whose dead-letter copy still fits the default limit of a broker, 5 MiB.
const PULSAR_MESSAGE_MAX: usize = 3 << 20;

/// The message broker.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// What carries messages: `"embedded:"` (a durable queue in the same database) or `"pulsar://…"`.
    pub url: Secret,
    /// The number of partitions of order requests, which is the maximum number of order writers working in parallel. Sales are
    /// assigned to partitions by ID. Embedded: only lower it while no order requests are waiting. Pulsar: it can be raised at any
    /// time by restarting the nodes with the writer role first, but never lowered.
    #[schemars(range(min = 1, max = 1_024))]
    pub partitions: u32,
    /// The maximum number of accepted purchases in one message.
    #[schemars(range(min = 1, max = 10_000))]
    pub envelope_items: usize,
    /// The maximum number of messages being published at the same time, per partition.
    #[schemars(range(min = 1, max = 64))]
    pub in_flight: usize,
    /// The maximum number of accepted purchases of one partition waiting to be published. When the queue is full, further ones wait
    /// for at most `publish_timeout`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub envelope_queue: usize,
    /// The timeout for a publish. After that the purchase fails with UNAVAILABLE; a retry with the same key finds the same ticket.
    #[schemars(extend("x-min" = "1ms", "x-max" = "5m"))]
    pub publish_timeout: Span,
    /// How long until an unacknowledged message is redelivered to a consumer.
    #[schemars(extend("x-min" = "1ms", "x-max" = "1d"))]
    pub redelivery_after: Span,
    /// The maximum number of messages buffered for one broadcast consumer. A slower consumer is notified that it lagged and reads the
    /// current state again.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub broadcast_buffer: usize,
    /// The maximum size of a message. Larger messages are rejected.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "4MiB"))]
    pub message_max: Size,
    /// The maximum number of bytes of messages waiting to be stored (embedded). When the queue is full, publishers wait.
    #[schemars(extend("x-min" = "64KiB", "x-max" = "1GiB"))]
    pub publish_queue: Size,
    /// How many bytes of each partition's newest messages are kept in memory for its consumer, so that it need not read them back
    /// (embedded).
    #[schemars(extend("x-min" = "0B", "x-max" = "1GiB"))]
    pub tail: Size,
    /// How long an acknowledgement may wait for a publish whose commit it can share (embedded).
    #[schemars(extend("x-min" = "1ms", "x-max" = "10s"))]
    pub ack_flush: Span,
    /// How often delayed messages are checked for being due, and messages from other processes are looked for (embedded).
    #[schemars(extend("x-min" = "1ms", "x-max" = "10s"))]
    pub poll_every: Span,
    /// The maximum number of outbox rows relayed at once.
    #[schemars(range(min = 1, max = 10_000))]
    pub relay_batch: usize,
    /// How long an event waits for the relay of the node that wrote it before another node relays it.
    #[schemars(extend("x-min" = "1ms", "x-max" = "10m"))]
    pub orphaned_after: Span,
    /// How often the whole outbox is scanned, in case a wake-up was lost.
    #[schemars(extend("x-min" = "1ms", "x-max" = "10m"))]
    pub relay_sweep: Span,
    /// A PEM file with certificate authorities that are trusted in addition to the public ones (`pulsar+ssl://…`), and instead of them for
    /// the admin API (`https://…`). Empty: only the public ones.
    pub tls_roots: String,
    /// The HTTP address of the brokers' admin API, which doorbuster uses to create topics, subscriptions and their policies.
    pub admin_url: Secret,
    /// A token with full permissions in the tenant. If empty, no token is sent.
    pub token: Secret,
    /// A file with the token, as an alternative to `token`. It is read for each connection and request (Pulsar).
    pub token_file: String,
    /// The tenant whose namespaces `trade` and `results` hold the topics. It is created if it does not exist.
    pub tenant: String,
    /// The maximum number of messages awaiting a receipt, per topic and partition. Their bytes are limited by `publish_queue`, also
    /// per topic and partition.
    #[schemars(range(min = 1, max = 1_000))]
    pub send_window: usize,
    /// The number of messages that a consumer prefetches.
    #[schemars(range(min = 1, max = 10_000))]
    pub receive_queue: u32,
    /// The timeout for one request to the brokers. A message waits for its receipt for three quarters of this time and is then sent
    /// again over a new connection. Buyers wait for at most `publish_timeout`.
    #[schemars(extend("x-min" = "100ms", "x-max" = "5m"))]
    pub operation_timeout: Span,
    /// The maximum delay between two connection attempts.
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub reconnect_max: Span,
    /// How long a partition may fail to store anything while tickets wait for it before its circuit breaker opens (Pulsar; for
    /// embedded, `publish_timeout` applies). While it is open, purchases of the sales in this partition fail immediately with
    /// UNAVAILABLE; other partitions are not affected.
    #[schemars(extend("x-hot" = true, "x-min" = "1ms", "x-max" = "1h"))]
    pub refuse_after: Span,
    /// How often each connection sends a keepalive ping.
    #[schemars(extend("x-min" = "100ms", "x-max" = "5m"))]
    pub keep_alive: Span,
    /// How long a consumer may receive nothing before it checks whether messages are waiting, and reconnects if they are.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub stall_after: Span,
    /// How long a start waits for the brokers to become available.
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub start_timeout: Span,
    /// How long results, catalog changes and the subscriptions of vanished nodes are retained. Whole minutes only.
    #[schemars(extend("x-min" = "1m", "x-max" = "1d"))]
    pub results_kept: Span,
}

impl Broker {
    /// How long a partition may store nothing before its sales are refused. The embedded broker has one journal for all of them:
    /// there a disk that stalls for a moment refuses nobody.
    pub fn patience(&self) -> Duration {
        if self.url.expose() == "embedded:" { *self.publish_timeout } else { *self.refuse_after }
    }

    pub(super) fn validate(&self, check: &mut Check<'_>) {
        let known = self.url.expose() == "embedded:" || matches!(self.url.scheme(), Some("pulsar" | "pulsar+ssl"));
        check.require(known, &["broker.url"], "must be \"embedded:\" or \"pulsar://…\"");
        let encrypted = self.url.scheme() == Some("pulsar+ssl") || self.admin_url.scheme() == Some("https");
        check.require(
            self.tls_roots.is_empty() || (encrypted && self.url.expose() != "embedded:"),
            &["broker.tls_roots", "broker.url"],
            "needs broker.url \"pulsar+ssl://…\" or broker.admin_url \"https://…\": otherwise nothing is encrypted",
        );
        if self.url.expose() == "embedded:" {
            return;
        }
        let http = matches!(self.admin_url.scheme(), Some("http" | "https"));
        check.require(
            http,
            &["broker.admin_url"],
            "must be \"http://…\" or \"https://…\" with broker.url \"pulsar://…\"",
        );
        check.require(
            self.token.expose().is_empty() || self.token_file.is_empty(),
            &["broker.token", "broker.token_file"],
            "must not both be given",
        );
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let named = !self.tenant.is_empty() && self.tenant.chars().all(plain);
        check.require(named, &["broker.tenant"], "must consist of letters, digits, \"-\" and \"_\"");
        // A dead-letter message grows by a third if it is not text, and brokers accept 5 MiB.
        let fits = *self.message_max <= PULSAR_MESSAGE_MAX;
        check.require(fits, &["broker.message_max"], "must be at most 3MiB with broker.url \"pulsar://…\"");
    }
}
