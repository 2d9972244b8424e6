//! The broker inside the database of one process. Ordered and competing topics are tables; broadcast topics live in memory.
//!
//! One process owns the broker of a database. Another one may publish to it for a moment, as an operator's command does;
//! its messages are noticed within `broker.poll_every`.

mod broadcast;
mod competing;
mod journal;
mod ordered;
mod shared;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::broadcast::Channel;
use self::journal::Journal;
use super::{Broker, BrokerError, Consumer, Failure, Share, partition_for};
use crate::config;
use crate::kernel::{Clock, Rng};
use crate::model::messages::{Cursor, Delivery, Message, NewMessage, Received, Topic};
use crate::store::{self, Database};
use competing::Queue;
use competing::worker::Worker;
use ordered::Log;
use ordered::reader::Reader;
use shared::{Shared, unavailable};

/// Messages moved in one transaction when the number of partitions has changed.
const MOVE_CHUNK: usize = 500;

/// A durable queue in the tables `broker_messages` and `broker_cursors`. It ends when it is closed or dropped.
pub struct EmbeddedBroker {
    shared: Arc<Shared>,
    publish_timeout: Duration,
    message_max: usize,
    partitions: u32,
    task: Mutex<Option<JoinHandle<()>>>,
}

fn topics(delivery: Delivery) -> impl Iterator<Item = Topic> {
    Topic::ALL.into_iter().filter(move |topic| topic.delivery() == delivery)
}

impl EmbeddedBroker {
    /// Takes over the broker of a migrated database. Must be called inside a tokio runtime. If the number of partitions has
    /// changed, messages that wait are moved to their new partition first, in order.
    pub async fn open(db: Database, clock: Clock, rng: Rng, config: &config::Broker) -> Result<Self, BrokerError> {
        let cursors = store::read!(&db, |conn| sql::broker::cursors(conn).await).map_err(unavailable)?;
        for topic in topics(Delivery::Ordered) {
            rearrange(&db, &clock, topic, config.partitions.max(1), &cursors).await?;
        }
        Self::start(db, clock, rng, config, &cursors).await
    }

    /// To look at what others do: changes nothing.
    pub async fn look(db: Database, clock: Clock, rng: Rng, config: &config::Broker) -> Result<Self, BrokerError> {
        let cursors = store::read!(&db, |conn| sql::broker::cursors(conn).await).map_err(unavailable)?;
        Self::start(db, clock, rng, config, &cursors).await
    }

    async fn start(
        db: Database,
        clock: Clock,
        rng: Rng,
        config: &config::Broker,
        cursors: &[Cursor],
    ) -> Result<Self, BrokerError> {
        let partitions = config.partitions.max(1);
        let newest = store::read!(&db, |conn| sql::broker::last_id(conn).await).map_err(unavailable)?;
        let last = cursors.iter().map(|cursor| cursor.acked_through).fold(newest, u64::max);
        let log = |topic, partition| Arc::new(Log::new(topic, partition, last, *config.tail));
        let logs: Vec<_> =
            topics(Delivery::Ordered).flat_map(|topic| (0..partitions).map(move |n| log(topic, n))).collect();
        for cursor in cursors {
            let log = logs.iter().find(|log| log.topic.name() == cursor.topic && log.partition == cursor.partition);
            if let Some(log) = log {
                log.add_group(&cursor.subscription, cursor.acked_through);
            }
        }
        let shared = Arc::new(Shared {
            db,
            clock,
            rng,
            journal: Journal::new(*config.publish_queue, *config.ack_flush),
            logs,
            queues: topics(Delivery::Competing).map(|topic| Arc::new(Queue::new(topic))).collect(),
            channels: topics(Delivery::Broadcast).map(|topic| (topic, Channel::new(config.broadcast_buffer))).collect(),
            redelivery_after: *config.redelivery_after,
            poll_every: (*config.poll_every).max(Duration::from_millis(1)),
            closed: CancellationToken::new(),
        });
        let task = tokio::spawn(journal::writing::run(shared.clone(), last));
        Ok(Self {
            shared,
            publish_timeout: *config.publish_timeout,
            message_max: *config.message_max,
            partitions,
            task: Mutex::new(Some(task)),
        })
    }

    /// Stores messages of a durable topic, at most for `publish_timeout`.
    async fn append(&self, messages: Vec<NewMessage>) -> Result<(), BrokerError> {
        let stored = tokio::time::timeout(self.publish_timeout, self.shared.journal.append(messages)).await;
        stored.unwrap_or_else(|_| Err(BrokerError::Unavailable("the database did not respond in time".into())))
    }

    fn rows(&self, topic: Topic, messages: Vec<Message>) -> Result<Vec<NewMessage>, BrokerError> {
        let now = self.shared.clock.now();
        let row = |Message { key, payload, deliver_at }: Message| {
            // A failure wraps a message that may itself be as large as allowed.
            if payload.len() > self.message_max && topic != Topic::Failures {
                let size = payload.len();
                return Err(BrokerError::Refused(format!("a message of {size} bytes exceeds broker.message_max")));
            }
            let (partition, deliver_at) = match topic.delivery() {
                Delivery::Ordered => (partition_for(&key, self.partitions), None),
                Delivery::Competing | Delivery::Broadcast => (0, Some(deliver_at.unwrap_or(now))),
            };
            Ok(NewMessage { topic, partition, key, payload, deliver_at })
        };
        messages.into_iter().map(row).collect()
    }

    fn log(&self, topic: Topic, partition: u32) -> Result<&Arc<Log>, BrokerError> {
        let missing = || BrokerError::Refused(format!("{} has no ordered partition {partition}", topic.name()));
        self.shared.log(topic, partition).ok_or_else(missing)
    }

    fn failures_queue(&self) -> Result<&Arc<Queue>, BrokerError> {
        self.shared.queue(Topic::Failures).ok_or(BrokerError::Closed)
    }

    async fn read_log(&self, log: &Arc<Log>, group: &str) -> Result<Reader, BrokerError> {
        if !log.has_group(group) {
            // Written down before anything is acknowledged: others must not remove what this group has not seen.
            let (topic, partition) = (log.topic.name().to_owned(), log.partition);
            let cursor = Cursor { topic, partition, subscription: group.to_owned(), acked_through: 0 };
            store::write!(&self.shared.db, |conn| sql::broker::move_cursor(conn, &cursor).await)
                .map_err(unavailable)?;
            log.add_group(group, 0);
        }
        Ok(Reader::new(self.shared.clone(), log.clone(), group.to_owned()))
    }

    /// The dead-letter messages among these that still exist and can be decoded.
    fn readable(&self, found: Vec<Received>) -> Result<Vec<(u64, Failure)>, BrokerError> {
        let queue = self.failures_queue()?;
        let mut failures = Vec::new();
        for message in found {
            if queue.is_done(message.position) {
                continue;
            }
            match Failure::decode(&message.payload) {
                Ok(failure) => failures.push((message.position, failure)),
                Err(error) => {
                    tracing::error!(position = message.position, %error, "could not decode a dead-letter message");
                }
            }
        }
        Ok(failures)
    }

    /// Removes a dead-letter message from the table.
    async fn remove_failure(&self, position: u64) -> Result<bool, BrokerError> {
        let ids = [position];
        let removed = store::write!(&self.shared.db, |conn| sql::broker::delete(conn, &ids).await);
        Ok(removed.map_err(unavailable)? > 0)
    }

    async fn find_failure(&self, position: u64) -> Result<Option<Received>, BrokerError> {
        let topic = Topic::Failures.name();
        store::read!(&self.shared.db, |conn| sql::broker::find(conn, topic, position).await).map_err(unavailable)
    }

    async fn replay_held(&self, position: u64) -> Result<bool, BrokerError> {
        let Some(found) = self.find_failure(position).await? else { return Ok(false) };
        let refused = |reason: String| BrokerError::Refused(reason);
        let failure = Failure::decode(&found.payload).map_err(|error| refused(error.to_string()))?;
        let unknown = || refused(format!("unknown topic {:?}", failure.topic));
        let topic = Topic::parse(&failure.topic).ok_or_else(unknown)?;
        let message = Message { key: failure.key, payload: failure.payload, deliver_at: None };
        self.publish(topic, vec![message]).await?;
        self.remove_failure(position).await
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError> {
        if self.shared.closed.is_cancelled() {
            return Err(BrokerError::Closed);
        }
        if messages.is_empty() {
            return Ok(());
        }
        match self.shared.channel(topic) {
            Some(channel) => {
                channel.publish(messages);
                Ok(())
            }
            None => self.append(self.rows(topic, messages)?).await,
        }
    }

    fn partitions(&self, topic: Topic) -> u32 {
        if topic.delivery() == Delivery::Ordered { self.partitions } else { 1 }
    }

    fn partition_of(&self, topic: Topic, key: &[u8]) -> u32 {
        partition_for(key, self.partitions(topic))
    }

    async fn subscribe(
        &self,
        topic: Topic,
        partition: u32,
        subscription: &str,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        if let Some(channel) = self.shared.channel(topic) {
            return Ok(channel.subscribe(self.shared.closed.clone()));
        }
        if let Some(queue) = self.shared.queue(topic) {
            let number = queue.join(subscription)?;
            return Ok(Box::new(Worker::new(self.shared.clone(), queue.clone(), number)));
        }
        Ok(Box::new(self.read_log(self.log(topic, partition)?, subscription).await?))
    }

    async fn end_position(&self, topic: Topic, partition: u32) -> Result<u64, BrokerError> {
        self.log(topic, partition)?;
        // An empty append stands behind every publish that has begun, also those whose callers gave up.
        self.append(Vec::new()).await?;
        let name = topic.name();
        store::read!(&self.shared.db, |conn| sql::broker::end_of(conn, name, partition).await).map_err(unavailable)
    }

    async fn acked_through(&self, topic: Topic, partition: u32, subscription: &str) -> Result<u64, BrokerError> {
        Ok(self.log(topic, partition)?.acked(subscription))
    }

    async fn backlog(&self, topic: Topic, subscription: &str) -> Result<u64, BrokerError> {
        let name = topic.name();
        if let Some(queue) = self.shared.queue(topic) {
            let kept = store::read!(&self.shared.db, |conn| sql::broker::count(conn, name).await);
            return Ok(kept.map_err(unavailable)?.saturating_sub(queue.done()));
        }
        Ok(self.shares(topic, subscription).await?.iter().map(|share| share.waiting).sum())
    }

    async fn shares(&self, topic: Topic, subscription: &str) -> Result<Vec<Share>, BrokerError> {
        let name = topic.name();
        let mut shares = Vec::new();
        for log in self.shared.logs.iter().filter(|log| log.topic == topic && topic.delivery() == Delivery::Ordered) {
            let (partition, after) = (log.partition, log.acked(subscription));
            let count =
                store::read!(&self.shared.db, |conn| sql::broker::count_after(conn, name, partition, after).await);
            let waiting = count.map_err(unavailable)?;
            shares.push(Share { partition: format!("{name} {partition}"), reader: None, waiting });
        }
        Ok(shares)
    }

    async fn failures(&self, after: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        let topic = Topic::Failures.name();
        let found = store::read!(&self.shared.db, |conn| sql::broker::list(conn, topic, after, max).await);
        self.readable(found.map_err(unavailable)?)
    }

    async fn failures_before(&self, before: u64, max: usize) -> Result<Vec<(u64, Failure)>, BrokerError> {
        let topic = Topic::Failures.name();
        let found = store::read!(&self.shared.db, |conn| sql::broker::list_back(conn, topic, before, max).await);
        self.readable(found.map_err(unavailable)?)
    }

    async fn replay(&self, position: u64) -> Result<bool, BrokerError> {
        let queue = self.failures_queue()?;
        if !queue.hold(position, self.shared.clock.now()) {
            return Ok(false);
        }
        let replayed = self.replay_held(position).await;
        queue.let_go(position, replayed.is_ok());
        replayed
    }

    async fn discard(&self, position: u64) -> Result<bool, BrokerError> {
        let queue = self.failures_queue()?;
        if !queue.hold(position, self.shared.clock.now()) {
            return Ok(false);
        }
        let removed = match self.find_failure(position).await {
            Ok(Some(_)) => self.remove_failure(position).await,
            Ok(None) => Ok(false),
            Err(error) => Err(error),
        };
        queue.let_go(position, removed.is_ok());
        removed
    }

    async fn close(&self) {
        self.shared.journal.close();
        self.shared.closed.cancel();
        let task = self.task.lock().take();
        if let Some(task) = task
            && let Err(error) = task.await
        {
            tracing::error!(%error, "a broker task failed");
        }
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.shared.journal.close();
        self.shared.closed.cancel();
    }
}

/// Moves waiting messages of an ordered topic that stand in another partition than their key now has.
async fn rearrange(
    db: &Database,
    clock: &Clock,
    topic: Topic,
    partitions: u32,
    cursors: &[Cursor],
) -> Result<(), BrokerError> {
    let name = topic.name();
    let done: Vec<_> = cursors.iter().filter(|cursor| cursor.topic == name).cloned().collect();
    let passed = move |partition: u32| {
        done.iter().filter(|cursor| cursor.partition == partition).map(|cursor| cursor.acked_through).min().unwrap_or(0)
    };
    let end = store::read!(db, |conn| sql::broker::last_id(conn).await).map_err(unavailable)?;
    let mut after = 0;
    loop {
        let found = store::read!(db, |conn| sql::broker::read_topic(conn, name, after, MOVE_CHUNK).await);
        let mut found = found.map_err(unavailable)?;
        found.retain(|message| message.id <= end);
        let Some(last) = found.last() else { return Ok(()) };
        after = last.id;
        let now = clock.now();
        let moved: HashSet<u64> = found
            .iter()
            .filter(|message| partition_for(&message.key, partitions) != message.partition)
            .map(|message| message.id)
            .collect();
        if moved.is_empty() {
            continue;
        }
        let ids: Vec<u64> = moved.iter().copied().collect();
        let rows: Arc<[NewMessage]> = found
            .into_iter()
            .filter(|message| moved.contains(&message.id) && message.id > passed(message.partition))
            .map(|message| NewMessage {
                topic,
                partition: partition_for(&message.key, partitions),
                key: message.key,
                payload: message.payload,
                deliver_at: None,
            })
            .collect();
        tracing::info!(topic = name, messages = rows.len(), "moved messages to their new partitions");
        store::write!(db, |conn| {
            sql::broker::delete(conn, &ids).await?;
            sql::broker::append(conn, rows, now).await?;
            Ok(())
        })
        .map_err(unavailable)?;
    }
}
