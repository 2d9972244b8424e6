//! Notifies subscriptions on this node of decisions made on any node.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::broker::{Broker, BrokerError, envelope};
use crate::kernel::{Backoff, Rng};
use crate::model::messages::{Received, Topic};
use crate::model::results::{RESULTS, RESULTS_VERSION, ResultBatch};
use crate::orders::Orders;
use crate::telemetry::Metrics;

/// Messages taken from the broker at once.
const MESSAGES_MAX: usize = 256;
/// The first wait after the state could not be read; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two tries to read the state.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Runs until the broker fails. `node` names this node's subscription. Messages are passed on whether or not the database
/// can be read: a subscription that began anew would miss what came in between.
pub async fn run(orders: &Orders, broker: &dyn Broker, node: &str, rng: &Rng, metrics: &Metrics) -> anyhow::Result<()> {
    let mut consumer = broker.subscribe(Topic::PurchaseResults, 0, node).await?;
    // What was announced before this moment is in the database.
    let mut catching_up = Some(catch_up(orders, rng));
    loop {
        let received = tokio::select! {
            received = consumer.receive(MESSAGES_MAX, Duration::ZERO) => received,
            () = async { if let Some(reading) = &mut catching_up { reading.await } }, if catching_up.is_some() => {
                catching_up = None;
                continue;
            }
        };
        let messages = match received {
            Ok(messages) => messages,
            Err(BrokerError::Lagged(missed)) => {
                tracing::warn!(missed, "may have missed results; reading the current state again");
                metrics.hub_lagged.inc_by(missed);
                catching_up = Some(catch_up(orders, rng));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        for message in &messages {
            pass_on(orders, message);
        }
        if let Some(last) = messages.last() {
            consumer.ack(last.position).await?;
        }
    }
}

/// Reads the state afresh, again and again until that works.
fn catch_up<'a>(orders: &'a Orders, rng: &Rng) -> BoxFuture<'a, ()> {
    let mut backoff = Backoff::new(rng.clone(), FIRST_WAIT, LONGEST_WAIT);
    async move {
        while let Err(error) = orders.resync().await {
            tracing::warn!(%error, "could not read the current state of watched orders yet");
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }
    .boxed()
}

fn pass_on(orders: &Orders, message: &Received) {
    match envelope::decode::<ResultBatch>(RESULTS, RESULTS_VERSION, &message.payload) {
        Ok(batch) => orders.hub().apply(batch.events),
        // A newer node's words: the state itself is in the database, and is read when somebody asks.
        Err(error) => tracing::error!(%error, "could not decode a result message"),
    }
    #[cfg(feature = "sabotage")]
    pass_on_again(orders, message);
}

/// Not a mistake but a fault that the contract allows: every message arrives once more, late.
#[cfg(feature = "sabotage")]
fn pass_on_again(orders: &Orders, message: &Received) {
    if crate::kernel::sabotage::active("broker.deliver_results_again") {
        let (orders, payload) = (orders.clone(), message.payload.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(700)).await;
            orders.hear_again(&payload);
        });
    }
}
