//! `[broker]`: what carries messages.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Secret, Size, Span};

/// The largest message that can still be parked in a broker's default limit of 5 MiB.
const PULSAR_MESSAGE_MAX: usize = 3 << 20;

/// What carries messages.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// `embedded:` or `pulsar://…`.
    pub url: Secret,
    /// Partitions of `order-requests`.
    #[schemars(range(min = 1, max = 1_024))]
    pub partitions: u32,
    /// Tickets in one message at most.
    #[schemars(range(min = 1, max = 10_000))]
    pub envelope_items: usize,
    /// Messages on their way to the broker at the same time, per partition.
    #[schemars(range(min = 1, max = 64))]
    pub in_flight: usize,
    /// Tickets that may wait to be published, per partition.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub envelope_queue: usize,
    /// How long a publish may take before the answer is "unknown".
    #[schemars(extend("x-min" = "1ms", "x-max" = "5m"))]
    pub publish_timeout: Span,
    /// How long until an unacknowledged message is delivered again (competing consumers).
    #[schemars(extend("x-min" = "1ms", "x-max" = "1d"))]
    pub redelivery_after: Span,
    /// Messages buffered for one broadcast consumer before it is told that it lagged.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub broadcast_buffer: usize,
    /// The largest message; what is larger is refused.
    #[schemars(extend("x-min" = "1KiB", "x-max" = "4MiB"))]
    pub message_max: Size,
    /// Bytes of messages that may wait to be stored; publishers of more wait (embedded).
    #[schemars(extend("x-min" = "64KiB", "x-max" = "1GiB"))]
    pub publish_queue: Size,
    /// Bytes of each partition's newest messages kept for its consumer, so that it need not read them back (embedded).
    #[schemars(extend("x-min" = "0B", "x-max" = "1GiB"))]
    pub tail: Size,
    /// How long an acknowledgement may wait for a publish whose commit it shares (embedded).
    #[schemars(extend("x-min" = "1ms", "x-max" = "10s"))]
    pub ack_flush: Span,
    /// How often due times are compared with the clock, and messages of other processes looked for (embedded).
    #[schemars(extend("x-min" = "1ms", "x-max" = "10s"))]
    pub poll_every: Span,
    /// Outbox rows relayed at once at most.
    #[schemars(range(min = 1, max = 10_000))]
    pub relay_batch: usize,
    /// How long an event may wait for the relay of the node that wrote it before another node relays it.
    #[schemars(extend("x-min" = "1ms", "x-max" = "10m"))]
    pub orphaned_after: Span,
    /// How often the whole outbox is looked through, should a wake-up be lost.
    #[schemars(extend("x-min" = "1ms", "x-max" = "10m"))]
    pub relay_sweep: Span,
    /// Where the brokers answer over HTTP: `http://host:8080` (Pulsar).
    pub admin_url: Secret,
    /// A token that may do everything in the tenant; empty: none is shown (Pulsar).
    pub token: Secret,
    /// A file with the token, which is read whenever it is needed (Pulsar).
    pub token_file: String,
    /// The tenant whose namespaces `trade` and `results` hold the topics; created where it is missing (Pulsar).
    pub tenant: String,
    /// Messages without a receipt at the same time, per topic and partition (Pulsar).
    #[schemars(range(min = 1, max = 1_000))]
    pub send_window: usize,
    /// Messages that a consumer fetches ahead (Pulsar).
    #[schemars(range(min = 1, max = 10_000))]
    pub receive_queue: u32,
    /// How long one request to the brokers may take; a message waits for its receipt for three quarters of that, and is
    /// then sent again over a new connection (Pulsar).
    #[schemars(extend("x-min" = "100ms", "x-max" = "5m"))]
    pub operation_timeout: Span,
    /// The longest wait between two tries to connect (Pulsar).
    #[schemars(extend("x-min" = "10ms", "x-max" = "1m"))]
    pub reconnect_max: Span,
    /// How long a partition may store nothing while tickets wait for it; after that, until something is stored, purchases of
    /// its sales are answered "try later" at once (Pulsar; embedded: `publish_timeout`).
    #[schemars(extend("x-min" = "1ms", "x-max" = "1h"))]
    pub refuse_after: Span,
    /// How often each connection is asked for a sign of life (Pulsar).
    #[schemars(extend("x-min" = "100ms", "x-max" = "5m"))]
    pub keep_alive: Span,
    /// How long a consumer may hear nothing before it asks whether messages wait for it (Pulsar).
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub stall_after: Span,
    /// How long a start waits for the brokers to come up (Pulsar).
    #[schemars(extend("x-min" = "1s", "x-max" = "1h"))]
    pub start_timeout: Span,
    /// How long broadcast messages, and the subscriptions of nodes that vanished, are kept (Pulsar).
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
        check.require(named, &["broker.tenant"], "must be made of letters, digits, \"-\" and \"_\"");
        // A message that is parked grows by a third where it is no text, and brokers take 5 MiB.
        let fits = *self.message_max <= PULSAR_MESSAGE_MAX;
        check.require(fits, &["broker.message_max"], "must be 3MiB at most with broker.url \"pulsar://…\"");
    }
}
