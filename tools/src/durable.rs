//! How fast admitted tickets become durable orders: the whole order writer with broker and outbox, against a bare loop of
//! prepared inserts in batches of 100 on the same tables with the same durability.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::bare::sqlite as bare_loop;
use super::report::{Row, Target};
use super::{Scratch, epoch, scaled_u32};
use doorbuster::broker::embedded::EmbeddedBroker;
use doorbuster::broker::{Broker as _, envelope};
use doorbuster::config::Config;
use doorbuster::demo::ready;
use doorbuster::demo::seed::{Operator, Terms};
use doorbuster::demo::server::Launch;
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::{Clock, Rng, SaleId, TicketId, Timestamp};
use doorbuster::model::facts::Facts;
use doorbuster::model::messages::{Message, Topic};
use doorbuster::model::order_requests::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};
use doorbuster::store::Database;

/// Orders of a round.
const ORDERS: u32 = 50_000;
fn orders() -> u32 {
    scaled_u32(ORDERS)
}

/// Orders in a transaction of the bare loop.
const BARE_BATCH: usize = 100;
/// Tickets in a message, as under load.
const PER_MESSAGE: usize = 64;

/// Measures both in turns, each round on a fresh database.
pub async fn run(rounds: usize) -> anyhow::Result<Row> {
    let (mut product, mut baseline) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        baseline.push(bare(&format!("bare-{round}")).await?);
        product.push(written(&format!("writer-{round}")).await?);
    }
    let target = Target::AtLeast(0.6);
    Ok(Row { name: "durable orders", unit: "per s", product, baseline: Some(baseline), target })
}

struct Prepared {
    launch: Launch,
    db: Database,
    sale: SaleId,
    buyers: Vec<Account>,
    opened: Timestamp,
}

/// A database with a published sale and its buyers; no server runs.
async fn prepare(scratch: &Scratch) -> anyhow::Result<Prepared> {
    let launch = Launch::new(&crate::server()?, scratch.path())?.set("log.filter", "warn");
    let db = launch.open_database().await?;
    let (clock, rng) = (Clock::system(), Rng::system());
    let operator = ready::users(&db, &clock, &rng, "operator", 1, true).await?.remove(0);
    let buyers = ready::users(&db, &clock, &rng, "buyer", orders(), false).await?;
    let server = launch.start(Duration::from_secs(60)).await?;
    let mut operator = Operator::new(launch.address, &operator.token);
    let opened = operator.server_time().await?.plus(Duration::from_millis(10));
    let session = operator.session("bench", opened, opened.plus(Duration::from_secs(7200))).await?;
    let product = operator.product("Lamp", "Light", "A lamp.", "/pictures/lamp.svg", "20.00").await?;
    let terms = Terms { price: "10.00", stock: orders(), limit_per_buyer: 1, pay_within: Duration::from_secs(3600) };
    let sale = operator.sale(&session, &product, terms).await?;
    server.stop(Duration::from_secs(20)).await?;
    Ok(Prepared { launch, db, sale, buyers, opened })
}

async fn bare(name: &str) -> anyhow::Result<f64> {
    let scratch = Scratch::new(name)?;
    let Prepared { launch, sale, buyers, opened, .. } = prepare(&scratch).await?;
    let buyers: Vec<_> = buyers.into_iter().map(|account| account.buyer).collect();
    let path = launch.database();
    let begun = Instant::now();
    let done = tokio::task::spawn_blocking(move || {
        bare_loop::record_orders(&path, sale, &buyers, BARE_BATCH, opened).map(|()| buyers.len())
    });
    let count = done.await??;
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// The tickets wait in the broker before the server starts, as they do after a crash; the clock runs from the first order
/// that is written to the last.
async fn written(name: &str) -> anyhow::Result<f64> {
    let scratch = Scratch::new(name)?;
    let prepared = prepare(&scratch).await?;
    publish(&prepared).await?;
    let starting = prepared.launch.start(Duration::from_secs(120));
    let counting = count(&prepared.db);
    let (server, rate) = tokio::join!(starting, counting);
    drop(server?);
    rate
}

async fn publish(prepared: &Prepared) -> anyhow::Result<()> {
    let config = Config::default_embedded();
    let (clock, rng) = (Clock::system(), Rng::system());
    let broker = EmbeddedBroker::open(prepared.db.clone(), clock, rng, &config.broker).await?;
    let key = bytes::Bytes::copy_from_slice(&prepared.sale.to_bytes());
    let epoch = epoch(&prepared.db, prepared.sale).await?;
    let mut seq = 0;
    for buyers in prepared.buyers.chunks(PER_MESSAGE) {
        let mut request = |account: &Account| {
            seq += 1;
            let ticket = TicketId { sale: prepared.sale, epoch, seq };
            let key = format!("bench-{seq:010}");
            OrderRequest { ticket, buyer: account.buyer, key, quantity: 1, at: prepared.opened, price: None }
        };
        let tickets = OrderRequests { tickets: buyers.iter().map(&mut request).collect() };
        let payload = envelope::encode(REQUESTS, REQUESTS_VERSION, &tickets)?;
        let message = Message { key: key.clone(), payload, deliver_at: None };
        broker.publish(Topic::OrderRequests, vec![message]).await?;
    }
    Ok(())
}

async fn count(db: &Database) -> anyhow::Result<f64> {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut first: Option<(Instant, u64)> = None;
    loop {
        let (sold, _) = Facts::sold(db).await?;
        let now = Instant::now();
        match first {
            None if sold > 0 => first = Some((now, sold)),
            Some((begun, already)) if sold >= u64::from(orders()) => {
                return Ok((sold - already) as f64 / (now - begun).as_secs_f64());
            }
            _ => {}
        }
        anyhow::ensure!(now < deadline, "{sold} of {} orders were written", orders());
        sleep(Duration::from_millis(5)).await;
    }
}
