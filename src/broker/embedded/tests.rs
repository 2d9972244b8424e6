use proptest::prelude::*;

use super::*;
use crate::broker::testing::{Place, within};

const TOPIC: Topic = Topic::OrderRequests;

fn message(key: &str, text: impl ToString) -> Message {
    Message { key: key.to_owned().into(), payload: text.to_string().into(), deliver_at: None }
}

fn text(message: &Received) -> String {
    String::from_utf8(message.payload.to_vec()).unwrap()
}

async fn read(broker: &EmbeddedBroker, key: &str) -> Box<dyn Consumer> {
    broker.subscribe(TOPIC, broker.partition_of(TOPIC, key.as_bytes()), "writer").await.unwrap()
}

async fn take(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < count {
        let batch = within(consumer.receive(count - all.len(), Duration::ZERO)).await.unwrap();
        all.extend(batch.iter().map(text));
    }
    all
}

#[tokio::test]
async fn messages_follow_their_keys_when_the_partitions_change() {
    let mut place = Place::new();
    let keys: Vec<String> = (0..12).map(|number| format!("key-{number}")).collect();
    let broker = place.broker().await;
    for round in 0..60 {
        let batch = keys.iter().map(|key| message(key, format!("{key}:{round}"))).collect();
        broker.publish(TOPIC, batch).await.unwrap();
    }
    // Some of it is done, and must not come back.
    let mut done = std::collections::BTreeMap::<String, usize>::new();
    for partition in 0..2 {
        let mut consumer = broker.subscribe(TOPIC, partition, "writer").await.unwrap();
        for _ in 0..50 {
            let next = consumer.receive(1, Duration::ZERO).await.unwrap();
            *done.entry(text(&next[0]).split(':').next().unwrap().to_owned()).or_default() += 1;
            consumer.ack(next[0].position).await.unwrap();
        }
    }
    broker.close().await;
    for partitions in [5, 1, 3] {
        place.config.partitions = partitions;
        let broker = place.broker().await;
        let waiting = broker.backlog(TOPIC, "writer").await.unwrap();
        assert_eq!(waiting, 12 * 60 - 100, "with {partitions}");
        for key in &keys {
            broker.publish(TOPIC, vec![message(key, format!("{key}:with {partitions}"))]).await.unwrap();
        }
        let mut seen = std::collections::BTreeMap::<String, Vec<String>>::new();
        for partition in 0..partitions {
            let mut consumer = broker.subscribe(TOPIC, partition, "writer").await.unwrap();
            let end = broker.end_position(TOPIC, partition).await.unwrap();
            let mut at = 0;
            while at < end {
                for next in consumer.receive(64, Duration::ZERO).await.unwrap() {
                    at = next.position;
                    let text = text(&next);
                    let (key, round) = text.split_once(':').unwrap();
                    seen.entry(key.to_owned()).or_default().push(round.to_owned());
                }
            }
        }
        for key in &keys {
            let first = done.get(key).copied().unwrap_or(0);
            let expected: Vec<_> = (first..60).map(|round| round.to_string()).collect();
            assert_eq!(seen[key][..60 - first], expected, "{key} with {partitions}");
            assert_eq!(seen[key][60 - first..], [format!("with {partitions}")], "{key}");
        }
        // What this round added is taken out again for the next.
        let added: Vec<u64> = added_rows(&broker, partitions).await;
        let db = &broker.shared.db;
        store::write!(db, |conn| sql::broker::delete(conn, &added).await).unwrap();
        broker.close().await;
    }
}

async fn added_rows(broker: &EmbeddedBroker, partitions: u32) -> Vec<u64> {
    let rows = store::read!(&broker.shared.db, |conn| sql::broker::read_topic(conn, "order-requests", 0, 10_000).await);
    let suffix = format!("with {partitions}");
    let rows = rows.unwrap().into_iter();
    rows.filter(|row| row.payload.ends_with(suffix.as_bytes())).map(|row| row.id).collect()
}

#[tokio::test]
async fn messages_of_another_process_are_noticed_and_none_is_skipped() {
    let place = Place::new();
    let (ours, theirs) = (place.broker().await, place.broker().await);
    let mut consumer = read(&ours, "k").await;
    let mut logins = ours.subscribe(Topic::LoginEvents, 0, "log").await.unwrap();
    theirs.publish(TOPIC, vec![message("k", "alone")]).await.unwrap();
    theirs.publish(Topic::LoginEvents, vec![message("k", "login")]).await.unwrap();
    assert_eq!(take(&mut consumer, 1).await, ["alone"]);
    assert_eq!(take(&mut logins, 1).await, ["login"]);
    let publish = async |broker: &EmbeddedBroker, name: &str| {
        for number in 0..100 {
            broker.publish(TOPIC, vec![message("k", format!("{name}{number}"))]).await.unwrap();
        }
    };
    let (seen, (), ()) = tokio::join!(take(&mut consumer, 200), publish(&ours, "a"), publish(&theirs, "b"));
    for name in ["a", "b"] {
        let of: Vec<_> = seen.iter().filter(|text| text.starts_with(name)).cloned().collect();
        assert_eq!(of, (0..100).map(|number| format!("{name}{number}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn rows_that_everyone_passed_are_removed_with_the_next_commit() {
    let place = Place::new();
    let broker = place.broker().await;
    let mut consumer = read(&broker, "k").await;
    let mut logins = broker.subscribe(Topic::LoginEvents, 0, "log").await.unwrap();
    for topic in [TOPIC, Topic::LoginEvents] {
        broker.publish(topic, (0..10).map(|number| message("k", number)).collect()).await.unwrap();
    }
    let batch = consumer.receive(10, Duration::ZERO).await.unwrap();
    consumer.ack(batch[8].position).await.unwrap();
    for message in logins.receive(4, Duration::ZERO).await.unwrap() {
        logins.ack(message.position).await.unwrap();
    }
    // Standing behind them in the journal.
    broker.end_position(TOPIC, 0).await.unwrap();
    let db = &broker.shared.db;
    let left = store::read!(db, |conn| sql::broker::read_topic(conn, "order-requests", 0, 99).await).unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(store::read!(db, |conn| sql::broker::count(conn, "login-events").await).unwrap(), 6);
}

#[tokio::test]
async fn a_publisher_that_finds_no_room_waits_and_is_told() {
    let mut place = Place::new();
    place.config.publish_queue = config::Size(100);
    let broker = place.broker().await;
    // Larger than all the room there is: goes alone.
    broker.publish(TOPIC, vec![message("k", "x".repeat(500))]).await.unwrap();
    let all = (0..50).map(|number| broker.publish(TOPIC, vec![message("k", number)]));
    for stored in futures_util::future::join_all(all).await {
        stored.unwrap();
    }
    let mut consumer = read(&broker, "k").await;
    assert_eq!(take(&mut consumer, 51).await.len(), 51);
}

#[derive(Debug, Clone)]
enum Step {
    Publish(usize),
    Receive(usize),
    /// Acknowledges the message this far back in what the consumer has.
    Ack(usize),
    Rewind,
    Resubscribe,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1_usize..8).prop_map(Step::Publish),
        4 => (1_usize..6).prop_map(Step::Receive),
        3 => (0_usize..6).prop_map(Step::Ack),
        1 => Just(Step::Rewind),
        1 => Just(Step::Resubscribe),
        1 => Just(Step::Restart),
    ]
}

/// A plain model of one ordered partition: numbers from 0, a cursor, and how far the consumer has read.
async fn behaves_like_the_model(steps: Vec<Step>) {
    let place = Place::new();
    let mut broker = place.broker().await;
    let mut consumer = read(&broker, "k").await;
    let (mut published, mut acked, mut next) = (0, 0, 0);
    let mut positions = Vec::<u64>::new();
    for step in steps {
        match step {
            Step::Publish(count) => {
                let batch = (published..published + count).map(|n| message("k", n)).collect();
                broker.publish(TOPIC, batch).await.unwrap();
                published += count;
            }
            Step::Receive(max) if next < published => {
                for found in within(consumer.receive(max, Duration::ZERO)).await.unwrap() {
                    assert_eq!(text(&found), next.to_string());
                    positions.truncate(next);
                    positions.push(found.position);
                    next += 1;
                }
            }
            Step::Ack(back) if back < next => {
                let index = next - 1 - back;
                consumer.ack(positions[index]).await.unwrap();
                acked = acked.max(index + 1);
            }
            Step::Rewind => {
                consumer.rewind().await.unwrap();
                next = acked;
            }
            Step::Resubscribe => {
                drop(consumer);
                consumer = read(&broker, "k").await;
                next = acked;
            }
            Step::Restart => {
                drop(consumer);
                broker.close().await;
                broker = place.broker().await;
                consumer = read(&broker, "k").await;
                next = acked;
            }
            Step::Receive(_) | Step::Ack(_) => {}
        }
        assert_eq!(broker.backlog(TOPIC, "writer").await.unwrap(), (published - acked) as u64);
    }
    let rest = take(&mut consumer, published - next).await;
    assert_eq!(rest, (next..published).map(|number| number.to_string()).collect::<Vec<_>>());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn one_partition_behaves_like_the_model(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(behaves_like_the_model(steps));
    }
}
