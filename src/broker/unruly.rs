//! A broker that is as unkind as networks are. No mistake, but what everyone who hears messages must bear, in builds for
//! fault tests, if `DOORBUSTER_SABOTAGE` chooses it:
//!
//! - `broker.unruly`: each message comes twice, one in twenty is overtaken by its neighbours, one in a hundred comes late.
//! - `broker.unruly_timeouts`: a delayed message comes at once, or twice, or never.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::{Broker, BrokerError, Consumer, Failure, Share};
use crate::kernel::tasks::sleep_until;
use crate::kernel::{Rng, sabotage};
use crate::model::messages::{Delivery, Message, Received, Topic};

/// How long an overtaken message lags behind, and how long the second copy of any may.
const BEHIND: Duration = Duration::from_millis(200);
/// How long the late ones take.
const LATE: Duration = Duration::from_secs(5);

struct Unruly {
    inner: Arc<dyn Broker>,
    rng: Rng,
    messages: bool,
    timeouts: bool,
}

/// The broker itself, unless one of the faults was chosen.
pub fn wrap(inner: Arc<dyn Broker>, rng: &Rng) -> Arc<dyn Broker> {
    let (messages, timeouts) = (sabotage::active("broker.unruly"), sabotage::active("broker.unruly_timeouts"));
    if messages || timeouts { Arc::new(Unruly { inner, rng: rng.clone(), messages, timeouts }) } else { inner }
}

impl Unruly {
    fn mistime(&self, message: Message) -> Vec<Message> {
        let key = message.key.clone();
        let (word, messages) = match self.rng.below(3) {
            0 => ("at once", vec![Message { deliver_at: None, ..message }]),
            1 => ("twice", vec![message.clone(), message]),
            _ => ("never", Vec::new()),
        };
        tracing::warn!(?key, "a delayed message arrives {word}");
        messages
    }
}

/// Hands out copies under positions of its own, in the order in which they come.
struct Scattered {
    inner: Box<dyn Consumer>,
    rng: Rng,
    one_by_one: bool,
    /// Copies that have not come yet, by their moment and a number.
    coming: BTreeMap<(Instant, u64), Received>,
    /// Copies that were handed out and not acknowledged, by the positions that they were given.
    lent: BTreeMap<u64, Received>,
    /// How many copies of a message are not done.
    open: BTreeMap<u64, u32>,
    count: u64,
}

impl Scattered {
    fn scatter(&mut self, message: &Received) {
        let lag = match self.rng.below(100) {
            0 => LATE,
            1..=5 => BEHIND,
            _ => Duration::ZERO,
        };
        if !lag.is_zero() {
            tracing::warn!(position = message.position, "a message arrives {lag:?} late");
        }
        let again = lag + Duration::from_micros(self.rng.below(BEHIND.as_micros() as u64));
        *self.open.entry(message.position).or_default() += 2;
        for wait in [lag, again] {
            self.count += 1;
            self.coming.insert((Instant::now() + wait, self.count), message.clone());
        }
    }

    fn hand_out(&mut self, max: usize) -> Vec<Received> {
        let mut batch = Vec::new();
        while batch.len() < max
            && let Some(first) = self.coming.first_entry()
            && first.key().0 <= Instant::now()
        {
            let message = first.remove();
            self.count += 1;
            self.lent.insert(self.count, message.clone());
            batch.push(Received { position: self.count, ..message });
        }
        batch
    }
}

#[async_trait]
impl Consumer for Scattered {
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError> {
        loop {
            let batch = self.hand_out(max);
            if !batch.is_empty() {
                return Ok(batch);
            }
            let due = self.coming.first_key_value().map(|((due, _), _)| *due);
            tokio::select! {
                received = self.inner.receive(max, linger) => received?.iter().for_each(|message| self.scatter(message)),
                () = sleep_until(due) => {}
            }
        }
    }

    /// The inner one hears of what is done for good, and of nothing behind a message of which a copy is to come.
    async fn ack(&mut self, position: u64) -> Result<(), BrokerError> {
        let from = if self.one_by_one { position } else { 0 };
        let done: Vec<u64> = self.lent.range(from..=position).map(|(number, _)| *number).collect();
        for number in done {
            let message = self.lent.remove(&number);
            if let Some(left) = message.and_then(|message| self.open.get_mut(&message.position)) {
                *left -= 1;
            }
        }
        let is_done = |(_, left): &(&u64, &u32)| **left == 0;
        let finished: Vec<u64> = if self.one_by_one {
            self.open.iter().filter(is_done).map(|(position, _)| *position).collect()
        } else {
            self.open.iter().take_while(is_done).map(|(position, _)| *position).collect()
        };
        for position in finished {
            self.open.remove(&position);
            self.inner.ack(position).await?;
        }
        Ok(())
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        for (number, message) in std::mem::take(&mut self.lent) {
            self.coming.insert((Instant::now(), number), message);
        }
        Ok(())
    }
}

#[async_trait]
impl Broker for Unruly {
    async fn publish(&self, topic: Topic, messages: Vec<Message>) -> Result<(), BrokerError> {
        if self.timeouts && topic == Topic::PaymentTimeouts {
            let messages = messages.into_iter().flat_map(|message| self.mistime(message)).collect();
            return self.inner.publish(topic, messages).await;
        }
        self.inner.publish(topic, messages).await
    }

    async fn subscribe(
        &self,
        topic: Topic,
        partition: u32,
        subscription: &str,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        let inner = self.inner.subscribe(topic, partition, subscription).await?;
        if !self.messages {
            return Ok(inner);
        }
        let one_by_one = topic.delivery() == Delivery::Competing;
        let (coming, lent, open) = Default::default();
        Ok(Box::new(Scattered { inner, rng: self.rng.clone(), one_by_one, coming, lent, open, count: 0 }))
    }

    fn partitions(&self, topic: Topic) -> u32 {
        self.inner.partitions(topic)
    }

    fn partition_of(&self, topic: Topic, key: &[u8]) -> u32 {
        self.inner.partition_of(topic, key)
    }

    async fn end_position(&self, topic: Topic, partition: u32) -> Result<u64, BrokerError> {
        self.inner.end_position(topic, partition).await
    }

    async fn acked_through(&self, topic: Topic, partition: u32, subscription: &str) -> Result<u64, BrokerError> {
        self.inner.acked_through(topic, partition, subscription).await
    }

    async fn backlog(&self, topic: Topic, subscription: &str) -> Result<u64, BrokerError> {
        self.inner.backlog(topic, subscription).await
    }

    async fn shares(&self, topic: Topic, subscription: &str) -> Result<Vec<Share>, BrokerError> {
        self.inner.shares(topic, subscription).await
    }

    fn refuses(&self) -> bool {
        self.inner.refuses()
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
