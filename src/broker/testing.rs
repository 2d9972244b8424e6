//! What the tests of this module share.

use std::future::Future;
use std::time::Duration;

use crate::config::{self, Config, Secret, Size, Span};
use crate::kernel::{Clock, ManualClock, Rng, Timestamp};
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
