//! How the parts of an app are made.

use std::sync::Arc;

use anyhow::Context as _;

use crate::accounts::{Accounts, RedisTokens, SharedTokens};
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::pulsar::PulsarBroker;
use crate::broker::{Broker, Relay};
use crate::config::{self, Config, Live};
use crate::control::pulse::{Bounds, Pulse};
use crate::gate::{Gate, GateError, MemoryGate, RedisGate};
use crate::gateway::PaymentGateway;
use crate::kernel::{Clock, Rng};
use crate::limits::RedisTally;
use crate::orders::Orders;
use crate::orders::gate_news::GateNews;
use crate::payments::{self, Payments};
use crate::points::{self, Points};
use crate::redis_client::RedisClient;
use crate::sales::{self, Sales};
use crate::settings::{self, HotSettings};
use crate::store::Database;
use crate::tcc::{self, Coordinator};
use crate::telemetry::Metrics;

/// Opened, and with the tables that this program needs. A command (`migrate` is false) makes those of an empty database, but leaves the
/// upgrade of others to the nodes.
pub(super) async fn open_database(config: &config::Store, migrate: bool) -> anyhow::Result<Database> {
    let db = Database::open(config).await.context("opening the database")?;
    anyhow::ensure!(
        migrate || db.is_current().await.context("looking at the tables of the database")?,
        "the database has the tables of an older program; start a node of this version, or run `doorbuster migrate`"
    );
    let applied = db.migrate().await.context("migrating the database")?;
    if !applied.is_empty() {
        tracing::info!(migrations = applied.len(), "database migrated");
    }
    Ok(db)
}

/// The configured name, or one that no other node has.
pub(super) fn node_name(config: &config::Node, rng: &Rng) -> String {
    if !config.name.is_empty() {
        return config.name.clone();
    }
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let plain = |letter: &char| letter.is_ascii_alphanumeric() || *letter == '-';
    let host: String = host.chars().filter(plain).take(40).collect();
    format!("{host}-{}", data_encoding::HEXLOWER.encode(&rng.bytes::<4>()))
}

pub(super) fn open_accounts(
    config: &Config,
    db: &Database,
    broker: &Arc<dyn Broker>,
    redis_client: Option<&RedisClient>,
    clock: &Clock,
    rng: &Rng,
    metrics: &Metrics,
) -> anyhow::Result<Accounts> {
    let shared = redis_client.map(|client| Arc::new(RedisTokens::new(client)) as Arc<dyn SharedTokens>);
    let accounts = Accounts::new(db.clone(), broker.clone(), shared, clock.clone(), rng.clone(), &config.accounts)?;
    metrics.register(|registry| accounts.register_metrics(registry));
    Ok(accounts)
}

pub(super) fn sales_parts(
    live: &Live,
    db: &Database,
    broker: &Arc<dyn Broker>,
    gate: &Arc<dyn Gate>,
    relay: &Relay,
    clock: &Clock,
    rng: &Rng,
) -> sales::Parts {
    sales::Parts {
        db: db.clone(),
        broker: broker.clone(),
        gate: gate.clone(),
        relay: relay.clone(),
        clock: clock.clone(),
        rng: rng.clone(),
        config: live.section(|config| &config.sales),
    }
}

/// Points, and who coordinates the transactions that they take part in.
pub(super) fn points_of(
    config: &Config,
    live: &Live,
    db: &Database,
    clock: &Clock,
    rng: &Rng,
    metrics: &Metrics,
    node: &str,
) -> (Points, Coordinator) {
    let (shop, points_db, config_points) = (db.clone(), db.clone(), live.section(|config| &config.points));
    let (clock, rng) = (clock.clone(), rng.clone());
    let points = Points::new(points::Parts {
        shop,
        db: points_db,
        clock: clock.clone(),
        rng: rng.clone(),
        config: config_points,
    });
    let tcc = Coordinator::new(tcc::Parts {
        db: db.clone(),
        participants: vec![Arc::new(points.clone())],
        clock,
        rng,
        metrics: metrics.clone(),
        config: config.tcc.clone(),
        node: node.to_owned(),
    });
    (points, tcc)
}

/// What payments are made of, besides the orders.
pub(super) struct Till<'a> {
    pub(super) live: &'a Live,
    pub(super) db: &'a Database,
    pub(super) clock: &'a Clock,
    pub(super) rng: &'a Rng,
    pub(super) metrics: &'a Metrics,
}

impl Till<'_> {
    pub(super) fn payments(
        &self,
        orders: &Orders,
        gateway: Option<&Arc<dyn PaymentGateway>>,
        tcc: &Coordinator,
        relay: &Relay,
    ) -> Payments {
        Payments::new(payments::Parts {
            db: self.db.clone(),
            orders: orders.clone(),
            gateway: gateway.cloned(),
            payments: self.live.section(|config| &config.payments),
            refunds_due: Arc::default(),
            checks_due: Arc::default(),
            counts_due: Arc::default(),
            tcc: tcc.clone(),
            relay: relay.clone(),
            clock: self.clock.clone(),
            rng: self.rng.clone(),
            metrics: self.metrics.clone(),
        })
    }
}

/// What this node counts and hears, from now on.
pub(super) fn pulse_of(config: &Config, node: &str, clock: &Clock) -> Pulse {
    let bounds = Bounds { lease: *config.node.lease, latency_target: *config.limits.latency_target };
    Pulse::new(node, clock.now(), bounds)
}

pub(super) async fn open_broker(
    config: &config::Broker,
    db: &Database,
    node: &str,
    clock: &Clock,
    rng: &Rng,
) -> anyhow::Result<Arc<dyn Broker>> {
    let broker: Arc<dyn Broker> = if config.url.scheme() == Some("embedded") {
        Arc::new(EmbeddedBroker::open(db.clone(), clock.clone(), rng.clone(), config).await?)
    } else {
        Arc::new(PulsarBroker::open(config, node, clock.clone(), rng.clone()).await?)
    };
    #[cfg(feature = "sabotage")]
    let broker = crate::broker::unruly::wrap(broker, rng);
    Ok(broker)
}

/// Delivers the events of these relays to the gate.
pub(super) fn gate_news_of(
    relays: [&Relay; 2],
    gate: &Arc<dyn Gate>,
    sales: &Sales,
    rng: &Rng,
    metrics: &Metrics,
) -> Arc<GateNews> {
    let news = GateNews::new(gate.clone(), sales.clone(), rng.clone(), metrics.clone());
    for relay in relays {
        relay.tell_first(&news);
    }
    news
}

/// Connects to Redis. All function libraries are loaded together, whatever the caller needs.
pub async fn open_redis(config: &config::Gate, rng: &Rng) -> Result<RedisClient, GateError> {
    let libraries = vec![RedisGate::library(), RedisTally::library(), RedisTokens::library()];
    Ok(RedisClient::open(config, rng, libraries).await?)
}

/// The gate, and Redis if it is there: nodes share counters and tokens there besides.
pub(super) async fn open_gate(
    config: &config::Gate,
    clock: &Clock,
    rng: &Rng,
) -> anyhow::Result<(Arc<dyn Gate>, Option<RedisClient>)> {
    Ok(if config.url.scheme() == Some("memory") {
        (Arc::new(MemoryGate::new(clock.clone())), None)
    } else {
        let client = open_redis(config, rng).await?;
        (Arc::new(RedisGate::new(&client, rng)), Some(client))
    })
}

/// The stored settings, in force before anything else is built.
pub(super) async fn open_settings(
    db: &Database,
    live: &Live,
    node: &str,
    clock: &Clock,
    rng: &Rng,
    metrics: &Metrics,
) -> anyhow::Result<HotSettings> {
    let parts = settings::Parts {
        db: db.clone(),
        live: live.clone(),
        node: node.to_owned(),
        clock: clock.clone(),
        rng: rng.clone(),
        metrics: metrics.clone(),
    };
    HotSettings::of_node(parts).await.context("reading the stored settings")
}

/// The relay of what this node writes, and that of what nodes left behind that are no more.
pub(super) fn relays_of(
    config: &config::Broker,
    db: &Database,
    broker: &Arc<dyn Broker>,
    clock: &Clock,
    rng: &Rng,
) -> [Relay; 2] {
    [
        Relay::new(db.clone(), broker.clone(), clock.clone(), rng.clone(), config),
        Relay::of_orphans(db.clone(), broker.clone(), clock.clone(), rng.clone(), config),
    ]
}
