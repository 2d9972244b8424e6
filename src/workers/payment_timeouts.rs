//! The fast path of expiry: a delayed message comes when the time to pay is over. The sweep is the truth; both end in the
//! same conditional statement, so a message that comes early, twice or never does no harm.

use std::time::Duration;

use bytes::Bytes;

use crate::broker::{self, Broker, Failure, envelope};
use crate::kernel::Clock;
use crate::model::messages::Topic;
use crate::model::order_requests::{PaymentTimeouts, TIMEOUTS, TIMEOUTS_VERSION};
use crate::payments::Payments;
use crate::telemetry::Metrics;

/// The group that expires orders.
pub const GROUP: &str = "expirer";

/// Messages taken from the broker at once.
const MESSAGES_MAX: usize = 16;

/// Runs until the broker or the database fails; what was not acknowledged comes again.
pub async fn run(payments: &Payments, broker: &dyn Broker, clock: &Clock, metrics: &Metrics) -> anyhow::Result<()> {
    let mut consumer = broker.subscribe(Topic::PaymentTimeouts, 0, GROUP).await?;
    loop {
        for message in consumer.receive(MESSAGES_MAX, Duration::ZERO).await? {
            match envelope::decode::<PaymentTimeouts>(TIMEOUTS, TIMEOUTS_VERSION, &message.payload) {
                Ok(timeouts) => {
                    payments.expire(timeouts.orders).await?;
                }
                Err(error) => {
                    metrics.dead_letters.count(Topic::PaymentTimeouts.name());
                    let topic = Topic::PaymentTimeouts.name().to_owned();
                    let (reason, payload) = (error.to_string(), message.payload);
                    let failure = Failure { topic, key: Bytes::new(), reason, at: clock.now(), payload };
                    broker::dead_letter(broker, &failure).await?;
                }
            }
            consumer.ack(message.position).await?;
        }
    }
}
