//! A consumer of a competing topic.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::Instant;

use super::Queue;
use crate::broker::embedded::shared::{Shared, unavailable};
use crate::broker::{BrokerError, Consumer, backoff};
use crate::kernel::Backoff;
use crate::model::messages::Received;
use crate::store;

/// A consumer of a competing topic.
pub(in crate::broker::embedded) struct Worker {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    number: u64,
    news: watch::Receiver<u64>,
    ready: Vec<Received>,
    backoff: Backoff,
}

impl Worker {
    pub(in crate::broker::embedded) fn new(shared: Arc<Shared>, queue: Arc<Queue>, number: u64) -> Self {
        let backoff = backoff(shared.rng.clone());
        let news = queue.news.subscribe();
        Self { shared, queue, number, news, ready: Vec::new(), backoff }
    }

    /// Takes up to `max` messages that are due.
    async fn take(&mut self, max: usize) -> Result<(), BrokerError> {
        let nothing = |queue: &Queue, now| max == 0 || queue.state.lock().next_due > now;
        self.news.borrow_and_update();
        if nothing(&self.queue, self.shared.clock.now()) {
            return Ok(());
        }
        self.backoff.pause().await;
        let queue = self.queue.clone();
        let _scan = queue.begin_scan().await;
        let version = *self.news.borrow_and_update();
        let now = self.shared.clock.now();
        if nothing(&queue, now) {
            return Ok(());
        }
        let (topic, limit) = (queue.topic.name(), max + queue.lent());
        let read = store::read!(&self.shared.db, |conn| sql::broker::due(conn, topic, now, limit).await);
        let (found, next) = match read {
            Ok(read) => {
                self.backoff.succeeded();
                read
            }
            Err(error) => {
                self.backoff.failed();
                return Err(unavailable(error));
            }
        };
        let everything = found.len() < limit;
        let taken = queue.lend(self.number, found, max, now, now.plus(self.shared.redelivery_after));
        if everything && taken.len() < max {
            queue.nothing_until(version, next);
        }
        self.ready.extend(taken);
        Ok(())
    }

    /// Waits until something may be due, the poll interval has passed, or `deadline`.
    async fn wait(&mut self, deadline: Option<Instant>) {
        let due_in = self.queue.state.lock().next_due.since(self.shared.clock.now());
        let wake = Instant::now() + due_in.min(self.shared.poll_every);
        let wake = deadline.map_or(wake, |deadline| wake.min(deadline));
        tokio::select! {
            _ = self.news.changed() => {}
            () = tokio::time::sleep_until(wake) => {}
            () = self.shared.closed.cancelled() => {}
        }
    }
}

#[async_trait]
impl Consumer for Worker {
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError> {
        let max = max.max(1);
        let mut deadline = None;
        loop {
            if self.shared.closed.is_cancelled() {
                return Err(BrokerError::Closed);
            }
            self.take(max.saturating_sub(self.ready.len())).await?;
            if self.ready.is_empty() {
                self.wait(None).await;
                continue;
            }
            let until = *deadline.get_or_insert_with(|| Instant::now() + linger);
            if self.ready.len() >= max || Instant::now() >= until {
                break;
            }
            self.wait(Some(until)).await;
        }
        let rest = self.ready.split_off(max.min(self.ready.len()));
        let messages = std::mem::replace(&mut self.ready, rest);
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("broker.ack_before_work") {
            for message in &messages {
                self.ack(message.position).await?;
            }
        }
        Ok(messages)
    }

    async fn ack(&mut self, position: u64) -> Result<(), BrokerError> {
        if self.queue.acknowledge(position) {
            self.shared.journal.acknowledged();
        }
        Ok(())
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        self.ready.clear();
        self.queue.release(self.number);
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.queue.release(self.number);
    }
}
