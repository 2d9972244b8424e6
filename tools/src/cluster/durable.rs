//! How fast admitted tickets become durable orders on PostgreSQL: a node with the writer's role, with broker and outbox, against
//! two bare loops on the same tables with the same durability. One writes 200 orders with one statement, on one connection; the
//! other has a transaction for each order, on as many connections as a server of this size does best with.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::epoch;
use super::Shop;
use crate::bare::postgres as bare;
use crate::report::{Row, Target};
use doorbuster::broker::pulsar::PulsarBroker;
use doorbuster::broker::{Broker as _, envelope};
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::{Clock, Rng, SaleId, TicketId};
use doorbuster::model::facts::Facts;
use doorbuster::model::messages::{Message, Topic};
use doorbuster::model::order_requests::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};

/// Orders in a transaction of the bare loop.
const BARE_BATCH: usize = 200;
/// Orders of a round that have a transaction each, and the connections that they are written on.
const ONE_BY_ONE: (usize, usize) = (4_000, 16);
/// Tickets in a message, as under load.
const PER_MESSAGE: usize = 64;
/// Messages that are published together.
const PER_PUBLISH: usize = 64;

/// Measures the three in turns, each round of each on a sale of its own.
pub(super) async fn run(rounds: usize, shop: &Shop) -> anyhow::Result<[Row; 2]> {
    let buyers: Vec<_> = shop.buyers.iter().map(|account| account.buyer).collect();
    let [mut batches, mut singles, mut written] = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let (sale, begun) = (shop.next_sale()?, Instant::now());
        bare::record_orders(&shop.url, sale, &buyers, BARE_BATCH, shop.opened).await?;
        batches.push(buyers.len() as f64 / begun.elapsed().as_secs_f64());
        let (count, connections) = ONE_BY_ONE;
        let (sale, begun) = (shop.next_sale()?, Instant::now());
        bare::record_one_by_one(&shop.url, sale, &buyers[..count], connections, shop.opened).await?;
        singles.push(count as f64 / begun.elapsed().as_secs_f64());
        bare::clear_outbox(&shop.url).await?;
        written.push(orders(shop).await?);
    }
    let row = |name, baseline, least| Row {
        name,
        unit: "per s",
        product: written.clone(),
        baseline: Some(baseline),
        target: Target::AtLeast(least),
    };
    Ok([row("durable orders / batches of 200", batches, 0.5), row("durable orders / one by one", singles, 10.0)])
}

/// The tickets wait in Pulsar before the node starts, as they do after a crash; the clock runs from the first order that is
/// written to the last.
async fn orders(shop: &Shop) -> anyhow::Result<f64> {
    let (before, _) = Facts::sold(&shop.db).await?;
    publish(shop, shop.next_sale()?).await?;
    let launch = shop.launch.clone().set("node.roles", "writer");
    let (server, rate) = tokio::join!(shop.node(&launch), count(shop, before));
    let (server, rate) = (server?, rate?);
    shop.settle().await?;
    server.stop(super::READY_WITHIN).await?;
    Ok(rate)
}

/// Publishes a ticket of each buyer.
pub(super) async fn publish(shop: &Shop, sale: SaleId) -> anyhow::Result<()> {
    let broker = PulsarBroker::open(&shop.broker, "bench", Clock::system(), Rng::system()).await?;
    let key = bytes::Bytes::copy_from_slice(&sale.to_bytes());
    let epoch = epoch(&shop.db, sale).await?;
    let mut seq = 0;
    let mut messages = Vec::new();
    for buyers in shop.buyers.chunks(PER_MESSAGE) {
        let mut request = |account: &Account| {
            seq += 1;
            let key = format!("0191d2c4-{seq:010}-{}", &sale.to_string()[5..]);
            let ticket = TicketId { sale, epoch, seq };
            OrderRequest { ticket, buyer: account.buyer, key, quantity: 1, at: shop.opened, price: None }
        };
        let tickets = OrderRequests { tickets: buyers.iter().map(&mut request).collect() };
        let payload = envelope::encode(REQUESTS, REQUESTS_VERSION, &tickets)?;
        messages.push(Message { key: key.clone(), payload, deliver_at: None });
    }
    for some in messages.chunks(PER_PUBLISH) {
        broker.publish(Topic::OrderRequests, some.to_vec()).await?;
    }
    broker.close().await;
    Ok(())
}

/// Orders per second, once `before` units were sold.
pub(super) async fn count(shop: &Shop, before: u64) -> anyhow::Result<f64> {
    let deadline = Instant::now() + Duration::from_secs(120);
    let mut first: Option<(Instant, u64)> = None;
    let all = before + shop.buyers.len() as u64;
    loop {
        let (sold, _) = Facts::sold(&shop.db).await?;
        let now = Instant::now();
        match first {
            None if sold > before => first = Some((now, sold)),
            Some((begun, already)) if sold >= all => {
                return Ok((sold - already) as f64 / (now - begun).as_secs_f64());
            }
            _ => {}
        }
        anyhow::ensure!(now < deadline, "{} of {} orders were written", sold - before, shop.buyers.len());
        sleep(Duration::from_millis(5)).await;
    }
}
