//! What every broker must do, through its public contract only. `suite!` runs each case on a fresh [`Rig`].

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use doorbuster::broker::{Broker, BrokerError, Consumer, Failure, Message, Received, Topic, park};
use doorbuster::kernel::Timestamp;

mod delivery;

pub use delivery::*;

/// Storage for one case, and the broker on it.
#[async_trait]
pub trait Rig: Send + Sync {
    /// Starts a broker on the rig's storage, as a new process would. It has four partitions, hands unacknowledged messages
    /// out again after [`REDELIVERY`], buffers [`BUFFER`] broadcast messages and takes messages of [`LARGEST`] bytes.
    async fn open(&self) -> Arc<dyn Broker>;

    /// The time by which delayed messages are due.
    fn now(&self) -> Timestamp;

    /// Lets time pass.
    async fn pass(&self, time: Duration);

    /// Makes the storage unavailable until the result is dropped.
    async fn outage(&self) -> Box<dyn Any + Send>;
}

pub const REDELIVERY: Duration = Duration::from_secs(30);
pub const BUFFER: usize = 16;
pub const LARGEST: usize = 64 * 1024;

const GROUP: &str = "group";
const NONE: Duration = Duration::ZERO;

/// Declares one test per case; `$rig` makes a fresh rig.
macro_rules! suite {
    ($rig:expr; $($case:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $case() {
            let rig = $rig;
            super::within(super::$case(&rig)).await;
        }
    )*};
}

/// Every case by name, for `suite!`.
macro_rules! all_cases {
    ($rig:expr) => {
        suite! { $rig;
            what_was_published_survives, keys_keep_their_order, one_call_keeps_its_order, acknowledges_cumulatively,
            never_acknowledges_what_was_not_received, waits_in_standby, groups_are_independent,
            a_group_that_comes_later_begins_with_what_is_kept, dropped_receives_lose_nothing, lingers_for_more,
            competing_share, competing_gets_unacknowledged_again, competing_gives_back, competing_has_one_group,
            delayed_is_never_early, delayed_survives, broadcast_reaches_everyone, broadcast_says_when_it_lagged,
            barrier_passes_when_everything_before_is_done, backlog_counts_what_waits, failures_come_back_verbatim,
            failures_are_taken_once, refuses_what_is_too_large, outage_is_told_and_survived, closed_says_so,
        }
    };
}

/// A case must end in time; nothing here needs more than a fraction of it.
pub async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("the case hangs")
}

/// Long enough for anything that is going to come without time passing.
async fn nothing_comes(consumer: &mut Box<dyn Consumer>) {
    let come = tokio::time::timeout(Duration::from_millis(60), consumer.receive(1, NONE)).await;
    assert!(come.is_err(), "came: {come:?}");
}

fn message(key: &str, text: impl ToString) -> Message {
    Message { key: Bytes::copy_from_slice(key.as_bytes()), payload: text.to_string().into(), deliver_at: None }
}

fn messages(key: &str, numbers: std::ops::Range<u32>) -> Vec<Message> {
    numbers.map(|number| message(key, number)).collect()
}

fn text(received: &Received) -> String {
    String::from_utf8(received.payload.to_vec()).unwrap()
}

fn texts(received: &[Received]) -> Vec<String> {
    received.iter().map(text).collect()
}

/// Receives until there are `count`.
async fn take(consumer: &mut Box<dyn Consumer>, count: usize) -> Vec<Received> {
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(within(consumer.receive(count - all.len(), NONE)).await.unwrap());
    }
    all
}

async fn orders(broker: &dyn Broker, key: &str) -> Box<dyn Consumer> {
    let partition = broker.partition_of(Topic::OrderRequests, key.as_bytes());
    broker.subscribe(Topic::OrderRequests, partition, GROUP).await.unwrap()
}

async fn logins(broker: &dyn Broker) -> Box<dyn Consumer> {
    broker.subscribe(Topic::LoginEvents, 0, GROUP).await.unwrap()
}

async fn eventually<F: Future<Output = bool>>(mut check: impl FnMut() -> F) {
    within(async {
        while !check().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub async fn what_was_published_survives(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..3)).await.unwrap();
    broker.publish(Topic::LoginEvents, messages("k", 0..3)).await.unwrap();
    drop(broker);
    let broker = rig.open().await;
    let found = take(&mut orders(&*broker, "k").await, 3).await;
    assert_eq!(texts(&found), ["0", "1", "2"]);
    assert!(found.iter().all(|message| message.key == "k"));
    assert!(found.is_sorted_by(|a, b| a.position < b.position));
    assert_eq!(texts(&take(&mut logins(&*broker).await, 3).await), ["0", "1", "2"]);
}

pub async fn keys_keep_their_order(rig: &dyn Rig) {
    const PUBLISHERS: usize = 8;
    const EACH: usize = 60;
    let broker = rig.open().await;
    assert_eq!(broker.partitions(Topic::OrderRequests), 4);
    let mut tasks = tokio::task::JoinSet::new();
    for publisher in 0..PUBLISHERS {
        let broker = broker.clone();
        tasks.spawn(async move {
            for number in 0..EACH {
                let text = format!("{publisher}:{number}");
                broker.publish(Topic::OrderRequests, vec![message(&publisher.to_string(), text)]).await.unwrap();
            }
        });
    }
    let mut readers = tokio::task::JoinSet::new();
    for partition in 0..4 {
        let broker = broker.clone();
        let wanted = (0..PUBLISHERS)
            .filter(|key| broker.partition_of(Topic::OrderRequests, key.to_string().as_bytes()) == partition)
            .count();
        readers.spawn(async move {
            let mut consumer = broker.subscribe(Topic::OrderRequests, partition, GROUP).await.unwrap();
            let mut seen = Vec::new();
            // Small and large batches, and acknowledgements in between, as a worker does.
            while seen.len() < wanted * EACH {
                let batch = consumer.receive(1 + seen.len() % 7, NONE).await.unwrap();
                consumer.ack(batch.last().unwrap().position).await.unwrap();
                seen.extend(batch);
            }
            seen
        });
    }
    tasks.join_all().await;
    let mut next = BTreeMap::<String, usize>::new();
    for seen in within(readers.join_all()).await {
        assert!(seen.is_sorted_by(|a, b| a.position < b.position));
        for message in &seen {
            let text = text(message);
            let (publisher, number) = text.split_once(':').unwrap();
            let expected = next.entry(publisher.to_owned()).or_default();
            assert_eq!(number.parse::<usize>().unwrap(), *expected, "publisher {publisher}");
            *expected += 1;
        }
    }
    assert!(next.len() == PUBLISHERS && next.values().all(|count| *count == EACH), "{next:?}");
}

pub async fn one_call_keeps_its_order(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut consumer = orders(&*broker, "k").await;
    broker.publish(Topic::OrderRequests, messages("k", 0..1_200)).await.unwrap();
    let found = texts(&take(&mut consumer, 1_200).await);
    assert_eq!(found, (0..1_200).map(|number| number.to_string()).collect::<Vec<_>>());
}

pub async fn acknowledges_cumulatively(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..5)).await.unwrap();
    let mut consumer = orders(&*broker, "k").await;
    let first = take(&mut consumer, 5).await;
    assert!(first.iter().all(|message| message.redeliveries == 0));
    consumer.ack(first[2].position).await.unwrap();
    consumer.rewind().await.unwrap();
    let again = take(&mut consumer, 2).await;
    assert_eq!(texts(&again), ["3", "4"]);
    assert_eq!(again[0].position, first[3].position);
    // An older acknowledgement changes nothing.
    consumer.ack(first[0].position).await.unwrap();
    consumer.rewind().await.unwrap();
    assert_eq!(texts(&take(&mut consumer, 2).await), ["3", "4"]);
    drop(consumer);
    broker.close().await;
    drop(broker);
    let broker = rig.open().await;
    let mut consumer = orders(&*broker, "k").await;
    assert_eq!(texts(&take(&mut consumer, 2).await), ["3", "4"]);
    broker.publish(Topic::OrderRequests, messages("k", 5..6)).await.unwrap();
    let last = take(&mut consumer, 1).await;
    assert_eq!(texts(&last), ["5"]);
    assert!(last[0].position > first[4].position, "a position was used twice");
    consumer.ack(last[0].position).await.unwrap();
    drop(consumer);
    broker.close().await;
    drop(broker);
    let broker = rig.open().await;
    nothing_comes(&mut orders(&*broker, "k").await).await;
    broker.publish(Topic::OrderRequests, messages("k", 6..7)).await.unwrap();
    assert_eq!(texts(&take(&mut orders(&*broker, "k").await, 1).await), ["6"]);
}

pub async fn never_acknowledges_what_was_not_received(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..5)).await.unwrap();
    let mut consumer = orders(&*broker, "k").await;
    assert_eq!(texts(&take(&mut consumer, 2).await), ["0", "1"]);
    consumer.ack(u64::MAX >> 1).await.unwrap();
    consumer.rewind().await.unwrap();
    assert_eq!(texts(&take(&mut consumer, 3).await), ["2", "3", "4"]);
}

pub async fn waits_in_standby(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::OrderRequests, messages("k", 0..4)).await.unwrap();
    let mut active = orders(&*broker, "k").await;
    let first = take(&mut active, 3).await;
    let mut standby = orders(&*broker, "k").await;
    nothing_comes(&mut standby).await;
    active.ack(first[0].position).await.unwrap();
    drop(active);
    let taken_over = take(&mut standby, 3).await;
    assert_eq!(texts(&taken_over), ["1", "2", "3"]);
}

pub async fn groups_are_independent(rig: &dyn Rig) {
    let broker = rig.open().await;
    let partition = broker.partition_of(Topic::OrderRequests, b"k");
    let mut one = broker.subscribe(Topic::OrderRequests, partition, "one").await.unwrap();
    let mut two = broker.subscribe(Topic::OrderRequests, partition, "two").await.unwrap();
    broker.publish(Topic::OrderRequests, messages("k", 0..3)).await.unwrap();
    let seen = take(&mut one, 3).await;
    one.ack(seen[2].position).await.unwrap();
    drop((one, take(&mut two, 1).await, two));
    broker.close().await;
    let broker = rig.open().await;
    let mut two = broker.subscribe(Topic::OrderRequests, partition, "two").await.unwrap();
    assert_eq!(texts(&take(&mut two, 3).await), ["0", "1", "2"]);
    let mut one = broker.subscribe(Topic::OrderRequests, partition, "one").await.unwrap();
    nothing_comes(&mut one).await;
}

pub async fn a_group_that_comes_later_begins_with_what_is_kept(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut early = orders(&*broker, "k").await;
    broker.publish(Topic::OrderRequests, messages("k", 0..2)).await.unwrap();
    take(&mut early, 2).await;
    let partition = broker.partition_of(Topic::OrderRequests, b"k");
    let mut late = broker.subscribe(Topic::OrderRequests, partition, "late").await.unwrap();
    assert_eq!(texts(&take(&mut late, 2).await), ["0", "1"]);
}

pub async fn dropped_receives_lose_nothing(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut ordered = orders(&*broker, "k").await;
    let mut competing = logins(&*broker).await;
    let mut heard = broker.subscribe(Topic::PurchaseResults, 0, "node").await.unwrap();
    let (mut a, mut b, mut c) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..200_u32 {
        if round < 40 {
            broker.publish(Topic::OrderRequests, messages("k", round..round + 1)).await.unwrap();
            broker.publish(Topic::LoginEvents, messages("k", round..round + 1)).await.unwrap();
            broker.publish(Topic::PurchaseResults, messages("k", round..round + 1)).await.unwrap();
        }
        // Each is polled a few times only, then dropped wherever it stands.
        for (consumer, seen) in [(&mut ordered, &mut a), (&mut competing, &mut b), (&mut heard, &mut c)] {
            tokio::select! {
                biased;
                batch = consumer.receive(3, Duration::from_millis(1)) => seen.extend(texts(&batch.unwrap())),
                () = async { for _ in 0..round % 5 { tokio::task::yield_now().await; } } => {}
            }
        }
    }
    for (mut consumer, mut seen) in [(ordered, a), (competing, b), (heard, c)] {
        let rest = take(&mut consumer, 40 - seen.len()).await;
        seen.extend(texts(&rest));
        assert_eq!(seen, (0..40).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}

pub async fn lingers_for_more(rig: &dyn Rig) {
    let broker = rig.open().await;
    for topic in [Topic::OrderRequests, Topic::LoginEvents, Topic::PurchaseResults] {
        let partition = broker.partition_of(topic, b"k");
        let mut consumer = broker.subscribe(topic, partition, GROUP).await.unwrap();
        broker.publish(topic, messages("k", 0..1)).await.unwrap();
        let more = async {
            tokio::task::yield_now().await;
            broker.publish(topic, messages("k", 1..3)).await.unwrap();
        };
        let (batch, ()) = tokio::join!(consumer.receive(3, Duration::from_secs(20)), more);
        assert_eq!(texts(&batch.unwrap()), ["0", "1", "2"], "{}", topic.name());
        broker.publish(topic, messages("k", 3..4)).await.unwrap();
        assert_eq!(texts(&consumer.receive(3, Duration::from_millis(5)).await.unwrap()), ["3"], "{}", topic.name());
    }
}

pub async fn competing_share(rig: &dyn Rig) {
    let broker = rig.open().await;
    let mut workers = tokio::task::JoinSet::new();
    let all = Arc::new(tokio::sync::Mutex::new(Vec::new()));
    for _ in 0..3 {
        let (broker, all) = (broker.clone(), all.clone());
        workers.spawn(async move {
            let mut consumer = logins(&*broker).await;
            loop {
                for message in consumer.receive(4, NONE).await.unwrap() {
                    assert_eq!(message.redeliveries, 0);
                    all.lock().await.push(text(&message));
                    consumer.ack(message.position).await.unwrap();
                }
            }
        });
    }
    for start in (0..120).step_by(10) {
        broker.publish(Topic::LoginEvents, messages("k", start..start + 10)).await.unwrap();
    }
    eventually(async || all.lock().await.len() >= 120).await;
    // Long after they might have been delivered again.
    rig.pass(REDELIVERY * 2).await;
    let mut idle = logins(&*broker).await;
    nothing_comes(&mut idle).await;
    workers.shutdown().await;
    let all = all.lock().await;
    assert_eq!(all.len(), 120);
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 120);
    drop(idle);
    broker.close().await;
    nothing_comes(&mut logins(&*rig.open().await).await).await;
}

pub async fn competing_gets_unacknowledged_again(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::LoginEvents, messages("k", 0..2)).await.unwrap();
    let mut slow = logins(&*broker).await;
    let mut other = logins(&*broker).await;
    let first = take(&mut slow, 2).await;
    slow.ack(first[0].position).await.unwrap();
    nothing_comes(&mut other).await;
    rig.pass(REDELIVERY - Duration::from_secs(10)).await;
    nothing_comes(&mut other).await;
    rig.pass(Duration::from_secs(11)).await;
    let again = take(&mut other, 1).await;
    assert_eq!(texts(&again), ["1"]);
    assert_eq!(again[0].redeliveries, 1);
    // A crash brings it back, too.
    drop((slow, other, broker));
    let broker = rig.open().await;
    let mut consumer = logins(&*broker).await;
    // The acknowledgement of the other need not have been written.
    while texts(&take(&mut consumer, 1).await) != ["1"] {}
}

pub async fn competing_gives_back(rig: &dyn Rig) {
    let broker = rig.open().await;
    broker.publish(Topic::LoginEvents, messages("k", 0..2)).await.unwrap();
    let mut first = logins(&*broker).await;
    let taken = take(&mut first, 2).await;
    first.ack(taken[0].position).await.unwrap();
    first.rewind().await.unwrap();
    let again = take(&mut first, 1).await;
    assert_eq!((text(&again[0]), again[0].redeliveries), ("1".to_owned(), 1));
    let mut second = logins(&*broker).await;
    drop(first);
    assert_eq!(texts(&take(&mut second, 1).await), ["1"]);
}

pub async fn competing_has_one_group(rig: &dyn Rig) {
    let broker = rig.open().await;
    let _one = logins(&*broker).await;
    let other = broker.subscribe(Topic::LoginEvents, 0, "another").await;
    assert!(matches!(other.err(), Some(BrokerError::Refused(_))));
}

mod embedded {
    use super::*;
    use diesel::Connection as _;
    use diesel::connection::SimpleConnection as _;
    use doorbuster::broker::embedded::EmbeddedBroker;
    use doorbuster::config::{self, Secret, Size, Span};
    use doorbuster::kernel::{ManualClock, Rng};
    use doorbuster::store::Database;

    struct Embedded {
        folder: tempfile::TempDir,
        clock: ManualClock,
    }

    impl Embedded {
        fn new() -> Self {
            let clock = ManualClock::at(Timestamp::from_millis(1_795_428_000_000));
            Self { folder: tempfile::tempdir().unwrap(), clock }
        }

        fn path(&self) -> String {
            self.folder.path().join("broker.db").to_string_lossy().into_owned()
        }
    }

    fn store(path: &str) -> config::Store {
        config::Store {
            url: Secret::new(format!("sqlite://{path}")),
            readers: 2,
            writer_queue: 1_000,
            writer_batch: 100,
            busy_timeout: Span(Duration::from_millis(50)),
            connections: 2,
            acquire_timeout: Span(Duration::from_secs(1)),
        }
    }

    fn settings() -> config::Broker {
        config::Broker {
            url: Secret::new("embedded:"),
            partitions: 4,
            envelope_items: 64,
            in_flight: 16,
            publish_timeout: Span(Duration::from_secs(10)),
            redelivery_after: Span(REDELIVERY),
            broadcast_buffer: BUFFER,
            message_max: Size(LARGEST),
            publish_queue: Size(1 << 20),
            tail: Size(1 << 12),
            ack_flush: Span(Duration::from_millis(20)),
            poll_every: Span(Duration::from_millis(2)),
            relay_batch: 100,
            relay_sweep: Span(Duration::from_secs(1)),
        }
    }

    #[async_trait]
    impl Rig for Embedded {
        async fn open(&self) -> Arc<dyn Broker> {
            let db = Database::open(&store(&self.path())).await.unwrap();
            db.migrate().await.unwrap();
            Arc::new(EmbeddedBroker::open(db, self.clock.clock(), Rng::seeded(1), &settings()).await.unwrap())
        }

        fn now(&self) -> Timestamp {
            self.clock.clock().now()
        }

        async fn pass(&self, time: Duration) {
            self.clock.advance(time);
        }

        async fn outage(&self) -> Box<dyn Any + Send> {
            let mut conn = diesel::SqliteConnection::establish(&self.path()).unwrap();
            conn.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").unwrap();
            Box::new(conn)
        }
    }

    all_cases!(Embedded::new());

    /// A table that can't be read: the consumer says so, backs off, and goes on where it was.
    #[tokio::test]
    async fn a_failed_read_is_told_and_tried_again() {
        let rig = Embedded::new();
        let broker = rig.open().await;
        for topic in [Topic::OrderRequests, Topic::LoginEvents] {
            broker.publish(topic, messages("k", 0..2)).await.unwrap();
        }
        let mut conn = diesel::SqliteConnection::establish(&rig.path()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 5000; ALTER TABLE broker_messages RENAME TO gone").unwrap();
        let mut consumers = [orders(&*broker, "k").await, logins(&*broker).await];
        for consumer in &mut consumers {
            for _ in 0..3 {
                let told = within(consumer.receive(2, NONE)).await;
                assert!(matches!(told, Err(BrokerError::Unavailable(_))), "{told:?}");
            }
        }
        conn.batch_execute("ALTER TABLE gone RENAME TO broker_messages").unwrap();
        for consumer in &mut consumers {
            assert_eq!(texts(&take(consumer, 2).await), ["0", "1"]);
        }
    }
}
