//! Delivers operators' changes of sales to the gate, retrying while the gate is unavailable.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::broker::{self, Broker, BrokerError, Consumer, Failure, envelope};
use crate::kernel::Clock;
use crate::model::messages::Topic;
use crate::sales::Sales;
use crate::sales::messages::{GATE_CHANGE, GATE_CHANGE_VERSION, GateChange};
use crate::telemetry::Metrics;

/// The group that the consumers of this worker form.
pub const SUBSCRIPTION: &str = "gate";
/// Changes taken from the broker at once at most.
const BATCH: usize = 64;

/// Runs until the broker fails, or closes (then `Ok`). A change is acknowledged once the gate has the sale's present terms; what is
/// delivered twice, or late, changes nothing. Dropping the future loses nothing.
pub async fn run(
    sales: &Sales,
    mut consumer: Box<dyn Consumer>,
    broker: &dyn Broker,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<(), BrokerError> {
    loop {
        let batch = match consumer.receive(BATCH, Duration::ZERO).await {
            Ok(batch) => batch,
            Err(BrokerError::Closed) => return Ok(()),
            Err(error) => return Err(error),
        };
        // The terms are read from the database: one delivery takes all changes of a sale.
        let mut changed = BTreeSet::new();
        for message in &batch {
            match envelope::decode::<GateChange>(GATE_CHANGE, GATE_CHANGE_VERSION, &message.payload) {
                Ok(change) => {
                    changed.insert(change.sale);
                }
                Err(error) => {
                    metrics.dead_letters.count(Topic::GateChanges.name());
                    let (topic, reason) = (Topic::GateChanges.name().to_owned(), error.to_string());
                    let (key, at, payload) = (message.key.clone(), clock.now(), message.payload.clone());
                    broker::dead_letter(broker, &Failure { topic, key, reason, at, payload }).await?;
                }
            }
        }
        for sale in changed {
            sales.deliver_to_gate(sale).await;
        }
        for message in batch {
            consumer.ack(message.position).await?;
        }
    }
}
