//! Every metric of the program.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::instruments::{Counters, Gauges, Instruments, PerLabel, Seconds};
use super::process::Process;
use super::pulses::Watched;
use crate::model::answers::Answer;
use crate::model::messages::Topic;
use crate::model::upgrade::program_version;

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Outcomes of `salePurchase`.
const PURCHASE_RESULTS: [&str; Answer::COUNT] = Answer::names();
const TICKET_OUTCOMES: [&str; 5] = ["confirmed", "sold_out", "already_bought", "sale_ended", "voided"];
const ORDER_EVENTS: [&str; 5] = ["created", "paid", "cancelled", "expired", "refunded"];
const PAYMENT_EVENTS: [&str; 7] = ["begun", "succeeded", "surplus", "closed", "flagged", "unknown", "error"];
const REFUND_EVENTS: [&str; 6] = ["requested", "succeeded", "failed", "postponed", "mismatch", "error"];
const WRITER_FAILURES: [&str; 3] = ["unavailable", "refused", "no_outcome"];
const NOTIFICATIONS: [&str; 12] = [
    "accepted",
    "duplicate",
    "stale",
    "refund_notice",
    "unknown_payment",
    "wrong_method",
    "amount_mismatch",
    "flagged",
    "malformed",
    "bad_signature",
    "wrong_app",
    "wrong_seller",
];
const GLOBAL_TRANSACTION_EVENTS: [&str; 6] = ["begun", "confirmed", "cancelled", "postponed", "overdue", "breach"];
const SIGNS: [&str; 2] = ["positive", "negative"];
const STUCK: [&str; 2] = ["payments", "refunds"];
const EDIT_SOURCES: [&str; 2] = ["sql", "unknown"];
const REBUILDS: [&str; 3] = ["opened", "failed", "left"];

const TOPICS: [&str; 10] = [
    Topic::OrderRequests.name(),
    Topic::PurchaseResults.name(),
    Topic::PaymentTimeouts.name(),
    Topic::LoginEvents.name(),
    Topic::CatalogChanges.name(),
    Topic::GateChanges.name(),
    Topic::SessionChanges.name(),
    Topic::SettingsChanges.name(),
    Topic::Pulses.name(),
    Topic::Failures.name(),
];

/// A handle on all metrics of one app; cheap to clone. No globals: a process can hold two apps.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

/// The instruments. Label values are lower case; the case of what is passed does not matter.
pub struct Inner {
    registry: Mutex<Registry>,
    worker_restarts: Family<[(&'static str, String); 1], Counter>,
    worker_healthy: Family<[(&'static str, String); 1], Gauge>,
    lease_held: Family<[(&'static str, &'static str); 1], Gauge>,
    /// Answers of `salePurchase` by outcome: `admitted`, `replayed`, or the code in lower case.
    pub purchase_results: Counters,
    /// From the request of an accepted purchase to its receipt by the broker.
    pub purchase: Seconds,
    /// From a ticket's admission to its decision.
    pub ticket_decision: Seconds,
    /// What the control room shows and metrics can't tell.
    pub watched: Watched,
    /// Decisions of the order writer by outcome: `confirmed` or the refusal. `sold_out` means that the gate let too many in.
    pub tickets_decided: Counters,
    /// Order events: `created`, `paid`, `cancelled`, `expired`, `refunded`.
    pub orders: Counters,
    /// From the end of an unpaid order's time to its expiry, for orders that nobody began to pay.
    pub expiry_delay: Seconds,
    /// What happened to payments; `unknown` counts questions that the gateway did not answer clearly, `error` payments that could
    /// not be looked at and were put off.
    pub payments: Counters,
    /// What happened to refunds; `postponed` counts tries without a clear answer, `error` refunds that could not be brought further
    /// and were put off.
    pub refunds: Counters,
    /// Differences between the gateway's bills and the records that are open, by kind.
    pub bill_differences: Gauges,
    /// Payments and refunds that need an operator: flagged, or pending for too long. Counted up to 100 of each.
    pub money_stuck: Gauges,
    /// Notifications of gateways by what they came to, the forged ones too.
    pub notifications: Counters,
    /// What happened to global transactions: `begun`, `confirmed`, `cancelled`, `postponed` (trouble; it will be tried again), `overdue`
    /// (trouble for so long that a person should look), `breach` (what must never happen).
    pub global_transactions: Counters,
    /// One call of the gate.
    pub gate: Seconds,
    /// Units by which the gate and the orders differ, all sales together: `positive` (missing in the gate), `negative`.
    pub gate_drift: Gauges,
    /// Attempts to rebuild the gate of a sale: `opened`, `failed` (tried again), `left` (to another node).
    pub gate_rebuilds: Counters,
    /// Rounds in which the gate could not be compared with the database.
    pub gate_comparisons_failed: Counter,
    /// Tickets whose decision or end the gate has not learned yet.
    pub gate_undelivered: Gauge,
    /// Decided tickets that were not delivered to the gate because the queue was full; reconciliation finds them.
    pub gate_undelivered_lost: Counter,
    /// Sales whose terms in the gate differed from the database and were replaced by reconciliation.
    pub gate_terms_replaced: Counter,
    /// Edits of the catalog that were made in SQL and applied: `sql`, written down by a trigger; `unknown`, found by comparing.
    pub catalog_edits: Counters,
    /// Age of the oldest edit that is not applied.
    pub catalog_edit_lag: Gauge,
    /// One publish until its receipt, by topic.
    pub broker_publish: PerLabel<Seconds>,
    /// Messages that wait, by topic.
    pub broker_backlog: Gauges,
    /// Messages moved to the dead-letter queue, by the topic they came from.
    pub dead_letters: Counters,
    /// One transaction of the order writer.
    pub writer_batch: Seconds,
    /// Tickets in one transaction of the order writer.
    pub writer_batch_tickets: Histogram,
    /// Failed transactions of the order writer: `unavailable` (retried), `refused` (split, retried, and finally moved to the
    /// dead-letter queue), and `no_outcome`, tickets whose refusal could not be stored.
    pub writer_failures: Counters,
    /// 1 while the circuit breaker of this dependency is open and calls fail fast.
    pub refused: Gauges,
    /// Open sockets of subscriptions.
    pub sockets: Gauge,
    /// The number of the newest change of the stored settings that this node has seen.
    pub settings_revision: Gauge,
    /// Stored settings that are not in force on this node because it can't take them.
    pub settings_rejected: Gauge,
    /// Stored settings over which a flag of this node stands.
    pub settings_shadowed: Gauge,
    /// The data version that is in force in the database.
    pub data_version: Gauge,
    /// 1 while the upgrade to this program is not finalised.
    pub upgrade_pending: Gauge,
    /// When the last backup was made, in seconds since 1970; 0 if none was, or on a node that does not look.
    pub last_backup: Gauge,
    /// Times that a subscriber was too slow and lost intermediate values.
    pub hub_lagged: Counter,
}

impl Metrics {
    /// Registers everything, at zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Process));
        let mut add = Instruments(registry.sub_registry_with_prefix("doorbuster"));
        add.0.register("build", "The running program", Info::new([("version", program_version())]));
        add.0.register("log_lines_lost", "Log lines that could not be written", super::output::lost());
        Self(Arc::new(Inner {
            purchase_results: add.counters("purchase_results", "Results of salePurchase", "outcome", &PURCHASE_RESULTS),
            purchase: add.seconds("purchase_seconds", "Time from a purchase request to the broker's receipt"),
            ticket_decision: add.seconds("ticket_decision_seconds", "Time from a ticket's admission to its decision"),
            watched: Watched::default(),
            tickets_decided: add.counters("tickets_decided", "Tickets decided", "outcome", &TICKET_OUTCOMES),
            orders: add.counters("orders", "Order events", "event", &ORDER_EVENTS),
            expiry_delay: add.seconds("expiry_delay_seconds", "Time from an unpaid order's deadline to its expiry"),
            payments: add.counters("payments", "Payment events", "event", &PAYMENT_EVENTS),
            refunds: add.counters("refunds", "Refund events", "event", &REFUND_EVENTS),
            bill_differences: add.gauges(
                "bill_differences",
                "Discrepancies between the gateway's bills and the records",
                "kind",
                &["MISSING_HERE", "MISSING_THERE", "AMOUNT", "STATUS"],
            ),
            money_stuck: add.gauges("money_stuck", "Payments and refunds that need an operator", "kind", &STUCK),
            notifications: add.counters("notifications", "Gateway notifications", "verdict", &NOTIFICATIONS),
            global_transactions: add.counters(
                "global_transactions",
                "Events of global transactions",
                "event",
                &GLOBAL_TRANSACTION_EVENTS,
            ),
            gate: add.seconds("gate_seconds", "Duration of a call to the gate"),
            gate_drift: add.gauges("gate_drift_units", "Units by which gate and orders differ", "direction", &SIGNS),
            gate_rebuilds: add.counters("gate_rebuilds", "Rebuilds of a sale's gate", "outcome", &REBUILDS),
            gate_comparisons_failed: add
                .counter("gate_comparisons_failed", "Rounds in which the gate could not be compared with the database"),
            gate_undelivered: add.gauge("gate_undelivered_tickets", "Decided tickets not yet delivered to the gate"),
            gate_undelivered_lost: add.counter("gate_undelivered_lost", "Decided tickets left to reconciliation"),
            gate_terms_replaced: add.counter("gate_terms_replaced", "Sales whose terms were corrected in the gate"),
            catalog_edits: add.counters("catalog_edits", "Edits of the catalog in SQL", "source", &EDIT_SOURCES),
            catalog_edit_lag: add.gauge("catalog_edit_lag_seconds", "Age of the oldest edit in SQL not yet applied"),
            broker_publish: add.seconds_by("broker_publish_seconds", "Duration of a publish", "topic", &TOPICS),
            broker_backlog: add.gauges("broker_backlog", "Messages waiting to be consumed", "topic", &TOPICS),
            dead_letters: add.counters("dead_letters", "Messages moved to the dead-letter queue", "topic", &TOPICS),
            writer_batch: add.seconds("writer_batch_seconds", "Duration of a transaction of the order writer"),
            writer_batch_tickets: add.histogram(
                "writer_batch_tickets",
                "Tickets per transaction of the order writer",
                Histogram::new(exponential_buckets(1.0, 2.0, 14)),
            ),
            writer_failures: add.counters("writer_failures", "Failed writer transactions", "reason", &WRITER_FAILURES),
            refused: add.gauges(
                "circuit_breaker_open",
                "1 while the circuit breaker of the dependency is open and calls fail fast",
                "dependency",
                &["database", "gate", "broker", "payments"],
            ),
            sockets: add.gauge("sockets", "Open subscription sockets"),
            settings_revision: add.gauge("settings_revision", "Change of the stored settings that this node follows"),
            settings_rejected: add.gauge("settings_rejected", "Stored settings that this node can't take"),
            settings_shadowed: add.gauge("settings_shadowed", "Stored settings overridden by a flag of this node"),
            data_version: add.gauge("data_version", "Data version in force in the database"),
            upgrade_pending: add.gauge("upgrade_pending", "1 while the upgrade to this program is not finalised"),
            last_backup: add.gauge("last_backup_timestamp_seconds", "When the last backup was made; 0 if none was"),
            hub_lagged: add.counter("hub_lagged", "Times that a subscriber was too slow"),
            worker_restarts: add.add("worker_restarts", "Restarts of workers that failed", Family::default()),
            worker_healthy: add.add("worker_healthy", "1 while a worker runs without failures", Family::default()),
            lease_held: add.add("lease_held", "1 while some node does the job of the lease", Family::default()),
            registry: Mutex::new(registry),
        }))
    }

    /// The restarts of one worker. The names of workers are a short list of the program's own.
    pub fn worker_restarts(&self, worker: &str) -> Counter {
        self.0.worker_restarts.get_or_create_owned(&[("worker", worker.to_owned())])
    }

    /// Whether one worker runs and has not just failed.
    pub fn worker_healthy(&self, worker: &str) -> Gauge {
        self.0.worker_healthy.get_or_create_owned(&[("worker", worker.to_owned())])
    }

    /// Whether some node does a job, as far as this one can tell. The label is not `job`, which Prometheus gives to all that it scrapes.
    pub fn lease_held(&self, job: &'static str) -> Gauge {
        self.0.lease_held.get_or_create_owned(&[("lease", job)])
    }

    /// Adds what a slice counts by itself; its names get `doorbuster_` in front.
    pub fn register(&self, add: impl FnOnce(&mut Registry)) {
        add(self.0.registry.lock().sub_registry_with_prefix("doorbuster"));
    }

    /// All values as OpenMetrics text; see [`CONTENT_TYPE`].
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.registry.lock())?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Metrics {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_counted_is_encoded_and_apps_do_not_share() {
        let (metrics, another) = (Metrics::new(), Metrics::new());
        metrics.purchase_results.count("admitted");
        metrics.purchase_results.add("SOLD_OUT", 3);
        metrics.broker_publish.get("order-requests").record(Duration::from_millis(3));
        metrics.worker_restarts("order-writer-0").inc();
        metrics.gate_drift.get("positive").set(2);
        metrics.sockets.inc();
        let slice = Counter::<u64>::default();
        metrics.register(|registry| {
            registry.sub_registry_with_prefix("slice").register("things", "Things", slice.clone());
        });
        slice.inc_by(7);
        let text = metrics.encode().unwrap();
        for line in [
            "doorbuster_purchase_results_total{outcome=\"admitted\"} 1",
            "doorbuster_purchase_results_total{outcome=\"sold_out\"} 3",
            "doorbuster_purchase_results_total{outcome=\"replayed\"} 0",
            "doorbuster_broker_publish_seconds_count{topic=\"order-requests\"} 1",
            "doorbuster_worker_restarts_total{worker=\"order-writer-0\"} 1",
            "doorbuster_gate_drift_units{direction=\"positive\"} 2",
            "doorbuster_sockets 1",
            "doorbuster_slice_things_total 7",
            "doorbuster_hub_lagged_total 0",
            concat!("doorbuster_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "no line {line} in\n{text}");
        }
        assert!(another.encode().unwrap().contains("doorbuster_purchase_results_total{outcome=\"admitted\"} 0"));
    }

    #[test]
    fn unknown_label_values_share_one_series() {
        let metrics = Metrics::new();
        let before = metrics.encode().unwrap().lines().count();
        for value in ["x", "y\"\n", ""] {
            metrics.orders.count(value);
        }
        let text = metrics.encode().unwrap();
        assert!(text.contains("doorbuster_orders_total{event=\"other\"} 3"), "{text}");
        assert_eq!(text.lines().count(), before);
    }

    #[test]
    fn the_process_tells_its_size() {
        let text = Metrics::new().encode().unwrap();
        for name in
            ["process_resident_memory_bytes", "process_open_fds", "process_threads", "process_cpu_seconds_total"]
        {
            let line =
                text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap_or_else(|| panic!("no {name}"));
            assert!(line[name.len()..].trim().parse::<f64>().unwrap() >= 0.0, "{line}");
        }
    }
}
