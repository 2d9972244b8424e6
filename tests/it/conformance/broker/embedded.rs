//! The suite on the broker inside the database.

use super::*;
use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use doorbuster::broker::embedded::EmbeddedBroker;
use doorbuster::config::{self, Config, Secret, Size, Span};
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
        busy_timeout: Span(Duration::from_millis(500)),
        ..Config::default_embedded().store
    }
}

fn settings() -> config::Broker {
    config::Broker {
        url: Secret::new("embedded:"),
        partitions: 4,
        envelope_items: 64,
        in_flight: 16,
        envelope_queue: 4_096,
        publish_timeout: Span(Duration::from_secs(10)),
        redelivery_after: Span(Duration::from_secs(REDELIVERY.into())),
        broadcast_buffer: BUFFER,
        message_max: Size(LARGEST),
        publish_queue: Size(1 << 20),
        tail: Size(1 << 12),
        ack_flush: Span(Duration::from_millis(20)),
        poll_every: Span(Duration::from_millis(2)),
        relay_batch: 100,
        relay_sweep: Span(Duration::from_secs(1)),
        ..Config::default_embedded().broker
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

    async fn pass_until(&self, moment: Timestamp) {
        self.clock.set(moment.max(self.now()));
    }

    async fn outage(&self) -> Box<dyn Any + Send> {
        let mut conn = diesel::SqliteConnection::establish(&self.path()).unwrap();
        conn.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").unwrap();
        Box::new(conn)
    }
}

quiet_cases!(Embedded::new());
outage_cases!(Embedded::new());

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
