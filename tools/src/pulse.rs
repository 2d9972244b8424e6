//! Whether it costs the shoppers anything that operators watch: accepted purchases per CPU second of the server while twenty control rooms
//! are open, over those of the same server while none is.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::Scratch;
use super::purchase::{Setup, Writes};
use super::report::{Row, Target};
use doorbuster::demo::socket::{Event, Socket};

/// Control rooms that are open.
const CONSOLES: usize = 20;
/// How long one may take to open.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a control room asks for.
const WATCH: &str = "subscription WatchPulse { shopPulse { at nodesHeard nodesRunning purchases { answer count } orderEvents { event \
    count } purchaseLatency { p50Ms p99Ms } ticketsWaiting oldestTicketMs alerts { code since detail saleId } sales { saleId asOf \
    unitsFree unitsFreeInGate unitsPaid tickets refusals { code count } purchases { answer count } revenue { amount currencyCode } } } }";

/// Measures both in turns.
pub async fn run(rounds: usize) -> anyhow::Result<Row> {
    let scratch = Scratch::new("pulse")?;
    let setup = Setup::new(&scratch, 2 * (rounds + 1), Writes::Orders).await?;
    let (mut watched, mut alone) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let parts = [2 * round, 2 * round + 1];
        for part in parts {
            setup.greet(setup.part(part)).await?;
        }
        // Who begins changes, so that the growing tables cost both the same.
        let (first, second) = if round % 2 == 0 { (0, CONSOLES) } else { (CONSOLES, 0) };
        for (part, consoles) in parts.into_iter().zip([first, second]) {
            let consoles = join_all((0..consoles).map(|_| console(&setup))).await;
            let consoles = consoles.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
            let accepted = setup.accepted(setup.part(part), part).await?;
            // The first round warms up.
            if round > 0 {
                (if consoles.is_empty() { &mut alone } else { &mut watched }).push(accepted);
            }
            anyhow::ensure!(consoles.iter().all(|console| !console.is_finished()), "a control room was closed");
        }
    }
    Ok(Row {
        name: "accepted purchases, 20 control rooms open",
        unit: "per CPU s",
        product: watched,
        baseline: Some(alone),
        target: Target::AtLeast(0.99),
    })
}

/// A control room that has got its first frame, and reads on until it is dropped.
async fn console(setup: &Setup) -> anyhow::Result<AbortOnDropHandle<()>> {
    let mut socket = Socket::open(setup.address(), setup.operator(), PATIENCE).await?;
    socket.subscribe_as(1, WATCH, &json!({})).await?;
    let first = timeout(PATIENCE, socket.next()).await??;
    anyhow::ensure!(matches!(first, Event::Next(..)), "no frame, but {first:?}");
    Ok(AbortOnDropHandle::new(tokio::spawn(async move { while let Ok(Event::Next(..)) = socket.next().await {} })))
}
