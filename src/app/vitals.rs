//! The node's readiness, current problems, and gauges.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::App;
use crate::api::graphql::edge::Edge;
use crate::api::health::{Check, Note, Vitals};
use crate::config::Role;
use crate::control::backup;
use crate::control::nodes::{OwnFacts, OwnNode};
use crate::control::pulse::{self, Gauge, Gauges, Worker};
use crate::kernel::Breaker;
use crate::nodes::{NodeCheck, NodeVitals};
use crate::telemetry;
use crate::workers::GROUPS;

/// How often the age of the last backup is looked at.
const BACKUPS_EVERY: Duration = Duration::from_secs(5);

impl App {
    /// The dependencies of this node, and whether their circuit breakers are open.
    fn refused(&self) -> [(&'static str, bool); 4] {
        [
            ("database", self.0.db.breaker().is_some_and(Breaker::is_open)),
            ("gate", self.0.redis_client.as_ref().is_some_and(|client| client.breaker().is_open())),
            ("broker", self.0.broker.refuses() || !self.0.publisher.refused_partitions().is_empty()),
            ("payments", self.0.gateway.as_ref().is_some_and(|gateway| gateway.refuses())),
        ]
    }

    /// Looks at what readiness and the gauges tell, so that asking costs nothing.
    pub(super) async fn measure(&self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(*self.0.config.server.measure_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut before: Option<(Instant, f64)> = None;
        loop {
            tick.tick().await;
            let now = telemetry::cpu_seconds().map(|used| (Instant::now(), used));
            *self.0.measured.cpu.lock() = before.zip(now).map(|((then, before), (now, used))| {
                (used - before) / now.duration_since(then).as_secs_f64().max(f64::EPSILON)
            });
            before = now;
            *self.0.measured.database_fault.lock() = self.0.db.ping().await.err().map(|error| error.to_string());
            for (dependency, open) in self.refused() {
                self.0.metrics.refused.get(dependency).set(i64::from(open));
            }
            for worker in self.0.supervisor.workers() {
                self.0.metrics.worker_healthy(&worker.name).set(i64::from(worker.healthy));
            }
            self.0.metrics.sockets.set(self.0.edge.get().map_or(0, Edge::streams) as i64);
        }
    }

    /// Looks whether each job is done by some node, also those that are not of this node's roles.
    pub(super) async fn watch_leases(&self, jobs: &[&'static str]) -> anyhow::Result<()> {
        let own = |job: &str| self.0.measured.jobs.lock().contains(&job);
        let tell = |job: &'static str, held: bool| {
            self.0.metrics.lease_held(job).set(held.into());
        };
        self.0.leases.watch(jobs, own, tell).await
    }

    /// Looks when the last backup was made.
    pub(super) async fn watch_backups(&self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(BACKUPS_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            match backup::last(&self.0.db).await {
                Ok(Some(at)) => {
                    self.0.metrics.last_backup.set(at.as_millis() / 1_000);
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "could not read when the last backup was made; will look again"),
            }
        }
    }

    /// Apart from the rest, because brokers that do not answer keep it waiting.
    pub(super) async fn measure_backlog(&self) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(*self.0.config.server.measure_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            for (topic, group) in GROUPS {
                match self.0.broker.backlog(topic, group).await {
                    Ok(backlog) => {
                        self.0.metrics.broker_backlog.get(topic.name()).set(backlog as i64);
                    }
                    Err(error) => tracing::debug!(%error, topic = topic.name(), "could not measure the backlog"),
                }
            }
        }
    }
}

impl Gauges for App {
    fn read(&self) -> Gauge {
        let unready: Vec<String> =
            self.checks().into_iter().filter(|check| !check.ready).map(|check| check.name).collect();
        let edge = self.0.edge.get();
        let turned_away = edge.map(|edge| edge.meters().turned_away()).unwrap_or_default();
        Gauge {
            sockets: edge.map_or(0, Edge::streams) as u64,
            refused: turned_away.requests,
            purchases_limited: turned_away.purchases_limited,
            purchases_shed: turned_away.purchases_shed,
            unready: (!unready.is_empty()).then(|| unready.join(", ")),
            down: self.refused().into_iter().filter(|(_, open)| *open).map(|(name, _)| name.to_owned()).collect(),
        }
    }
}

impl App {
    /// The worker of the control room's numbers, of which a process needs one.
    pub(super) fn pulse_worker(&self) -> Worker {
        Worker::new(pulse::Parts {
            pulse: self.0.pulse.clone(),
            gauges: Arc::new(self.clone()),
            metrics: self.0.metrics.clone(),
            sales: self.0.sales.clone(),
            stock: Arc::new(self.0.hub.clone()),
            orders: self.0.orders.clone(),
            payments: self.0.payments.clone(),
            db: self.0.db.clone(),
            broker: self.0.broker.clone(),
            clock: self.0.clock.clone(),
            node: self.0.node.clone(),
            api: self.0.config.node.has(Role::Api),
        })
    }
}

impl OwnNode for App {
    fn facts(&self) -> OwnFacts {
        let (name, jobs) = (self.0.node.clone(), self.0.measured.jobs.lock().clone());
        OwnFacts { name, vitals: self.vitals(), jobs }
    }
}

impl App {
    /// What this node says of its health, in its heartbeats too.
    pub(super) fn vitals(&self) -> NodeVitals {
        let check = |check: Check| NodeCheck { name: check.name, ready: check.ready, reason: check.reason };
        NodeVitals {
            every_ms: u32::try_from(self.0.config.node.heartbeat.as_millis()).unwrap_or(u32::MAX),
            checks: self.checks().into_iter().map(check).collect(),
            cpu: *self.0.measured.cpu.lock(),
            memory: telemetry::memory_bytes(),
            sockets: self.0.edge.get().map_or(0, Edge::streams) as u64,
        }
    }
}

impl Vitals for App {
    fn checks(&self) -> Vec<Check> {
        let check = |name: &str, ready: bool, reason: &str| Check {
            name: name.to_owned(),
            ready,
            reason: (!ready).then(|| reason.to_owned()),
        };
        let fault = self.0.measured.database_fault.lock().clone();
        let mut checks = vec![
            check("database", fault.is_none(), fault.as_deref().unwrap_or_default()),
            check("gates", self.0.gates_open.load(Ordering::SeqCst), "earlier purchases are still being recorded"),
        ];
        if self.0.leaving.get().is_some_and(CancellationToken::is_cancelled) {
            checks.push(check("node", false, "the node is shutting down"));
        }
        checks
    }

    fn notes(&self) -> Vec<Note> {
        let note = |name: String, healthy: bool, reason: Option<String>| Note {
            name,
            healthy,
            reason: reason.filter(|_| !healthy),
        };
        let refused = self.refused().into_iter().map(|(dependency, open)| {
            let reason = "circuit breaker open, failing fast until it responds";
            note(dependency.to_owned(), !open, Some(reason.to_owned()))
        });
        let rejected = self.0.settings.rejected();
        let reason = rejected.first().map(|first| {
            format!(
                "{} stored settings are not in force here, such as `{}`: {}",
                rejected.len(),
                first.key,
                first.problem
            )
        });
        let settings = note("stored settings".to_owned(), rejected.is_empty(), reason);
        let workers = self.0.supervisor.workers();
        refused
            .chain([settings])
            .chain(workers.into_iter().map(|worker| note(worker.name, worker.healthy, worker.last_error)))
            .collect()
    }

    fn metrics(&self) -> String {
        self.0.metrics.encode().unwrap_or_else(|error| {
            tracing::error!(%error, "could not encode the metrics");
            String::new()
        })
    }
}
