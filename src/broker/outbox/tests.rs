use async_trait::async_trait;
use parking_lot::Mutex;

use super::*;
use crate::broker::testing::{Place, within};
use crate::broker::{Consumer, Share};
use crate::kernel::Timestamp;
use crate::model::messages::NewEvent;

/// Notes what is published, and fails when told to.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<(Topic, String)>>,
    failing: Mutex<usize>,
    refused: Option<&'static str>,
    news: Notify,
}

#[async_trait]
impl Broker for Recorder {
    async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError> {
        let texts: Vec<_> = messages.iter().map(|m| String::from_utf8(m.payload.to_vec()).unwrap()).collect();
        {
            let mut failing = self.failing.lock();
            if *failing > 0 {
                *failing -= 1;
                return Err(BrokerError::Unavailable("test".into()));
            }
        }
        if texts.iter().any(|text| Some(text.as_str()) == self.refused) {
            return Err(BrokerError::Refused("test".into()));
        }
        self.seen.lock().extend(texts.into_iter().map(|text| (topic, text)));
        self.news.notify_one();
        Ok(())
    }
    fn partitions(&self, _: Topic) -> u32 {
        1
    }
    fn partition_of(&self, _: Topic, _: &[u8]) -> u32 {
        0
    }
    async fn subscribe(&self, _: Topic, _: u32, _: &str) -> Result<Box<dyn Consumer>, BrokerError> {
        Err(BrokerError::Closed)
    }
    async fn end_position(&self, _: Topic, _: u32) -> Result<u64, BrokerError> {
        Err(BrokerError::Closed)
    }
    async fn acked_through(&self, _: Topic, _: u32, _: &str) -> Result<u64, BrokerError> {
        Err(BrokerError::Closed)
    }
    async fn backlog(&self, _: Topic, _: &str) -> Result<u64, BrokerError> {
        Err(BrokerError::Closed)
    }
    async fn shares(&self, _: Topic, _: &str) -> Result<Vec<Share>, BrokerError> {
        Ok(Vec::new())
    }
    async fn failures(&self, _: u64, _: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        Err(BrokerError::Closed)
    }
    async fn replay(&self, _: u64) -> Result<bool, BrokerError> {
        Err(BrokerError::Closed)
    }
    async fn discard(&self, _: u64) -> Result<bool, BrokerError> {
        Err(BrokerError::Closed)
    }
    async fn close(&self) {}
}

impl Recorder {
    async fn until(&self, count: usize) -> Vec<(Topic, String)> {
        within(async {
            while self.seen.lock().len() < count {
                self.news.notified().await;
            }
        })
        .await;
        self.seen.lock().clone()
    }
}

fn event(topic: Topic, text: impl ToString) -> NewEvent {
    NewEvent { topic, key: "k".into(), payload: text.to_string().into(), deliver_at: None }
}

async fn append(db: &Database, events: Vec<NewEvent>) {
    let now = Timestamp::from_millis(1);
    store::write!(db, |conn| sql::outbox::append(conn, &events[..], now).await).unwrap();
}

async fn left(db: &Database) -> usize {
    let scope = Scope::Own(db.origin().to_owned());
    store::read!(db, |conn| sql::outbox::claim(conn, &scope, 0, &[], 10_000).await).unwrap().len()
}

struct Running {
    relay: Relay,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

fn start(place: &Place, db: &Database, broker: &Arc<Recorder>) -> Running {
    let relay = Relay::new(db.clone(), broker.clone(), place.clock(), Rng::seeded(1), &place.config);
    let stop = CancellationToken::new();
    let (worker, token) = (relay.clone(), stop.clone());
    Running { relay, stop, task: tokio::spawn(async move { worker.run(token).await }) }
}

impl Running {
    async fn finish(self) {
        self.stop.cancel();
        within(self.task).await.unwrap();
    }
}

#[tokio::test]
async fn publishes_in_order_and_removes() {
    let place = Place::new();
    let (db, broker) = (place.database().await, Arc::new(Recorder::default()));
    // Left behind by an earlier process, more than one batch.
    append(&db, (0..25).map(|number| event(Topic::PurchaseResults, number)).collect()).await;
    let running = start(&place, &db, &broker);
    broker.until(25).await;
    let mixed =
        vec![event(Topic::PurchaseResults, 25), event(Topic::PaymentTimeouts, "t"), event(Topic::PurchaseResults, 26)];
    append(&db, mixed).await;
    running.relay.wake();
    let seen = broker.until(28).await;
    running.finish().await;
    let results: Vec<_> = seen.iter().filter(|(topic, _)| *topic == Topic::PurchaseResults).collect();
    assert!(results.iter().enumerate().all(|(index, (_, text))| *text == index.to_string()), "{seen:?}");
    assert!(seen.contains(&(Topic::PaymentTimeouts, "t".into())));
    assert_eq!(broker.seen.lock().len(), 28, "something was published twice");
    assert_eq!(left(&db).await, 0);
}

#[tokio::test]
async fn what_was_rolled_back_is_not_announced() {
    let place = Place::new();
    let (db, broker) = (place.database().await, Arc::new(Recorder::default()));
    let events = [event(Topic::PurchaseResults, "undone")];
    let now = Timestamp::from_millis(1);
    let undone: Result<(), StoreError> = store::write!(&db, |conn| {
        sql::outbox::append(conn, &events[..], now).await?;
        Err(StoreError::internal("changed my mind"))
    });
    assert!(undone.is_err());
    append(&db, vec![event(Topic::PurchaseResults, "done")]).await;
    let running = start(&place, &db, &broker);
    assert_eq!(broker.until(1).await, [(Topic::PurchaseResults, "done".into())]);
    running.finish().await;
}

#[tokio::test]
async fn tries_again_until_the_broker_takes_it() {
    let place = Place::new();
    let (db, broker) = (place.database().await, Arc::new(Recorder::default()));
    *broker.failing.lock() = 3;
    append(&db, (0..25).map(|number| event(Topic::PurchaseResults, number)).collect()).await;
    let running = start(&place, &db, &broker);
    let seen = broker.until(25).await;
    running.finish().await;
    assert!(seen.iter().enumerate().all(|(index, (_, text))| *text == index.to_string()), "{seen:?}");
}

#[tokio::test]
async fn a_failing_topic_neither_stops_nor_repeats_the_other() {
    let place = Place::new();
    let (db, broker) = (place.database().await, Arc::new(Recorder::default()));
    *broker.failing.lock() = 1;
    append(&db, vec![event(Topic::PurchaseResults, "a"), event(Topic::PaymentTimeouts, "b")]).await;
    let running = start(&place, &db, &broker);
    let seen = broker.until(2).await;
    running.finish().await;
    assert_eq!(seen.len(), 2);
    // The first one met the failure, the second did not wait for it.
    assert_eq!(seen, [(Topic::PaymentTimeouts, "b".into()), (Topic::PurchaseResults, "a".into())]);
}

#[tokio::test]
async fn a_crash_publishes_again_rather_than_never() {
    let mut place = Place::new();
    place.config.ack_flush = config::Span(Duration::from_secs(3_600));
    let (db, broker) = (place.database().await, Arc::new(Recorder::default()));
    append(&db, vec![event(Topic::PurchaseResults, "a")]).await;
    let running = start(&place, &db, &broker);
    broker.until(1).await;
    running.task.abort();
    assert!(running.task.await.is_err());
    assert_eq!(left(&db).await, 1, "removed before its time");
    let running = start(&place, &db, &broker);
    broker.until(2).await;
    running.finish().await;
    assert_eq!(left(&db).await, 0);
}

#[tokio::test]
async fn a_crash_while_publishing_loses_nothing() {
    let place = Place::new();
    let (db, broker) = (place.database().await, Arc::new(Recorder::default()));
    *broker.failing.lock() = usize::MAX;
    append(&db, vec![event(Topic::PurchaseResults, "a")]).await;
    let running = start(&place, &db, &broker);
    within(async {
        while *broker.failing.lock() == usize::MAX {
            tokio::task::yield_now().await;
        }
    })
    .await;
    running.finish().await;
    *broker.failing.lock() = 0;
    let running = start(&place, &db, &broker);
    assert_eq!(broker.until(1).await, [(Topic::PurchaseResults, "a".into())]);
    running.finish().await;
}

#[tokio::test]
async fn the_sweep_does_not_publish_twice() {
    let mut place = Place::new();
    place.config.ack_flush = config::Span(Duration::from_secs(3_600));
    place.config.relay_sweep = config::Span(Duration::from_millis(1));
    place.config.relay_batch = 1_000;
    let (db, broker) = (place.database().await, Arc::new(Recorder::default()));
    let running = start(&place, &db, &broker);
    for number in 0..30 {
        // Nobody wakes the relay: the sweep must find them, and only once.
        append(&db, vec![event(Topic::PurchaseResults, number)]).await;
        broker.until(number + 1).await;
    }
    running.finish().await;
    assert_eq!(broker.seen.lock().len(), 30);
    assert_eq!(left(&db).await, 0);
}

#[tokio::test]
async fn what_the_broker_never_takes_is_dead_lettered() {
    let place = Place::new();
    let (db, broker) = (place.database().await, Arc::new(Recorder { refused: Some("poison"), ..Recorder::default() }));
    let events = ["a", "poison", "b"].map(|text| event(Topic::PurchaseResults, text)).to_vec();
    append(&db, events).await;
    let running = start(&place, &db, &broker);
    let seen = broker.until(3).await;
    running.finish().await;
    let texts: Vec<_> =
        seen.iter().filter(|(topic, _)| *topic == Topic::PurchaseResults).map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["a", "b"]);
    let dead_letter = seen.iter().find(|(topic, _)| *topic == Topic::Failures).unwrap();
    let dead_letter = Failure::decode(dead_letter.1.as_bytes()).unwrap();
    assert_eq!((dead_letter.topic.as_str(), &dead_letter.payload[..]), ("purchase-results", &b"poison"[..]));
    assert_eq!(left(&db).await, 0);
}
