//! Tells this node's gate and hub what was decided anywhere.

use crate::broker::{Broker, BrokerError, Topic, envelope};
use crate::hub::events::{RESULTS, RESULTS_VERSION, ResultBatch};
use crate::orders::Orders;
use crate::telemetry::Metrics;

/// Messages taken from the broker at once.
const MESSAGES_MAX: usize = 256;

/// Runs until the broker fails. `node` names this node's subscription.
pub async fn run(orders: &Orders, broker: &dyn Broker, node: &str, metrics: &Metrics) -> anyhow::Result<()> {
    let mut consumer = broker.subscribe(Topic::PurchaseResults, 0, node).await?;
    // What was announced before this moment is in the database.
    orders.resync().await?;
    loop {
        let received = match consumer.receive(MESSAGES_MAX, std::time::Duration::ZERO).await {
            Ok(received) => received,
            Err(BrokerError::Lagged(missed)) => {
                tracing::warn!(missed, "results missed; reading the state afresh");
                metrics.hub_lagged.inc_by(missed);
                orders.resync().await?;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let mut last = None;
        for message in received {
            match envelope::decode::<ResultBatch>(RESULTS, RESULTS_VERSION, &message.payload) {
                Ok(batch) => {
                    #[cfg(feature = "sabotage")]
                    apply_again(orders, &batch);
                    orders.apply(batch.events).await?;
                }
                // A newer node's words: the state itself is in the database, and is read when somebody asks.
                Err(error) => tracing::error!(%error, "result message not understood"),
            }
            last = Some(message.position);
        }
        if let Some(last) = last {
            consumer.ack(last).await?;
        }
    }
}

/// Not a mistake but a fault that the contract allows: every message arrives once more, late.
#[cfg(feature = "sabotage")]
fn apply_again(orders: &Orders, batch: &ResultBatch) {
    if crate::kernel::sabotage::active("broker.deliver_results_again") {
        let (orders, events) = (orders.clone(), batch.events.clone());
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(700)).await;
            let _ = orders.apply(events).await;
        });
    }
}
