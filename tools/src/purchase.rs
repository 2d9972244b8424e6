//! What a purchase costs: accepted, from the HTTP request to the durable ticket, and further to the durable order; and refused
//! because it is sold out. All against a bare axum handler that reads and writes the same JSON.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::load::{Shot, cpu_now, cpu_since, drive};
use super::report::{Row, Target};
use super::{Baseline, Scratch, scaled};
use doorbuster::demo::client::body;
use doorbuster::demo::ready;
use doorbuster::demo::seed::{Operator, Terms};
use doorbuster::demo::server::{Launch, Server};
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::{Clock, Rng, SaleId};
use doorbuster::model::facts::Facts;
use doorbuster::store::Database;

/// Requests of a round.
const SHOTS: usize = 20_000;

const BUY: &str = "mutation Buy($input: SalePurchaseInput!) { salePurchase(input: $input) { \
    ticket { id status } userErrors { code message } } }";
const WHO: &str = "query Who { viewer { user { id } } }";

/// Measures all in turns.
pub async fn run(rounds: usize) -> anyhow::Result<[Row; 3]> {
    let (accepting, writing) = (Scratch::new("accepting")?, Scratch::new("writing")?);
    // A ticket is durable before anybody decides on it: a node without the writer's role shows what that costs.
    let accepts = Setup::new(&accepting, rounds + 1, Writes::Tickets).await?;
    let writes = Setup::new(&writing, rounds + 1, Writes::Orders).await?;
    let baseline = Baseline::start().await?;
    let [mut bare, mut accepted, mut sold_out, mut written] = [const { Vec::new() }; 4];
    // The first round warms up caches and is not counted.
    for round in 0..=rounds {
        accepts.greet(accepts.part(round)).await?;
        writes.greet(writes.part(round)).await?;
        let results = [
            bare_round(&baseline, accepts.part(round)).await?,
            accepts.accepted(accepts.part(round), round).await?,
            accepts.sold_out(accepts.part(round), round).await?,
            writes.accepted(writes.part(round), round).await?,
        ];
        if round > 0 {
            for (column, result) in [&mut bare, &mut accepted, &mut sold_out, &mut written].into_iter().zip(results) {
                column.push(result);
            }
        }
    }
    drop(baseline);
    let row = |name, product, target| Row { name, unit: "per CPU s", product, baseline: Some(bare.clone()), target };
    Ok([
        row("accepted purchases", accepted, Target::AtLeast(0.45)),
        row("sold-out answers", sold_out, Target::AtLeast(0.6)),
        row("purchases written as orders", written, Target::None),
    ])
}

/// What a server does with what it accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writes {
    /// It keeps the tickets.
    Tickets,
    /// It also decides on them and announces the orders.
    Orders,
}

pub(super) struct Setup {
    server: Server,
    db: Database,
    big: SaleId,
    small: SaleId,
    buyers: Arc<[Account]>,
    operator: String,
    writes: Writes,
    /// Units of the big sale that are sold.
    sold: AtomicUsize,
}

impl Setup {
    /// With buyers for so many parts.
    pub(super) async fn new(scratch: &Scratch, parts: usize, writes: Writes) -> anyhow::Result<Self> {
        let mut launch = Launch::new(&crate::server()?, scratch.path())?
            .set("accounts.token_cache", "1000000")
            .set("accounts.token_cache_ttl", "1h")
            .set("orders.pending_after", "1h")
            .set("log.filter", "warn");
        if writes == Writes::Tickets {
            launch = launch.set("node.roles", "api,jobs");
        }
        let db = launch.open_database().await?;
        let (clock, rng) = (Clock::system(), Rng::system());
        let operator = ready::users(&db, &clock, &rng, "operator", 1, true).await?.remove(0);
        let seals = launch.seals(&rng);
        let buyers = (parts * scaled(SHOTS)) as u32;
        let buyers = ready::buyers(&db, &clock, &rng, "buyer", buyers, seals.as_ref()).await?;
        let server = launch.start(Duration::from_secs(60)).await?;
        let token = operator.token;
        let mut operator = Operator::new(launch.address, &token);
        let starts_at = operator.server_time().await?.plus(Duration::from_millis(500));
        let session = operator.session("bench", starts_at, starts_at.plus(Duration::from_secs(7200))).await?;
        let product = operator.product("Lamp", "Light", "A lamp.", "/pictures/lamp.svg", "20.00").await?;
        let stock = buyers.len() as u32;
        let terms = Terms { price: "10.00", stock, limit_per_buyer: 1, pay_within: Duration::from_secs(3600) };
        let big = operator.sale(&session, &product, terms).await?;
        let small = operator.sale(&session, &product, Terms { stock: 1, ..terms }).await?;
        sleep(Duration::from_millis(700)).await;
        let (buyers, sold) = (buyers.into(), AtomicUsize::new(0));
        let setup = Self { server, db, big, small, buyers, operator: token, writes, sold };
        let first = setup.purchases(&setup.buyers[..1], setup.small, "first")?;
        drive(setup.server.launch().address, first, b"QUEUED").await?;
        if writes == Writes::Orders {
            setup.wait_for_orders(1).await?;
        }
        Ok(setup)
    }

    #[allow(clippy::unused_self, reason = "the other half of the pair needs it")]
    fn purchases(&self, buyers: &[Account], sale: SaleId, prefix: &str) -> anyhow::Result<Vec<Shot>> {
        purchases(buyers, sale, prefix)
    }

    /// Where the server listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.server.launch().address
    }

    /// The token of an operator.
    pub(super) fn operator(&self) -> &str {
        &self.operator
    }

    /// The buyers of one part.
    pub(super) fn part(&self, number: usize) -> &[Account] {
        &self.buyers[number * scaled(SHOTS)..(number + 1) * scaled(SHOTS)]
    }

    /// Lets each buyer be seen by the node, as buyers are who read the list first.
    pub(super) async fn greet(&self, buyers: &[Account]) -> anyhow::Result<()> {
        let who = body(WHO, &json!({}))?;
        let greet = buyers.iter().map(|buyer| Shot { token: buyer.token.clone(), body: who.clone() }).collect();
        drive(self.server.launch().address, greet, b"viewer").await?;
        Ok(())
    }

    /// Accepted purchases per CPU second of the server, writing the orders included if it does.
    pub(super) async fn accepted(&self, buyers: &[Account], round: usize) -> anyhow::Result<f64> {
        let address = self.server.launch().address;
        let shots = self.purchases(buyers, self.big, &format!("round-{round}"))?;
        let before = cpu_now(self.server.pid())?;
        let hits = drive(address, shots, b"QUEUED").await?;
        if self.writes == Writes::Orders {
            let sold = self.sold.fetch_add(hits, Ordering::Relaxed) + hits;
            self.wait_for_orders(sold + 1).await?;
        }
        let used = cpu_since(self.server.pid(), before)?;
        anyhow::ensure!(hits == buyers.len(), "only {hits} of {} purchases were accepted", buyers.len());
        Ok(hits as f64 / used)
    }

    /// Answers to those who come too late, per CPU second of the server.
    pub(super) async fn sold_out(&self, buyers: &[Account], round: usize) -> anyhow::Result<f64> {
        // The first buyer has the one unit.
        let buyers = &buyers[1..];
        let shots = self.purchases(buyers, self.small, &format!("none-{round}"))?;
        let before = cpu_now(self.server.pid())?;
        let hits = drive(self.server.launch().address, shots, b"SOLD_OUT").await?;
        let used = cpu_since(self.server.pid(), before)?;
        anyhow::ensure!(hits == buyers.len(), "only {hits} of {} were told that it is sold out", buyers.len());
        Ok(hits as f64 / used)
    }

    /// Waits until the orders are written and announced.
    async fn wait_for_orders(&self, count: usize) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let (sold, outbox) = Facts::sold(&self.db).await?;
            if sold >= count as u64 && outbox == 0 {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < deadline, "{sold} of {count} orders written, {outbox} events to publish");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

fn purchases(buyers: &[Account], sale: SaleId, prefix: &str) -> anyhow::Result<Vec<Shot>> {
    let shot = |(number, buyer): (usize, &Account)| {
        let key = format!("{prefix}-{number:08}");
        let variables = json!({ "input": { "saleId": sale, "quantity": 1, "idempotencyKey": key } });
        Ok(Shot { token: buyer.token.clone(), body: body(BUY, &variables)? })
    };
    buyers.iter().enumerate().map(shot).collect()
}

async fn bare_round(baseline: &Baseline, buyers: &[Account]) -> anyhow::Result<f64> {
    let shots = purchases(buyers, SaleId::from_bytes([1; 16]), "bare-round")?;
    let before = cpu_now(baseline.pid())?;
    let hits = drive(baseline.address, shots, b"QUEUED").await?;
    Ok(hits as f64 / cpu_since(baseline.pid(), before)?)
}
