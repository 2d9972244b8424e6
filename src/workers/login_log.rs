//! Writes the login log from the broker's messages.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::{self, Broker, BrokerError, Consumer, Failure};
use crate::kernel::Clock;
use crate::model::accounts::LoginEvent;
use crate::model::messages::Topic;
use crate::store::{self, Database, StoreError};
use crate::telemetry::Metrics;

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
/// once however often it comes; one that can't be read is moved to [`Topic::Failures`]. Dropping the future loses nothing.
pub async fn run(
    mut consumer: Box<dyn Consumer>,
    broker: Arc<dyn Broker>,
    db: Database,
    clock: Clock,
    metrics: Metrics,
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
                Err(error) => {
                    metrics.dead_letters.count(Topic::LoginEvents.name());
                    let (topic, reason) = (Topic::LoginEvents.name().to_owned(), error.to_string());
                    let (key, at, payload) = (message.key.clone(), clock.now(), message.payload.clone());
                    broker::dead_letter(broker.as_ref(), &Failure { topic, key, reason, at, payload }).await?;
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::testing::{HOME, PASSWORD, Shop};
    use crate::model::messages::Received;
    use async_trait::async_trait;
    use bytes::Bytes;
    use parking_lot::Mutex;
    use std::collections::VecDeque;

    /// Hands out prepared batches, then closes; notes what is acknowledged.
    struct Tape {
        batches: VecDeque<Result<Vec<Received>, BrokerError>>,
        acked: Arc<Mutex<Vec<u64>>>,
    }

    #[async_trait]
    impl Consumer for Tape {
        async fn receive(&mut self, _: usize, _: Duration) -> Result<Vec<Received>, BrokerError> {
            self.batches.pop_front().unwrap_or(Err(BrokerError::Closed))
        }

        async fn ack(&mut self, position: u64) -> Result<(), BrokerError> {
            self.acked.lock().push(position);
            Ok(())
        }

        async fn rewind(&mut self) -> Result<(), BrokerError> {
            Ok(())
        }
    }

    fn received(position: u64, payload: &Bytes) -> Received {
        Received { position, key: Bytes::from_static(b"key"), payload: payload.clone(), redeliveries: 0 }
    }

    async fn play(
        shop: &Shop,
        batches: impl IntoIterator<Item = Result<Vec<Received>, BrokerError>>,
    ) -> (Result<(), LoginLogError>, Vec<u64>) {
        let acked = Arc::new(Mutex::new(Vec::new()));
        let tape = Tape { batches: batches.into_iter().collect(), acked: acked.clone() };
        let result =
            run(Box::new(tape), shop.broker.clone(), shop.db.clone(), shop.clock.clock(), Metrics::new()).await;
        let acked = acked.lock().clone();
        (result, acked)
    }

    /// A shop with three login events, as messages.
    async fn shop_with_events() -> (Shop, Vec<Bytes>) {
        let shop = Shop::open().await;
        shop.accounts.sign_up("alice", PASSWORD, "Alice", HOME).await.unwrap().unwrap();
        shop.accounts.sign_in("alice", PASSWORD, HOME).await.unwrap().unwrap();
        shop.accounts.sign_in("nobody", PASSWORD, HOME).await.unwrap().unwrap_err();
        shop.accounts.flush().await;
        let messages = shop.broker.published.lock().drain(..).map(|(_, message)| message.payload).collect();
        (shop, messages)
    }

    async fn log(shop: &Shop) -> Vec<(String, String)> {
        let rows = store::read!(&shop.db, |conn| sql::accounts::login_log_rows(conn).await).unwrap();
        assert!(
            rows.iter().all(|(_, _, address, _, at)| *address == HOME.to_string() && *at == shop.clock.clock().now())
        );
        rows.into_iter().map(|(_, username, _, outcome, _)| (username, outcome)).collect()
    }

    fn expected() -> Vec<(String, String)> {
        let rows = [("alice", "SIGNED_UP"), ("alice", "SIGNED_IN"), ("nobody", "INVALID_CREDENTIALS")];
        rows.map(|(username, outcome)| (username.to_owned(), outcome.to_owned())).to_vec()
    }

    #[tokio::test]
    async fn an_event_that_comes_again_is_written_once() {
        let (shop, messages) = shop_with_events().await;
        let batch: Vec<_> = (1..).zip(&messages).map(|(position, payload)| received(position, payload)).collect();
        let twice_in_one: Vec<_> = batch.iter().chain(&batch).cloned().collect();
        let (result, acked) = play(&shop, [Ok(batch), Ok(twice_in_one)]).await;
        result.unwrap();
        assert_eq!(acked, [1, 2, 3, 1, 2, 3, 1, 2, 3]);
        assert_eq!(log(&shop).await, expected());
    }

    #[tokio::test]
    async fn nothing_is_acknowledged_before_it_is_written() {
        let (shop, messages) = shop_with_events().await;
        let batch = vec![received(1, &messages[0])];
        store::write!(&shop.db, |conn| sql::accounts::drop_login_log(conn).await).unwrap();
        let (result, acked) = play(&shop, [Ok(batch)]).await;
        assert!(matches!(result, Err(LoginLogError::Store(_))));
        assert_eq!(acked, Vec::<u64>::new());
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_dead_lettered_and_stops_nobody() {
        let (shop, messages) = shop_with_events().await;
        let newer = Bytes::from(String::from_utf8(messages[0].to_vec()).unwrap().replace("\"v\":1", "\"v\":9"));
        let garbage = Bytes::from_static(b"\xff garbage");
        let batch =
            vec![received(1, &newer), received(2, &garbage), received(3, &messages[0]), received(4, &messages[1])];
        let (result, acked) = play(&shop, [Ok(batch), Ok(vec![received(5, &messages[2])])]).await;
        result.unwrap();
        assert_eq!(acked, [1, 2, 3, 4, 5]);
        assert_eq!(log(&shop).await, expected());
        let published = shop.broker.published.lock();
        let failures: Vec<Failure> = published
            .iter()
            .filter(|(topic, _)| *topic == Topic::Failures)
            .map(|(_, message)| Failure::decode(&message.payload).unwrap())
            .collect();
        assert_eq!(failures.len(), 2);
        assert!(failures[0].reason.contains("unknown version 9"), "{}", failures[0].reason);
        assert_eq!((failures[0].topic.as_str(), &failures[0].payload), ("login-events", &newer));
        assert_eq!((failures[1].key.as_ref(), &failures[1].payload), (b"key".as_slice(), &garbage));
    }

    #[tokio::test]
    async fn a_failing_broker_ends_the_worker_and_a_closing_one_ends_it_well() {
        let shop = Shop::open().await;
        let (result, _) = play(&shop, [Err(BrokerError::Unavailable("gone".into()))]).await;
        assert!(matches!(result, Err(LoginLogError::Broker(BrokerError::Unavailable(_)))));
        assert!(play(&shop, []).await.0.is_ok());
    }
}
