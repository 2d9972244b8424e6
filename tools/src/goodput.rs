//! Whether more of a crowd than the server can take leaves it doing as much: purchases that are answered in time by the second,
//! when five times as many buyers as usual send at once, over those of the usual number. Without a bound on what is in work,
//! and with work that nobody waits for any more, it falls.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::load::{CONNECTIONS, Shot, rush};
use super::memory::stage_for;
use super::report::{Row, Target};
use super::{Scratch, scaled};
use doorbuster::demo::client::body;
use doorbuster::demo::shopper::Account;
use doorbuster::kernel::SaleId;

const BUY: &str = "mutation Buy($input: SalePurchaseInput!) { salePurchase(input: $input) { \
    ticket { id status } userErrors { code message } } }";

/// Purchases of a round.
pub const SHOTS: usize = 10_000;

/// How many times the usual crowd.
pub const TIMES: usize = 5;

/// What takes longer is no good to the buyer.
const GOOD_WITHIN: Duration = Duration::from_secs(1);

/// Measures both in turns.
pub async fn run(rounds: usize) -> anyhow::Result<Row> {
    let scratch = Scratch::new("goodput")?;
    let stage = stage_for(&scratch, 1, (2 * (rounds + 1) * scaled(SHOTS)) as u32).await?;
    let address = stage.server.launch().address;
    let parts: Vec<&[Account]> = stage.buyers.chunks(scaled(SHOTS)).collect();
    let (mut crowded, mut usual) = (Vec::new(), Vec::new());
    for (number, pair) in parts.chunks_exact(2).enumerate() {
        let at_capacity = of(address, stage.sale, pair[0], 1).await?;
        let beyond = of(address, stage.sale, pair[1], TIMES).await?;
        // The first round warms up.
        if number > 0 {
            usual.push(at_capacity);
            crowded.push(beyond);
        }
    }
    Ok(row("purchases in time, five times the crowd", crowded, usual))
}

/// What is shown of both.
pub const fn row(name: &'static str, crowded: Vec<f64>, usual: Vec<f64>) -> Row {
    Row { name, unit: "per s", product: crowded, baseline: Some(usual), target: Target::AtLeast(0.9) }
}

/// Purchases that are answered in time by the second, with so many times the usual number of buyers at once.
pub async fn of(address: SocketAddr, sale: SaleId, buyers: &[Account], times: usize) -> anyhow::Result<f64> {
    let shots = buyers.iter().map(|buyer| shot(buyer, sale)).collect::<anyhow::Result<Vec<_>>>()?;
    let began = Instant::now();
    let good = rush(address, shots, times * CONNECTIONS, b"QUEUED", GOOD_WITHIN).await;
    Ok(good as f64 / began.elapsed().as_secs_f64())
}

fn shot(buyer: &Account, sale: SaleId) -> anyhow::Result<Shot> {
    // A key is its buyer's over all sales.
    let key = format!("goodput-{sale}");
    let variables = json!({ "input": { "saleId": sale, "quantity": 1, "idempotencyKey": key } });
    Ok(Shot { token: buyer.token.clone(), body: body(BUY, &variables)? })
}
