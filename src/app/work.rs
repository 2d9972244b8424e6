//! The background workers of each role, and which of them are singletons across nodes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::App;
use crate::config::Role;
use crate::control::pulse::Worker;
use crate::model::messages::Topic;
use crate::model::upgrade::data_version;
use crate::nodes::{Registry, Upgrades};
use crate::workers::order_writer::OrderWriter;
use crate::workers::{edits, gate_changes, jobs, login_log, payment_timeouts, payments, results};

/// Nodes that were silent for this long are not listed any more.
const FORGET_NODES_AFTER: Duration = Duration::from_secs(3600);

/// What one node at a time does.
const JOBS: [&str; 11] = [
    "settings",
    "orphan-relay",
    "sweep",
    "payment-checks",
    "refunds",
    BILLS,
    "edits",
    "upgrade",
    "unused-pictures",
    "purge-tokens",
    "reconcile",
];

/// The job that only shops with a payment gateway have.
const BILLS: &str = "bills";

impl App {
    /// Starts the workers of this node's roles. On its own gate it opens the sales once what was accepted before is written.
    pub fn start(&self) {
        let roles = &self.0.config.node;
        let pulse = self.pulse_worker();
        self.start_always(&pulse);
        if roles.has(Role::Api) {
            self.start_api();
            self.start_pulse(&pulse);
        }
        if roles.has(Role::Writer) {
            for partition in 0..self.0.broker.partitions(Topic::OrderRequests) {
                self.work(format!("order-writer-{partition}"), move |app| async move {
                    app.order_writer().run(partition).await
                });
            }
        } else {
            tracing::info!("this node does not have the writer role; tickets wait for a node that does");
        }
        if roles.has(Role::Timeouts) {
            self.work("payment-timeouts", |app| async move {
                payment_timeouts::run(&app.0.payments, &*app.0.broker, &app.0.clock, &app.0.metrics).await
            });
        }
        if roles.has(Role::Relay) {
            self.lead("orphan-relay", |app| async move {
                app.0.orphans.run(tokio_util::sync::CancellationToken::new()).await;
                Ok(())
            });
        }
        if roles.has(Role::Jobs) {
            self.start_jobs();
        }
    }

    /// The work of every node: follow the catalog, publish its own events, record heartbeats.
    fn start_always(&self, pulse: &Worker) {
        self.work("catalog-changes", |app| async move {
            let mut changes = app.0.broker.subscribe(Topic::CatalogChanges, 0, &app.0.node).await?;
            Ok(crate::sales::watch_changes(&app.0.sales, &mut *changes).await?)
        });
        self.work("settings-poll", |app| async move {
            app.0.settings.poll().await;
            Ok(())
        });
        self.work("settings-changes", |app| async move {
            let mut changes = app.0.broker.subscribe(Topic::SettingsChanges, 0, &app.0.node).await?;
            Ok(app.0.settings.hear(&mut *changes).await?)
        });
        self.lead("settings", |app| async move { app.0.settings.expire().await });
        self.work("measure", |app| async move { app.measure().await });
        self.work("measure-backlog", |app| async move { app.measure_backlog().await });
        self.work("lease-watch", |app| async move {
            let has_bills = app.0.config.payments.has_alipay();
            let jobs: Vec<_> = JOBS.into_iter().filter(|job| has_bills || *job != BILLS).collect();
            app.watch_leases(&jobs).await
        });
        let pulse = pulse.clone();
        self.0.supervisor.spawn("pulse", move |stop| {
            let pulse = pulse.clone();
            async move {
                pulse.tell(stop).await;
                Ok(())
            }
        });
        self.work("registry", |app| async move {
            let reason = app.registry().run(*app.0.config.node.heartbeat, FORGET_NODES_AFTER).await?;
            tracing::error!(%reason, "this node stops: its program is too old for the database");
            if let Some(leaving) = app.0.leaving.get() {
                leaving.cancel();
            }
            std::future::pending().await
        });
        let gate_news = self.0.orders.gate_news().clone();
        self.0.supervisor.spawn("gate-news", move |stop| {
            let gate_news = gate_news.clone();
            async move {
                gate_news.run(stop).await;
                Ok(())
            }
        });
        let relay = self.0.relay.clone();
        self.0.supervisor.spawn("outbox-relay", move |stop| {
            let relay = relay.clone();
            async move {
                relay.run(stop).await;
                Ok(())
            }
        });
    }

    fn start_api(&self) {
        self.work("results", |app| async move {
            results::run(&app.0.orders, &*app.0.broker, &app.0.node, &app.0.rng, &app.0.metrics).await
        });
        self.work("sign-outs", |app| async move {
            let mut heard = app.0.broker.subscribe(Topic::SessionChanges, 0, &app.0.node).await?;
            Ok(crate::accounts::watch_sign_outs(&app.0.accounts, &mut *heard).await?)
        });
        let keys = crate::accounts::token_keys(&self.0.config, &self.0.rng);
        self.work("token-revocations", move |app| {
            let keys = keys.clone();
            async move {
                let every = *app.0.config.accounts.revocations_every;
                Ok(crate::accounts::follow_revocations(&app.0.accounts, &keys, every).await?)
            }
        });
        if self.0.db.is_shared() {
            self.work("sign-out-heartbeat", |app| async move {
                let every = *app.0.config.accounts.sign_out_heartbeat;
                Ok(crate::accounts::say_so(&app.0.accounts, &*app.0.broker, every).await?)
            });
        }
        self.work("stock-view", |app| async move { jobs::follow_snapshot(&app.0.sales, &app.0.hub).await });
    }

    /// What operators watch: hearing what all nodes count, and putting it together.
    fn start_pulse(&self, worker: &Worker) {
        if self.0.db.is_shared() {
            self.pulse("pulse-heard", worker, |worker| async move { worker.hear().await });
        }
        self.pulse("pulse-frames", worker, |worker| async move { worker.close_frames().await });
        self.pulse("pulse-gates", worker, |worker| async move { worker.look_at_gates().await });
        self.pulse("pulse-people", worker, |worker| async move { worker.count_people().await });
        self.pulse("pulse-sums", worker, |worker| async move { worker.read_sums().await });
    }

    fn pulse<W>(&self, name: &'static str, worker: &Worker, run: fn(Worker) -> W)
    where
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let worker = worker.clone();
        self.work(name, move |_| run(worker.clone()));
    }

    fn start_jobs(&self) {
        self.work("login-log", |app| async move {
            let consumer = app.0.broker.subscribe(Topic::LoginEvents, 0, login_log::SUBSCRIPTION).await?;
            let (broker, db) = (app.0.broker.clone(), app.0.db.clone());
            Ok(login_log::run(consumer, broker, db, app.0.clock.clone(), app.0.metrics.clone()).await?)
        });
        self.work("gate-changes", |app| async move {
            let consumer = app.0.broker.subscribe(Topic::GateChanges, 0, gate_changes::SUBSCRIPTION).await?;
            let (sales, broker, clock, metrics) = (&app.0.sales, &*app.0.broker, &app.0.clock, &app.0.metrics);
            Ok(gate_changes::run(sales, consumer, broker, clock, metrics).await?)
        });
        self.work("global-transactions", |app| async move { Ok(app.0.tcc.recover(&app.0.payments).await?) });
        self.work("last-backup", |app| async move { app.watch_backups().await });
        self.lead("sweep", |app| async move {
            jobs::sweep(&app.0.payments, &app.0.live.section(|config| &config.orders)).await
        });
        self.lead("payment-checks", |app| async move { Ok(app.0.payments.check_payments().await?) });
        self.lead("refunds", |app| async move { Ok(app.0.payments.drive_refunds().await?) });
        if self.0.config.payments.has_alipay() {
            self.lead(BILLS, |app| async move { payments::reconcile(&app.0.payments, &app.0.config).await });
        }
        self.lead("edits", |app| async move {
            let inner = &app.0;
            let worker =
                edits::Worker { db: &inner.db, sales: &inner.sales, clock: &inner.clock, metrics: &inner.metrics };
            Ok(worker.run(&inner.config.sales, inner.rng.clone()).await?)
        });
        self.lead("upgrade", |app| async move {
            let (db, clock, config) = (app.0.db.clone(), app.0.clock.clone(), &app.0.config);
            Upgrades::new(db, clock, *config.node.heartbeat).watch(*config.upgrade.finalise_after).await
        });
        self.lead("unused-pictures", |app| async move {
            jobs::remove_unused_pictures(&app.pictures(), &app.0.live.section(|config| &config.sales)).await
        });
        self.lead("purge-tokens", |app| async move { jobs::purge_tokens(&app.0.accounts, &app.0.config).await });
        self.lead("reconcile", |app| async move {
            if !app.0.gates_open.load(Ordering::SeqCst) {
                let rebuilt = app.0.orders.open_gates(*app.0.config.gate.retention).await?;
                // Where some failed, reconciliation goes on with those.
                anyhow::ensure!(rebuilt.opened > 0 || rebuilt.failed == 0, "no sale could be opened");
                app.0.gates_open.store(true, Ordering::SeqCst);
            }
            let config = app.0.live.section(|config| &config.orders);
            jobs::reconcile(&app.0.orders, &config, *app.0.config.gate.retention, &app.0.metrics).await
        });
    }

    /// This node's row among the others.
    pub(super) fn registry(&self) -> Registry {
        let config = &self.0.config;
        let roles: Vec<_> = config.node.roles.iter().map(|role| role.as_str()).collect();
        let (name, address) = (self.0.node.as_str(), config.server.listen.to_string());
        let settings = self.0.settings.clone();
        let told = Arc::new(move || settings.told());
        let metrics = self.0.metrics.clone();
        let version = Arc::new(move |version: u32| {
            metrics.data_version.set(version.into());
            metrics.upgrade_pending.set((version < data_version()).into());
        });
        let app = self.clone();
        Registry::new(self.0.db.clone(), self.0.clock.clone(), name, roles.join(","), address, told)
            .saying(Arc::new(move || app.vitals()))
            .telling(version)
    }

    fn work<F, W>(&self, name: impl Into<String>, worker: F)
    where
        F: Fn(Self) -> W + Send + Sync + 'static,
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let app = self.clone();
        self.0.supervisor.spawn(name, move |stop| {
            let run = worker(app.clone());
            async move {
                tokio::select! {
                    ended = run => ended,
                    // Whatever a worker was doing is redone at the next start: messages are acknowledged after the commit.
                    () = stop.cancelled() => Ok(()),
                }
            }
        });
    }

    /// A worker that one node runs at a time; the others wait for its lease.
    fn lead<F, W>(&self, job: &'static str, worker: F)
    where
        F: Fn(Self) -> W + Clone + Send + Sync + 'static,
        W: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        debug_assert!(JOBS.contains(&job), "nobody would notice that no node does {job}");
        self.0.measured.jobs.lock().push(job);
        self.work(job, move |app| {
            let worker = worker.clone();
            async move { app.0.leases.clone().lead(job, || worker(app)).await }
        });
    }

    fn order_writer(&self) -> OrderWriter {
        OrderWriter {
            orders: self.0.orders.clone(),
            broker: self.0.broker.clone(),
            config: self.0.live.section(|config| &config.orders),
            metrics: self.0.metrics.clone(),
            clock: self.0.clock.clone(),
            rng: self.0.rng.clone(),
        }
    }
}
