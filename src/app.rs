//! The composition root: the only place that names implementations, and the order of start and shutdown.

mod drill;
mod hot;
mod listeners;
mod measured;
mod observer;
mod parts;
mod preflight;
mod vitals;
mod work;

pub use drill::{Drill, drill};
pub use listeners::{Listeners, Reserved};
pub use observer::Observer;
pub use parts::open_redis;
pub use preflight::objections;

use measured::Measured;
use parts::{
    Till, gate_news_of, node_name, open_accounts, open_broker, open_database, open_gate, open_settings, points_of,
    pulse_of, relays_of, sales_parts,
};

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use anyhow::Context as _;
use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::accounts::{Accounts, TellEnd};
use crate::api::graphql::context::Services;
use crate::api::graphql::edge::execution::shortcut::FirstOf;
use crate::api::graphql::edge::{self, AuthUnavailable, Authenticate, Edge};
use crate::api::graphql::mutation::purchase_plan::PurchaseShortcut;
use crate::api::graphql::query::sale_plan::SaleShortcut;
use crate::api::graphql::schema;
use crate::api::{self, assets, health, pictures, router};
use crate::broker::{Broker, Relay};
use crate::config::{Config, Live};
use crate::control::pulse::Pulse;
use crate::control::{self, Control};
use crate::gate::Coalescer;
use crate::gateway::PaymentGateway;
use crate::hub::Hub;
use crate::kernel::{Clock, Rng};
use crate::lifecycle::{RestartPolicy, Shutdown, Supervisor};
use crate::limits::{RedisTally, Tally};
use crate::model::accounts::Viewer;
use crate::nodes::Leases;
use crate::orders::publisher::Publisher;
use crate::orders::{Orders, Parts};
use crate::payments::Payments;
use crate::pictures::Pictures;
use crate::points::Points;
use crate::redis_client::RedisClient;
use crate::sales::Sales;
use crate::settings::HotSettings;
use crate::store::Database;
use crate::tcc::Coordinator;
use crate::telemetry::Metrics;

/// How long saying goodbye to the other nodes may take at the end.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(2);

/// A running doorbuster. A process can hold several.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    /// As the process began with it: for keys that are not hot.
    config: Arc<Config>,
    live: Live,
    settings: HotSettings,
    node: String,
    leases: Leases,
    clock: Clock,
    rng: Rng,
    db: Database,
    broker: Arc<dyn Broker>,
    redis_client: Option<RedisClient>,
    hub: Hub,
    accounts: Accounts,
    sales: Sales,
    orders: Orders,
    payments: Payments,
    gateway: Option<Arc<dyn PaymentGateway>>,
    points: Points,
    tcc: Coordinator,
    relay: Relay,
    orphans: Relay,
    metrics: Metrics,
    pulse: Pulse,
    supervisor: Supervisor,
    gates_open: AtomicBool,
    measured: Measured,
    publisher: Publisher,
    edge: OnceLock<Edge>,
    leaving: OnceLock<CancellationToken>,
}

impl App {
    /// Opens and migrates the database, and puts everything together. Nothing runs yet but the broker.
    pub async fn build(config: Config, clock: Clock, rng: Rng) -> anyhow::Result<Self> {
        Self::assemble(config, clock, rng, true).await
    }

    /// The same for a command that serves nobody. The tables of a shop that exists are left as they are.
    pub async fn for_command(config: Config, clock: Clock, rng: Rng) -> anyhow::Result<Self> {
        Self::assemble(config, clock, rng, false).await
    }

    async fn assemble(mut config: Config, clock: Clock, rng: Rng, migrate: bool) -> anyhow::Result<Self> {
        let node = node_name(&config.node, &rng);
        config.store.node.clone_from(&node);
        let config = Arc::new(config);
        // Before the database is touched.
        let gateway = preflight::payment_gateway(&config.payments, &clock).context("[payments]")?;
        let db = open_database(&config.store, migrate).await?;
        let metrics = Metrics::new();
        db.register(&metrics);
        let live = Live::from(config.clone());
        let settings = open_settings(&db, &live, &node, &clock, &rng, &metrics).await?;
        let broker = open_broker(&config.broker, &db, &node, &clock, &rng).await.context("opening the broker")?;
        settings.tell_through(broker.clone());
        let (gate, redis_client) = open_gate(&config.gate, &clock, &rng).await.context("opening the gate")?;
        let hub = Hub::new(config.hub.recent_orders);
        let accounts = open_accounts(&config, &db, &broker, redis_client.as_ref(), &clock, &rng, &metrics)?;
        let [relay, orphans] = relays_of(&config.broker, &db, &broker, &clock, &rng);
        let sales = Sales::new(sales_parts(&live, &db, &broker, &gate, &relay, &clock, &rng))?;
        let (points, tcc) = points_of(&config, &live, &db, &clock, &rng, &metrics, &node);
        let publisher = Publisher::new(broker.clone(), &config.broker);
        let orders = Orders::new(Parts {
            db: db.clone(),
            gate_news: gate_news_of([&relay, &orphans], &gate, &sales, &rng, &metrics),
            coalescer: Coalescer::new(gate.clone(), &config.gate),
            gate,
            publisher: publisher.clone(),
            broker: broker.clone(),
            relay: relay.clone(),
            hub: hub.clone(),
            sales: sales.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
        });
        let till = Till { live: &live, db: &db, clock: &clock, rng: &rng, metrics: &metrics };
        let payments = till.payments(&orders, gateway.as_ref(), &tcc, &relay);
        sales.refresh().await?;
        let app = Self(Arc::new(Inner {
            supervisor: Supervisor::new(rng.clone(), metrics.clone(), RestartPolicy::default()),
            leases: Leases::new(db.clone(), &node, *config.node.lease),
            pulse: pulse_of(&config, &node, &clock),
            // A gate that nodes share is opened by whichever of them holds the lease; one's own, by this node.
            gates_open: AtomicBool::new(db.is_shared()),
            config,
            live,
            settings,
            node,
            clock,
            rng,
            db,
            broker,
            redis_client,
            hub,
            accounts,
            sales,
            orders,
            payments,
            gateway,
            points,
            tcc,
            relay,
            orphans,
            metrics,
            measured: Measured::default(),
            publisher,
            edge: OnceLock::new(),
            leaving: OnceLock::new(),
        }));
        app.follow_settings();
        Ok(app)
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// Settings that operators change while the nodes run.
    pub fn settings(&self) -> &HotSettings {
        &self.0.settings
    }

    /// The database.
    pub fn db(&self) -> &Database {
        &self.0.db
    }

    /// Users and their tokens.
    pub fn accounts(&self) -> &Accounts {
        &self.0.accounts
    }

    /// The sales.
    pub fn sales(&self) -> &Sales {
        &self.0.sales
    }

    /// Buying.
    pub fn orders(&self) -> &Orders {
        &self.0.orders
    }

    /// Paying, closing, refunding.
    pub fn payments(&self) -> &Payments {
        &self.0.payments
    }

    /// Loyalty points.
    pub fn points(&self) -> &Points {
        &self.0.points
    }

    /// Global transactions.
    pub fn tcc(&self) -> &Coordinator {
        &self.0.tcc
    }

    /// Pictures of products.
    pub fn pictures(&self) -> Pictures {
        Pictures::new(self.0.db.clone(), self.0.clock.clone(), self.0.rng.clone())
    }

    /// This node's name.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// Messages.
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.0.broker
    }

    /// Tells the other nodes that this one runs, before it does anything. Fails when an upgrade has been finalised meanwhile that this
    /// program is too old for.
    pub async fn join(&self) -> anyhow::Result<()> {
        Ok(self.registry().join().await??)
    }

    /// Answers requests until the soft shutdown, then stops in order: requests, sockets, publishing, workers, the broker.
    pub async fn serve(&self, listeners: impl Into<Listeners>, shutdown: &Shutdown) {
        let Listeners { public, admin } = listeners.into();
        let server = &self.0.config.server;
        let edge = self.edge(shutdown.soft().clone());
        self.0.metrics.register(|registry| edge.meters().register(registry));
        let _ = self.0.edge.set(edge.clone());
        let _ = self.0.leaving.set(shutdown.soft().clone());
        let vitals = Arc::new(self.clone());
        let health = if admin.is_some() { health::public_routes } else { health::routes };
        let uploads = pictures::routes(self.pictures(), edge.clone());
        let files = uploads.merge(api::reports::routes(self.0.sales.clone(), edge.clone()));
        let pages = assets::pictures().merge(files).merge(api::payments::routes(self.0.payments.clone()));
        let mut others = pages.merge(health(vitals.clone()));
        if server.graphiql {
            others = others.merge(assets::graphiql());
        }
        if server.storefront {
            others =
                others.merge(assets::storefront::routes(&server.picture_origins, &self.0.config.payments.public_url));
        }
        let router = router::router(edge.clone(), others, *server.body_max);
        // Who runs the shop can look until the end.
        let _watching =
            admin.map(|admin| listeners::watch(admin, router::without_endpoint(health::routes(vitals)), server));
        let drained = async {
            router::serve(public, router, shutdown.soft().clone(), server).await;
            edge.closed().await;
        };
        tokio::select! {
            () = drained => {}
            () = shutdown.hard().cancelled() => {}
        }
        self.stop(shutdown.hard()).await;
    }

    /// Stops what [`Self::start`] started. What was accepted and is not decided yet waits in the broker for the next start.
    pub async fn stop(&self, hard: &CancellationToken) {
        self.0.accounts.flush().await;
        self.0.supervisor.stop(*self.0.config.server.shutdown_timeout, hard).await;
        // The relay has ended: nothing is added any more.
        if tokio::time::timeout(FAREWELL, self.0.orders.gate_news().flush()).await.is_err() {
            tracing::warn!("not all decisions were delivered to the gate; reconciliation will deliver them");
        }
        let registry = self.registry();
        let released = async { tokio::join!(self.0.leases.release(), registry.leave()) };
        if let Ok((Err(error), _) | (_, Err(error))) = tokio::time::timeout(FAREWELL, released).await {
            tracing::warn!(%error, "could not release the leases; they will expire");
        }
        self.close().await;
        tracing::info!("stopped");
    }

    /// Ends what [`Self::build`] began: nothing waits in memory any more, and the database is closed. All that a command needs.
    pub async fn close(&self) {
        self.0.accounts.flush().await;
        self.0.broker.close().await;
        self.0.db.close().await;
    }

    /// The services for resolvers.
    pub fn services(&self) -> Services {
        Services {
            clock: self.0.clock.clone(),
            config: self.0.config.clone(),
            live: self.0.live.clone(),
            settings: self.0.settings.clone(),
            accounts: self.0.accounts.clone(),
            sales: self.0.sales.clone(),
            catalog: Arc::new(self.0.sales.clone()),
            stock: Arc::new(self.0.hub.clone()),
            orders: self.0.orders.clone(),
            payments: self.0.payments.clone(),
            points: self.0.points.clone(),
            control: self.control(),
        }
    }

    fn control(&self) -> Control {
        Control::new(control::Parts {
            db: self.0.db.clone(),
            broker: self.0.broker.clone(),
            own: Arc::new(self.clone()),
            pulse: self.0.pulse.clone(),
            live: self.0.live.clone(),
            clock: self.0.clock.clone(),
            rng: self.0.rng.clone(),
        })
    }

    fn edge(&self, shutdown: CancellationToken) -> Edge {
        let config = &self.0.config;
        let services = Arc::new(self.services());
        let parts = edge::Parts {
            auth: Arc::new(self.clone()),
            config: self.0.live.section(|config| &config.graphql),
            access: self.0.live.section(|config| &config.access),
            limits: self.0.live.section(|config| &config.limits),
            tally: self
                .0
                .redis_client
                .as_ref()
                .map(|client| Arc::new(RedisTally::new(client, config.gate.queue)) as Arc<dyn Tally>),
            trusted: edge::documents::trusted::compiled_in(),
            body_max: *config.server.body_max,
            read_timeout: *config.server.read_timeout,
            clock: self.0.clock.clone(),
            rng: self.0.rng.clone(),
            shutdown,
            close_over: *config.server.shutdown_timeout / 3,
            shared_fields: schema::SHARED_FIELDS,
            operators_fields: schema::OPERATORS_FIELDS,
            operators_streams_max: config.hub.pulses_max,
            once_fields: schema::ONCE_FIELDS,
            shortcut: Some(Arc::new(FirstOf(vec![
                Box::new(PurchaseShortcut(services.clone())),
                Box::new(SaleShortcut(services.clone())),
            ]))),
        };
        Edge::new(schema::build(services), parts)
    }
}

#[async_trait]
impl Authenticate for App {
    async fn viewer(&self, token: &str) -> Result<Option<Viewer>, AuthUnavailable> {
        self.0.accounts.viewer(token).await.map_err(|error| {
            tracing::warn!(%error, "could not verify an access token");
            AuthUnavailable
        })
    }

    fn when_tokens_end(&self, tell: TellEnd) {
        self.0.accounts.when_tokens_end(tell);
    }
}
