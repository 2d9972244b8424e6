//! Every message to every node: a durable subscription of its own keeps what comes while the connection is gone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ::pulsar::SubType;
use ::pulsar::message::proto::MessageIdData;
use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::admin::Begin;
use super::clients::Use;
use super::feed::{Entry, Event, Feed, Plan};
use super::position;
use super::shared::Shared;
use crate::broker::{BrokerError, Consumer};
use crate::kernel::tasks::sleep_until;
use crate::model::messages::{Received, Topic};

/// An Exclusive consumer, from the moment it was opened.
pub(super) struct Listener {
    shared: Arc<Shared>,
    feed: Option<Feed>,
    ready: VecDeque<Received>,
    /// Received and not acknowledged.
    held: VecDeque<(u64, MessageIdData)>,
    last: u64,
    /// Missed messages that are still to be reported.
    missed: u64,
}

impl Listener {
    /// Attached when this returns. What the subscription kept from an earlier process of the name is dropped.
    pub(super) async fn open(shared: Arc<Shared>, topic: Topic, name: &str) -> Result<Self, BrokerError> {
        let place = shared.names.broadcast(topic);
        if !shared.admin.unsubscribe(&place, name).await? {
            return Err(BrokerError::Unavailable(format!(
                "another process already consumes {} as {name}",
                topic.name()
            )));
        }
        let plan = Plan {
            place,
            subscription: name.to_owned(),
            kind: SubType::Exclusive,
            begin: Begin::Latest,
            purpose: Use::Hear,
            priority: 0,
            redeliver_after: None,
        };
        let feed = Feed::new(shared.clone(), plan).attached().await?;
        Ok(Self { shared, feed: Some(feed), ready: VecDeque::new(), held: VecDeque::new(), last: 0, missed: 0 })
    }

    fn absorb(&mut self, event: Event) {
        match event {
            // The subscription had ended: nobody knows how many came meanwhile.
            Event::Attached { begun: true } => self.missed += 1,
            Event::Attached { begun: false } => {}
            Event::Message(entry) => {
                let Entry { id, message, .. } = *entry;
                if message.position > self.last {
                    self.missed += gap(self.last, message.position);
                    self.last = message.position;
                    self.held.push_back((message.position, id));
                    self.ready.push_back(message);
                }
            }
        }
    }

    /// Waits for something to happen, until `deadline`; `false` when the time is up.
    async fn wait(&mut self, deadline: Option<Instant>) -> Result<bool, BrokerError> {
        let Some(feed) = &mut self.feed else { return Err(BrokerError::Closed) };
        tokio::select! {
            biased;
            () = self.shared.closed.cancelled() => Err(BrokerError::Closed),
            event = feed.next() => {
                self.absorb(event);
                Ok(true)
            }
            () = sleep_until(deadline) => Ok(false),
        }
    }
}

/// Messages of one ledger follow each other without gaps. What lies between two was too old when its turn came.
fn gap(last: u64, next: u64) -> u64 {
    match (position::unpack(last), position::unpack(next)) {
        (Some((old, before)), Some((new, entry))) if old == new => entry.saturating_sub(before + 1),
        _ => 0,
    }
}

#[async_trait]
impl Consumer for Listener {
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError> {
        let max = max.max(1);
        let mut deadline = None;
        while self.ready.len() < max {
            if self.shared.closed.is_cancelled() {
                return Err(BrokerError::Closed);
            }
            if self.missed > 0 {
                // What came before the gap is older than the state that the consumer must read now.
                let older = std::mem::take(&mut self.ready).len() as u64;
                return Err(BrokerError::Lagged(std::mem::take(&mut self.missed) + older));
            }
            if self.ready.is_empty() {
                self.wait(None).await?;
            } else if linger.is_zero() {
                let Some(event) = self.feed.as_mut().and_then(|feed| feed.next().now_or_never()) else { break };
                self.absorb(event);
            } else {
                let until = *deadline.get_or_insert_with(|| Instant::now() + linger);
                if !self.wait(Some(until)).await? {
                    break;
                }
            }
        }
        let count = self.ready.len().min(max);
        Ok(self.ready.drain(..count).collect())
    }

    async fn ack(&mut self, position: u64) -> Result<(), BrokerError> {
        let mut last = None;
        while self.held.front().is_some_and(|(first, _)| *first <= position) {
            last = self.held.pop_front();
        }
        if let (Some((_, id)), Some(feed)) = (last, &mut self.feed) {
            feed.ack(id, true).await;
        }
        Ok(())
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(feed) = self.feed.take() {
            self.shared.finish(feed.leave(true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_within_a_ledger_are_counted() {
        let at = |ledger, entry| position::pack(ledger, entry).unwrap();
        assert_eq!(gap(0, at(5, 9)), 0, "the first one");
        assert_eq!(gap(at(5, 9), at(5, 10)), 0);
        assert_eq!(gap(at(5, 9), at(5, 13)), 3);
        assert_eq!(gap(at(5, 9), at(6, 0)), 0, "where a ledger ends is not known");
    }
}
