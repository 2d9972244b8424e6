//! Writes the login log from the broker's messages.

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::LoginEvent;
use crate::broker::{self, Broker, BrokerError, Consumer, Failure, Received, Topic};
use crate::kernel::Clock;
use crate::store::{self, Database, StoreError};

/// The group that the consumers of this worker form.
pub const SUBSCRIPTION: &str = "login-log";
/// Events written in one transaction at most.
const BATCH: usize = 200;
/// How long to wait for a batch to fill: nobody waits for the log.
const LINGER: Duration = Duration::from_millis(100);

/// Why the worker stopped. What it had not acknowledged comes again.
#[derive(Debug, thiserror::Error)]
pub enum LoginLogError {
    /// The broker failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Writes events until something fails, or the broker closes (then `Ok`). A message is acknowledged after the commit and written
/// once however often it comes; one that can't be read is parked in [`Topic::Failures`]. Dropping the future loses nothing.
pub async fn run(
    mut consumer: Box<dyn Consumer>,
    broker: Arc<dyn Broker>,
    db: Database,
    clock: Clock,
) -> Result<(), LoginLogError> {
    loop {
        let batch = match consumer.receive(BATCH, LINGER).await {
            Ok(batch) => batch,
            Err(BrokerError::Closed) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut events = Vec::with_capacity(batch.len());
        for message in &batch {
            match LoginEvent::from_message(&message.payload) {
                Ok(event) => events.push(event),
                Err(reason) => park(broker.as_ref(), message, reason, &clock).await?,
            }
        }
        if !events.is_empty() {
            store::write!(&db, |conn| sql::accounts::insert_login_events(conn, &events).await)?;
        }
        for message in batch {
            consumer.ack(message.position).await?;
        }
    }
}

async fn park(broker: &dyn Broker, message: &Received, reason: String, clock: &Clock) -> Result<(), BrokerError> {
    tracing::error!(position = message.position, reason, "login event cannot be read");
    let topic = Topic::LoginEvents.name().to_owned();
    let failure = Failure { topic, key: bytes::Bytes::new(), reason, at: clock.now(), payload: message.payload.clone() };
    broker::park(broker, &failure).await
}
