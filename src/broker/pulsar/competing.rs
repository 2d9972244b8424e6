//! Messages lent to one of many consumers, from one topic or from those of several delays.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use ::pulsar::SubType;
use ::pulsar::message::proto::MessageIdData;
use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::select_all;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::admin::Begin;
use super::clients::Use;
use super::feed::{Entry, Event, Feed, Plan};
use super::names::{COMPETING, Place};
use super::shared::Shared;
use crate::broker::{BrokerError, Consumer};
use crate::kernel::Timestamp;
use crate::kernel::tasks::sleep_until;
use crate::model::messages::{Received, Topic};

/// How often each message that is not done yet was handed out by this process: the client does not tell what the broker knows.
#[derive(Default)]
pub(super) struct Lent(Mutex<HashMap<u64, u32>>);

/// Messages that other processes finished stay in the count; it is a hint, and starts over when there are this many.
const LENT_MAX: usize = 100_000;

impl Lent {
    fn lend(&self, position: u64) -> u32 {
        let mut counts = self.0.lock();
        if counts.len() >= LENT_MAX {
            counts.clear();
        }
        let count = counts.entry(position).or_default();
        *count += 1;
        *count - 1
    }

    fn done(&self, position: u64) {
        self.0.lock().remove(&position);
    }
}

/// A Shared consumer. A broker delivers what is not acknowledged again when its consumer leaves, and when it is asked to
/// after `broker.redelivery_after`.
pub(super) struct Worker {
    shared: Arc<Shared>,
    lent: Arc<Lent>,
    feeds: Vec<Feed>,
    /// Came too early: brokers that are not strict deliver up to a tick before the time.
    early: BTreeMap<(Timestamp, u64), Held>,
    ready: VecDeque<Held>,
    /// Handed out and not acknowledged, by position.
    held: BTreeMap<u64, (Instant, Held)>,
}

#[derive(Clone)]
struct Held {
    feed: usize,
    id: MessageIdData,
    message: Received,
}

impl Worker {
    /// Attached when this returns.
    pub(super) async fn open(shared: Arc<Shared>, topic: Topic, lent: Arc<Lent>) -> Result<Self, BrokerError> {
        let feeds: Vec<_> = shared
            .names
            .competing(topic)
            .into_iter()
            .map(|place| Feed::new(shared.clone(), plan(place, *shared.config.redelivery_after)))
            .collect();
        let mut worker = Self {
            shared,
            lent,
            feeds: Vec::new(),
            early: BTreeMap::new(),
            ready: VecDeque::new(),
            held: BTreeMap::new(),
        };
        for feed in feeds {
            worker.feeds.push(feed.attached().await?);
        }
        Ok(worker)
    }

    fn absorb(&mut self, feed: usize, event: Event) {
        match event {
            // Whatever waits here comes again, to somebody.
            Event::Attached { .. } => {
                self.early.retain(|_, held| held.feed != feed);
                self.ready.retain(|held| held.feed != feed);
            }
            Event::Message(entry) => {
                let Entry { id, message, deliver_at } = *entry;
                let held = Held { feed, id, message };
                match deliver_at.filter(|due| *due > self.shared.clock.now()) {
                    Some(due) => drop(self.early.insert((due, held.message.position), held)),
                    None => self.ready.push_back(held),
                }
            }
        }
    }

    /// Moves what is due, and returns when to look again.
    fn ripen(&mut self) -> Option<Instant> {
        let now = self.shared.clock.now();
        while let Some(first) = self.early.first_entry() {
            let due = first.key().0;
            if due > now {
                return Some(Instant::now() + due.since(now));
            }
            self.ready.push_back(first.remove());
        }
        None
    }

    /// Waits for something to happen, until `deadline`; `false` when the time is up.
    async fn wait(&mut self, deadline: Option<Instant>) -> Result<bool, BrokerError> {
        let ripe = self.ripen();
        if !self.ready.is_empty() && deadline.is_none() {
            return Ok(true);
        }
        let next = select_all(self.feeds.iter_mut().map(|feed| Box::pin(feed.next())));
        let (event, feed) = tokio::select! {
            biased;
            () = self.shared.closed.cancelled() => return Err(BrokerError::Closed),
            (event, feed, _) = next => (event, feed),
            () = sleep_until(ripe) => return Ok(true),
            () = sleep_until(deadline) => return Ok(false),
        };
        self.absorb(feed, event);
        Ok(true)
    }

    /// Takes one message that is there already.
    fn poll(&mut self) -> bool {
        self.ripen();
        let before = self.ready.len();
        for index in 0..self.feeds.len() {
            if let Some(event) = self.feeds[index].next().now_or_never() {
                self.absorb(index, event);
            }
        }
        self.ready.len() > before
    }

    fn hand_out(&mut self, max: usize) -> Vec<Received> {
        let now = Instant::now();
        // The broker has lent them to somebody again.
        let limit = *self.shared.config.redelivery_after;
        self.held.retain(|_, (since, _)| now.duration_since(*since) < limit);
        let count = self.ready.len().min(max);
        let batch: Vec<_> = self.ready.drain(..count).collect();
        let lend = |held: Held| {
            let mut message = held.message.clone();
            message.redeliveries = self.lent.lend(message.position);
            self.held.insert(message.position, (now, held));
            message
        };
        batch.into_iter().map(lend).collect()
    }
}

fn plan(place: Place, redelivery_after: Duration) -> Plan {
    Plan {
        place,
        subscription: COMPETING.to_owned(),
        kind: SubType::Shared,
        begin: Begin::Earliest,
        purpose: Use::Consume,
        priority: 0,
        redeliver_after: Some(redelivery_after),
    }
}

#[async_trait]
impl Consumer for Worker {
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError> {
        let max = max.max(1);
        let mut deadline = None;
        while self.ready.len() < max {
            if self.shared.closed.is_cancelled() {
                return Err(BrokerError::Closed);
            }
            if self.ready.is_empty() {
                self.wait(None).await?;
            } else if linger.is_zero() {
                if !self.poll() {
                    break;
                }
            } else {
                let until = *deadline.get_or_insert_with(|| Instant::now() + linger);
                if !self.wait(Some(until)).await? {
                    break;
                }
            }
        }
        Ok(self.hand_out(max))
    }

    async fn ack(&mut self, position: u64) -> Result<(), BrokerError> {
        if let Some((_, held)) = self.held.remove(&position) {
            self.lent.done(position);
            self.feeds[held.feed].ack(held.id, false).await;
        }
        Ok(())
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        let again: Vec<Held> = std::mem::take(&mut self.held).into_values().map(|(_, held)| held).collect();
        for held in again.into_iter().rev() {
            self.ready.push_front(held);
        }
        Ok(())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        for feed in self.feeds.drain(..) {
            self.shared.finish(feed.leave(false));
        }
    }
}
