//! `doorbuster-bench cluster`: a node on PostgreSQL, Redis and Pulsar, against the least that each of these servers asks for. On
//! one machine they all share its processors with the node and its crowd, so the ratios are those of a whole small installation.

mod durable;
mod edits;
mod latency;
mod node;
mod settings;
mod strangers;

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::bare::postgres as bare;
use super::load::{Shot, drive};
use super::report::{Row, Table};
use super::{QUICK, Scratch, gate, goodput, messages, rounds};
use doorbuster::config::{self, Config, Secret};
use doorbuster::demo::client::body;
use doorbuster::demo::ready;
use doorbuster::demo::seed::{Operator, Terms};
use doorbuster::demo::server::{Launch, Server, free_address};
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::{Clock, Rng, SaleId, Timestamp};
use doorbuster::model::facts::Facts;
use doorbuster::store::Database;

/// Rounds of each pair.
const ROUNDS: usize = 3;
/// Buyers of the shop, and units of each of its sales.
const BUYERS: u32 = 50_000;
/// The same where nothing is to be measured.
const QUICK_BUYERS: u32 = 2_000;
/// Sales of the shop: each round has its own.
const SALES: usize = 24;
/// How long a node may take until it is ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long the orders of a round may take until they are written and announced.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

const WHO: &str = "query Who { viewer { user { id } } }";
const BUY: &str = "mutation Buy($input: SalePurchaseInput!) { salePurchase(input: $input) { \
    ticket { id status } userErrors { code message } } }";

/// The benchmarks, by name.
pub const NAMES: [&str; 9] = [
    "cluster-gate",
    "cluster-latency",
    "cluster-strangers",
    "cluster-goodput",
    "cluster-node",
    "cluster-durable",
    "cluster-messages",
    "cluster-settings",
    "cluster-edits",
];

/// Servers for measurements, on which databases, tenants and keys may be made. `./justw bench cluster` starts some.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Servers {
    /// For `cluster`: `postgres://…` of a database beside which others may be made
    #[arg(long, value_name = "URL", env = "DOORBUSTER_TEST_POSTGRES", hide_env_values = true)]
    pub postgres: Option<String>,
    /// For `cluster`: `redis://HOST:PORT`
    #[arg(long = "redis", value_name = "URL", env = "DOORBUSTER_TEST_REDIS", hide_env_values = true)]
    pub gate: Option<String>,
    /// For `cluster`: `pulsar://HOST:PORT`
    #[arg(long, value_name = "URL", env = "DOORBUSTER_TEST_PULSAR", hide_env_values = true)]
    pub pulsar: Option<String>,
    /// For `cluster`: where Pulsar answers over HTTP
    #[arg(long, value_name = "URL", env = "DOORBUSTER_TEST_PULSAR_ADMIN", hide_env_values = true)]
    pub pulsar_admin: Option<String>,
    /// For `cluster`: `pulsar-perf` of Pulsar's distribution
    #[arg(long, value_name = "PATH", env = "DOORBUSTER_TEST_PULSAR_PERF")]
    pub pulsar_perf: Option<PathBuf>,
}

impl Servers {
    /// All of them, or what is missing.
    fn complete(&self) -> anyhow::Result<Complete> {
        fn given<T: Clone>(value: Option<&T>, name: &str) -> anyhow::Result<T> {
            value.cloned().with_context(|| {
                format!("{name} is not given: `./justw bench cluster` starts the servers that this measures")
            })
        }
        Ok(Complete {
            postgres: given(self.postgres.as_ref(), "--postgres")?,
            gate: given(self.gate.as_ref(), "--redis")?,
            pulsar: given(self.pulsar.as_ref(), "--pulsar")?,
            pulsar_admin: given(self.pulsar_admin.as_ref(), "--pulsar-admin")?,
            pulsar_perf: given(self.pulsar_perf.as_ref(), "--pulsar-perf")?,
        })
    }
}

struct Complete {
    postgres: String,
    gate: String,
    pulsar: String,
    pulsar_admin: String,
    pulsar_perf: PathBuf,
}

impl Complete {
    fn broker(&self, tenant: &str) -> config::Broker {
        config::Broker {
            url: Secret::new(&self.pulsar),
            admin_url: Secret::new(&self.pulsar_admin),
            tenant: tenant.to_owned(),
            ..Config::default_embedded().broker
        }
    }
}

/// Runs those that are wanted.
pub async fn run(wanted: impl Fn(&str) -> bool, servers: &Servers, table: &mut Table) -> anyhow::Result<()> {
    let servers = servers.complete()?;
    if wanted("cluster-gate") {
        table.add(gate::run(ROUNDS, &servers.gate).await.context("gate")?);
    }
    if NAMES[1..6].iter().any(|name| wanted(name)) {
        let shop = Shop::open(&servers, "bench", BUYERS).await.context("opening the shop")?;
        let measured = in_shop(&shop, &wanted, table).await;
        let closed = shop.close(&servers).await;
        measured?;
        closed?;
    }
    if wanted("cluster-messages") {
        let config = servers.broker(&format!("bench_messages_{}", std::process::id()));
        let rows = messages::run(ROUNDS, config.envelope_items, &config, &servers.pulsar_perf);
        table.add(rows.await.context("messages")?);
    }
    if NAMES[7..].iter().any(|name| wanted(name)) {
        let buyers = if QUICK.load(Ordering::Relaxed) { QUICK_BUYERS } else { BUYERS };
        let shop = Shop::open(&servers, "bench_operated", buyers).await.context("opening the shop")?;
        let measured = operated(&shop, &wanted, table).await;
        let closed = shop.close(&servers).await;
        measured?;
        closed?;
    }
    Ok(())
}

/// What operators do while the shop sells, on several nodes.
async fn operated(shop: &Shop, wanted: &impl Fn(&str) -> bool, table: &mut Table) -> anyhow::Result<()> {
    if wanted("cluster-settings") {
        table.add(settings::run(rounds(ROUNDS), shop).await.context("settings")?);
    }
    // Last: it writes orders that no gate has admitted, which a node with all roles would set right.
    if wanted("cluster-edits") {
        table.add(edits::run(rounds(ROUNDS), shop).await.context("edits")?);
    }
    Ok(())
}

async fn in_shop(shop: &Shop, wanted: &impl Fn(&str) -> bool, table: &mut Table) -> anyhow::Result<()> {
    if NAMES[1..5].iter().any(|name| wanted(name)) {
        let server = shop.node(&shop.launch).await?;
        shop.greet(&server).await?;
        if wanted("cluster-latency") {
            table.add(latency::run(ROUNDS, shop, &server).await.context("latency")?);
        }
        if wanted("cluster-strangers") {
            table.add(strangers::run(ROUNDS, shop, &server).await.context("strangers")?);
        }
        if wanted("cluster-goodput") {
            table.add([crowds(shop, &server).await.context("goodput")?]);
        }
        if wanted("cluster-node") {
            table.add(node::run(ROUNDS, shop, &server).await.context("node")?);
        }
        server.stop(READY_WITHIN).await?;
    }
    // Last: it writes orders that no gate has admitted, which a node with all roles would set right.
    if wanted("cluster-durable") {
        table.add(durable::run(ROUNDS, shop).await.context("durable")?);
    }
    Ok(())
}

/// The usual crowd and one of five times the size, in turns, each on a sale of its own.
async fn crowds(shop: &Shop, server: &Server) -> anyhow::Result<Row> {
    let (mut crowded, mut usual) = (Vec::new(), Vec::new());
    // The first round warms up.
    for round in 0..=ROUNDS {
        let mut results = [0.0; 2];
        for (result, times) in results.iter_mut().zip([1, goodput::TIMES]) {
            let (sale, buyers) = (shop.next_sale()?, &shop.buyers[..goodput::SHOTS]);
            *result = goodput::of(server.launch().address, sale, buyers, times).await?;
            shop.settle().await?;
        }
        if round > 0 {
            usual.push(results[0]);
            crowded.push(results[1]);
        }
    }
    Ok(goodput::row("purchases in time on a node, five times the crowd", crowded, usual))
}

/// A shop in a database, a tenant and keys of its own. No node serves it unless one is started.
struct Shop {
    name: String,
    url: String,
    launch: Launch,
    broker: config::Broker,
    db: Database,
    buyers: Vec<Account>,
    /// All open, each with a unit for every buyer.
    sales: Vec<SaleId>,
    /// One with a single unit.
    single: SaleId,
    used: AtomicUsize,
    opened: Timestamp,
    scratch: Scratch,
}

impl Shop {
    async fn open(servers: &Complete, prefix: &str, buyers: u32) -> anyhow::Result<Self> {
        let name = format!("{prefix}_{}", std::process::id());
        let scratch = Scratch::new(prefix)?;
        let url = bare::create_database(&servers.postgres, &name).await.context("PostgreSQL")?;
        let mut launch = Launch::new(&crate::server()?, scratch.path())?
            .set("store.url", &url)
            .set("gate.url", &servers.gate)
            .set("gate.prefix", &name)
            .set("broker.url", &servers.pulsar)
            .set("broker.admin_url", &servers.pulsar_admin)
            .set("broker.tenant", &name)
            .set("accounts.token_cache", "1000000")
            .set("accounts.token_cache_ttl", "1h")
            .set("accounts.token_key", "ZG9vcmJ1c3RlciBiZW5jaG1hcmsgdG9rZW4ga2V5ISE=")
            .set("log.filter", "warn")
            .set("node.name", "bench-1");
        launch.log = Some(scratch.path().join("node.log"));
        let db = launch.open_database().await?;
        let (clock, rng) = (Clock::system(), Rng::system());
        let operator = ready::users(&db, &clock, &rng, "operator", 1, true).await?.remove(0);
        let buyers = ready::buyers(&db, &clock, &rng, "buyer", buyers, launch.seals(&rng).as_ref()).await?;
        let (broker, used, opened) = (servers.broker(&name), AtomicUsize::new(0), clock.now());
        let single = SaleId::generate(&clock, &rng);
        let mut shop = Self { name, url, launch, broker, db, buyers, sales: Vec::new(), single, used, opened, scratch };
        let server = shop.node(&shop.launch).await?;
        shop.stock(&operator).await?;
        server.stop(READY_WITHIN).await?;
        Ok(shop)
    }

    /// Publishes the sales.
    async fn stock(&mut self, operator: &Account) -> anyhow::Result<()> {
        let mut operator = Operator::new(self.launch.address, &operator.token);
        self.opened = operator.server_time().await?.plus(Duration::from_millis(10));
        let session = operator.session("bench", self.opened, self.opened.plus(Duration::from_secs(7_200))).await?;
        let product = operator.product("Lamp", "Light", "A lamp.", "/pictures/lamp.svg", "20.00").await?;
        let pay_within = Duration::from_secs(3_600);
        let terms = Terms { price: "10.00", stock: self.buyers.len() as u32, limit_per_buyer: 1, pay_within };
        for _ in 0..SALES {
            self.sales.push(operator.sale(&session, &product, terms).await?);
        }
        self.single = operator.sale(&session, &product, Terms { stock: 1, ..terms }).await?;
        Ok(())
    }

    /// Starts a node.
    async fn node(&self, launch: &Launch) -> anyhow::Result<Server> {
        launch.start(READY_WITHIN).await.with_context(|| {
            let log = std::fs::read_to_string(self.scratch.path().join("node.log")).unwrap_or_default();
            format!("a node did not start; its log:\n{log}")
        })
    }

    /// Starts another node of this name and with these settings.
    async fn further(&self, name: &str, settings: &[(&str, &str)]) -> anyhow::Result<Server> {
        let launch = Launch { address: free_address()?, ..self.launch.clone() }.set("node.name", name);
        let launch = settings.iter().fold(launch, |launch, (key, value)| launch.set(key, value));
        self.node(&launch).await
    }

    /// A sale that nobody has bought from.
    fn next_sale(&self) -> anyhow::Result<SaleId> {
        let sale = self.sales.get(self.used.fetch_add(1, Ordering::Relaxed));
        sale.copied().context("there are more rounds than sales")
    }

    /// Lets every buyer be seen by the node, as buyers are who read the list first.
    async fn greet(&self, server: &Server) -> anyhow::Result<()> {
        let who = body(WHO, &json!({}))?;
        let greet = self.buyers.iter().map(|buyer| Shot { token: buyer.token.clone(), body: who.clone() }).collect();
        drive(server.launch().address, greet, b"viewer").await?;
        Ok(())
    }

    /// Waits until the orders of a round are written and announced.
    async fn settle(&self) -> anyhow::Result<()> {
        let deadline = Instant::now() + SETTLED_WITHIN;
        let mut last = None;
        loop {
            let (sold, outbox) = Facts::sold(&self.db).await?;
            if outbox == 0 && last == Some(sold) {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "{outbox} events still wait to be published");
            last = Some(sold);
            sleep(Duration::from_millis(500)).await;
        }
    }

    async fn close(self, servers: &Complete) -> anyhow::Result<()> {
        let Self { name, db, .. } = self;
        drop(db);
        Ok(bare::drop_database(&servers.postgres, &name).await?)
    }
}

/// A purchase for each buyer.
fn purchases(buyers: &[Account], sale: SaleId) -> anyhow::Result<Vec<Shot>> {
    let shot = |buyer: &Account| {
        let variables = json!({ "input": { "saleId": sale, "quantity": 1, "idempotencyKey": format!("buy-{sale}") } });
        Ok(Shot { token: buyer.token.clone(), body: body(BUY, &variables)? })
    };
    buyers.iter().map(shot).collect()
}

/// The value that so many in a hundred do not exceed; 0 of nothing.
fn percentile(values: &[f64], of_hundred: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() as f64 * of_hundred / 100.0).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=200).rev().map(f64::from).collect();
        assert_eq!([50.0, 99.0, 100.0].map(|part| percentile(&values, part) as u32), [100, 198, 200]);
        assert_eq!([percentile(&[7.0], 99.0) as u32, percentile(&[], 99.0) as u32], [7, 0]);
    }
}
