//! The opening second on a node of many: each buyer shows a token that neither the node nor Redis has seen. Against the same
//! purchases of buyers whom the node knows. Answers a second, as the servers share the processors with the node and its crowd.

use std::time::Duration;

use tokio::time::Instant;

use super::{Shop, purchases};
use crate::load::{CONNECTIONS, Shot, rush};
use crate::report::{Row, Target};
use crate::strangers::SHARE;
use doorbuster::demo::ready;
use doorbuster::demo::server::Server;
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::{Clock, Rng, SaleId};

/// Purchases of one side of a round.
const SHOTS: usize = 10_000;
/// What no answer takes that arrives at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures both in turns, each round of accepted purchases on a sale of its own.
pub(super) async fn run(rounds: usize, shop: &Shop, server: &Server) -> anyhow::Result<[Row; 2]> {
    let (clock, rng) = (Clock::system(), Rng::system());
    let (seals, many) = (shop.launch.seals(&rng), ((rounds + 1) * 2 * SHOTS) as u32);
    let strangers = ready::buyers(&shop.db, &clock, &rng, "stranger", many, seals.as_ref()).await?;
    let mut parts = strangers.chunks(SHOTS);
    let mut next = || parts.next().unwrap_or_default();
    let known = &shop.buyers[..SHOTS];
    // Takes the only unit.
    answers(server, purchases(&known[..1], shop.single)?, b"QUEUED").await?;
    shop.settle().await?;
    let [mut accepted, mut accepted_known, mut late, mut late_known] = [const { Vec::new() }; 4];
    for round in 0..=rounds {
        let results = [
            accepts(shop, server, next()).await?,
            accepts(shop, server, known).await?,
            answers(server, late_for(next(), shop.single, round)?, b"SOLD_OUT").await?,
            answers(server, late_for(&known[1..], shop.single, round)?, b"SOLD_OUT").await?,
        ];
        // The first round warms up, the broker above all.
        if round > 0 {
            let columns = [&mut accepted, &mut accepted_known, &mut late, &mut late_known];
            columns.into_iter().zip(results).for_each(|(column, result)| column.push(result));
        }
    }
    let target = Target::AtLeast(SHARE);
    let row = |name, product, known| Row { name, unit: "per s", product, baseline: Some(known), target };
    Ok([
        row("accepted on a node, strangers / known", accepted, accepted_known),
        row("sold-out on a node, strangers / known", late, late_known),
    ])
}

/// Accepted purchases a second on a sale of its own.
async fn accepts(shop: &Shop, server: &Server, buyers: &[Account]) -> anyhow::Result<f64> {
    let rate = answers(server, purchases(buyers, shop.next_sale()?)?, b"QUEUED").await?;
    shop.settle().await?;
    Ok(rate)
}

/// The same with a key for each round.
fn late_for(buyers: &[Account], sale: SaleId, round: usize) -> anyhow::Result<Vec<Shot>> {
    let mut shots = purchases(buyers, sale)?;
    for shot in &mut shots {
        let body = String::from_utf8_lossy(&shot.body).replace("buy-", &format!("late-{round}-"));
        shot.body = body.into_bytes().into();
    }
    Ok(shots)
}

/// Answers a second when as many ask as are usual in a rush.
async fn answers(server: &Server, shots: Vec<Shot>, wanted: &'static [u8]) -> anyhow::Result<f64> {
    let (count, begun) = (shots.len(), Instant::now());
    let good = rush(server.launch().address, shots, CONNECTIONS, wanted, PATIENCE).await;
    anyhow::ensure!(good * 100 >= count * 95, "only {good} of {count} purchases were answered as they should be");
    Ok(good as f64 / begun.elapsed().as_secs_f64())
}
