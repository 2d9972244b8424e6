//! How long a buyer waits while the node has half of what it can take to do, from the moment when the purchase was due to the
//! answer, which comes after the gate's decision and the broker's receipt. Against a bare handler under half of what that one
//! can take, which is many times as much; and, to compare with, under the same number of requests a second.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::{Shop, purchases};
use crate::Baseline;
use crate::arrivals::{self, Timed};
use crate::load::{CONNECTIONS, Shot, rush};
use crate::report::{Row, Target};
use doorbuster::demo::server::Server;
use doorbuster::telemetry::print;

/// Requests that find out what can be taken.
const PROBES: usize = 10_000;
/// Probes of the bare handler, for each of those.
const BARE_PROBES: usize = 5;
/// How long a round lasts.
const ROUND: Duration = Duration::from_secs(6);
/// What no answer takes that arrives at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures both in turns, each round on a sale of its own.
pub(super) async fn run(rounds: usize, shop: &Shop, server: &Server) -> anyhow::Result<[Row; 2]> {
    let bare = Baseline::start().await?;
    let (node, bare_address) = (server.launch().address, bare.address);
    // The first rush warms up, the broker above all.
    let mut capacity = 0.0;
    for _ in 0..2 {
        capacity = closed(node, purchases(&shop.buyers[..PROBES], shop.next_sale()?)?).await?;
        shop.settle().await?;
    }
    let probe = purchases(&shop.buyers[..PROBES], shop.sales[0])?;
    let bare_capacity = closed(bare_address, vec![probe.clone(); BARE_PROBES].concat()).await?;
    print(&format!("capacity: {capacity:.0} purchases a second, {bare_capacity:.0} of the bare handler\n"))?;
    let [mut product, mut half, mut same] = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        // A handler that does nothing takes the same requests again and again.
        half.push(open("bare handler", bare_address, probe.iter().cycle(), bare_capacity / 2.0).await?);
        let shots = purchases(&shop.buyers, shop.next_sale()?)?;
        product.push(open("purchases", node, shots.iter(), capacity / 2.0).await?);
        shop.settle().await?;
        same.push(open("bare handler", bare_address, probe.iter().cycle(), capacity / 2.0).await?);
    }
    let row =
        |name, baseline, target| Row { name, unit: "ms", product: product.clone(), baseline: Some(baseline), target };
    Ok([row("p99 at half of capacity", half, Target::AtMost(5.0)), row("p99 at the same rate", same, Target::None)])
}

/// Good answers a second when as many ask as are usual in a rush.
async fn closed(address: SocketAddr, shots: Vec<Shot>) -> anyhow::Result<f64> {
    let (count, begun) = (shots.len(), Instant::now());
    let good = rush(address, shots, CONNECTIONS, b"QUEUED", PATIENCE).await;
    anyhow::ensure!(good * 100 >= count * 95, "only {good} of {count} purchases were accepted");
    Ok(good as f64 / begun.elapsed().as_secs_f64())
}

/// The time within which 99 of 100 were answered, in milliseconds.
async fn open<'a>(
    what: &str,
    address: SocketAddr,
    shots: impl Iterator<Item = &'a Shot>,
    per_second: f64,
) -> anyhow::Result<f64> {
    let shots: Vec<Shot> = shots.take((per_second * ROUND.as_secs_f64()) as usize).cloned().collect();
    let count = shots.len();
    let timed: Timed = arrivals::send(address, shots, per_second, b"QUEUED").await.context("sending")?;
    print(&format!("{what}: {}\n", timed.line()))?;
    anyhow::ensure!(timed.bad * 100 <= count, "{} of {count} answers were bad", timed.bad);
    Ok(timed.percentile(99.0))
}
