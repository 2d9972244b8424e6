//! Shared test helpers of this module, and a broker for the tests of its users.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use super::{Broker, BrokerError, Consumer, Failure, Share, partition_for};
use crate::config::{self, Config, Secret, Size, Span};
use crate::kernel::{Clock, ManualClock, Rng, Timestamp};
use crate::model::messages::{Message, Topic};
use crate::store::Database;

use super::embedded::EmbeddedBroker;

/// A database of its own, in a folder that goes with it.
pub(super) struct Place {
    folder: tempfile::TempDir,
    pub(super) clock: ManualClock,
    pub(super) config: config::Broker,
}

impl Place {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: ManualClock::at(Timestamp::from_millis(1_795_428_000_000)),
            config: settings(),
        }
    }

    pub(super) async fn database(&self) -> Database {
        let store = config::Store {
            url: Secret::new(format!("sqlite://{}", self.folder.path().join("broker.db").display())),
            readers: 2,
            writer_queue: 1_000,
            writer_batch: 100,
            busy_timeout: Span(Duration::from_secs(5)),
            ..Config::default_embedded().store
        };
        let db = Database::open(&store).await.unwrap();
        db.migrate().await.unwrap();
        db
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock.clock()
    }

    pub(super) async fn broker(&self) -> EmbeddedBroker {
        EmbeddedBroker::open(self.database().await, self.clock(), Rng::seeded(1), &self.config).await.unwrap()
    }
}

fn settings() -> config::Broker {
    config::Broker {
        url: Secret::new("embedded:"),
        partitions: 2,
        envelope_items: 64,
        in_flight: 16,
        publish_timeout: Span(Duration::from_secs(10)),
        redelivery_after: Span(Duration::from_secs(30)),
        broadcast_buffer: 64,
        message_max: Size(64 * 1024),
        publish_queue: Size(1 << 20),
        tail: Size(400),
        ack_flush: Span(Duration::from_millis(5)),
        poll_every: Span(Duration::from_millis(2)),
        relay_batch: 10,
        relay_sweep: Span(Duration::from_millis(20)),
        ..config::Config::default_embedded().broker
    }
}

/// Fails instead of hanging.
pub(super) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), work).await.expect("hangs")
}

/// Another broker, whose partitions can be stuck, and which can panic.
pub(crate) struct Double {
    inner: Arc<dyn Broker>,
    /// How many partitions it says that there are; unless given, as many as the other one has.
    pub(crate) partitions: Mutex<Option<u32>>,
    /// The partitions of order requests that store nothing for the time being.
    pub(crate) stuck: watch::Sender<BTreeSet<u32>>,
    /// A permit for each publish of order requests that began.
    pub(crate) entered: Semaphore,
    /// As many publishes panic.
    pub(crate) panics: Semaphore,
    /// The keys of each publish of order requests that was stored.
    pub(crate) stored: Mutex<Vec<Vec<Bytes>>>,
}

impl Double {
    pub(crate) fn of(inner: Arc<dyn Broker>, stuck: impl IntoIterator<Item = u32>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            partitions: Mutex::new(None),
            stuck: watch::Sender::new(stuck.into_iter().collect()),
            entered: Semaphore::new(0),
            panics: Semaphore::new(0),
            stored: Mutex::default(),
        })
    }

    /// No partition is stuck any more.
    pub(crate) fn free(&self) {
        self.stuck.send_replace(BTreeSet::new());
    }
}

#[async_trait]
impl Broker for Double {
    async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError> {
        if topic != Topic::OrderRequests {
            return self.inner.publish(topic, messages).await;
        }
        self.entered.add_permits(1);
        if let Ok(permit) = self.panics.try_acquire() {
            permit.forget();
            panic!("told to panic");
        }
        let of = |message: &Message| self.partition_of(topic, &message.key);
        let partitions: BTreeSet<u32> = messages.iter().map(of).collect();
        assert_eq!(partitions.len(), 1, "a batch mixes partitions");
        let free = |stuck: &BTreeSet<u32>| stuck.is_disjoint(&partitions);
        drop(self.stuck.subscribe().wait_for(free).await.unwrap());
        self.stored.lock().push(messages.iter().map(|message| message.key.clone()).collect());
        self.inner.publish(topic, messages).await
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.partitions.lock().unwrap_or_else(|| self.inner.partitions(topic))
    }

    fn partition_of(&self, topic: Topic, key: &[u8]) -> u32 {
        partition_for(key, self.partitions(topic))
    }

    async fn subscribe(&self, topic: Topic, partition: u32, group: &str) -> Result<Box<dyn Consumer>, BrokerError> {
        self.inner.subscribe(topic, partition, group).await
    }

    async fn end_position(&self, topic: Topic, partition: u32) -> Result<u64, BrokerError> {
        self.inner.end_position(topic, partition).await
    }

    async fn acked_through(&self, topic: Topic, partition: u32, group: &str) -> Result<u64, BrokerError> {
        self.inner.acked_through(topic, partition, group).await
    }

    async fn backlog(&self, topic: Topic, group: &str) -> Result<u64, BrokerError> {
        self.inner.backlog(topic, group).await
    }

    async fn shares(&self, topic: Topic, group: &str) -> Result<Vec<Share>, BrokerError> {
        self.inner.shares(topic, group).await
    }

    async fn failures(&self, after: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        self.inner.failures(after, max).await
    }

    async fn failures_before(&self, before: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        self.inner.failures_before(before, max).await
    }

    async fn replay(&self, position: u64) -> Result<bool, BrokerError> {
        self.inner.replay(position).await
    }

    async fn discard(&self, position: u64) -> Result<bool, BrokerError> {
        self.inner.discard(position).await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
