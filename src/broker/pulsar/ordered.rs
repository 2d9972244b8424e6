//! One partition of an ordered topic, through all its layouts.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ::pulsar::SubType;
use ::pulsar::message::proto::MessageIdData;
use async_trait::async_trait;
use futures_util::FutureExt as _;
use tokio::sync::watch;
use tokio::time::Instant;

use super::admin::Begin;
use super::clients::Use;
use super::feed::{Entry, Event, Feed, Plan};
use super::setup;
use super::shared::Shared;
use crate::broker::{BrokerError, Consumer};
use crate::kernel::tasks::sleep_until;
use crate::model::messages::{Received, Topic};

/// A Failover consumer: of the group's consumers the broker lets one read each partition.
pub(super) struct Reader {
    shared: Arc<Shared>,
    topic: Topic,
    partition: u32,
    group: String,
    layouts: watch::Receiver<Vec<u32>>,
    /// The layout that is read now, and its feed if it has this partition.
    layout: u32,
    feed: Option<Feed>,
    /// What was received and not acknowledged, in order, and how much of it was handed out since the last rewind.
    held: VecDeque<Held>,
    handed: usize,
    acked: u64,
    acked_id: Option<MessageIdData>,
    priority: i32,
}

struct Held {
    id: MessageIdData,
    message: Received,
}

impl Reader {
    /// Attached when this returns.
    pub(super) async fn open(
        shared: Arc<Shared>,
        topic: Topic,
        partition: u32,
        group: String,
    ) -> Result<Self, BrokerError> {
        let layouts = shared.layouts.subscribe();
        let priority = shared.join(partition, &group);
        let mut reader = Self {
            shared,
            topic,
            partition,
            group,
            layouts,
            layout: 0,
            feed: None,
            held: VecDeque::new(),
            handed: 0,
            acked: 0,
            acked_id: None,
            priority,
        };
        reader.advance().await?;
        if let Some(feed) = reader.feed.take() {
            reader.feed = Some(feed.attached().await?);
        }
        Ok(reader)
    }

    /// Whether the layout that is read now was sealed.
    fn is_old(&self) -> bool {
        self.layouts.borrow().last().is_some_and(|newest| *newest > self.layout)
    }

    /// Goes on to the first layout that is not done.
    async fn advance(&mut self) -> Result<(), BrokerError> {
        loop {
            if self.layout > 0 && !setup::drained(&self.shared, self.topic, self.layout, &self.group).await? {
                return Ok(());
            }
            let layouts = self.layouts.borrow_and_update().clone();
            let Some(next) = layouts.into_iter().find(|layout| *layout > self.layout) else { return Ok(()) };
            if self.layout > 0 {
                tracing::info!(
                    partition = self.partition,
                    from = self.layout,
                    to = next,
                    "consumed a partition layout to its end"
                );
            }
            self.leave();
            self.layout = next;
            self.held.clear();
            self.handed = 0;
            self.acked_id = None;
            if self.partition < next {
                self.feed = Some(Feed::new(self.shared.clone(), self.plan()));
            }
            if !self.is_old() {
                return Ok(());
            }
        }
    }

    fn plan(&self) -> Plan {
        Plan {
            place: self.shared.names.layout(self.topic, self.layout).partition(self.partition),
            subscription: self.group.clone(),
            kind: SubType::Failover,
            begin: Begin::Earliest,
            purpose: Use::Consume,
            priority: self.priority,
            redeliver_after: None,
        }
    }

    fn leave(&mut self) {
        if let Some(feed) = self.feed.take() {
            self.shared.finish(feed.leave(false));
        }
    }

    fn ready(&self) -> usize {
        self.held.len() - self.handed
    }

    /// After a new connection, or another consumer's turn, the broker repeats what is held here already.
    async fn absorb(&mut self, event: Event) {
        let Event::Message(entry) = event else { return };
        let Entry { id, message, .. } = *entry;
        if message.position <= self.acked {
            if let (Some(feed), Some(acked)) = (&mut self.feed, self.acked_id.clone()) {
                feed.ack(acked, true).await;
            }
        } else if self.held.back().is_none_or(|last| last.message.position < message.position) {
            self.held.push_back(Held { id, message });
        }
    }

    /// Waits for something to happen, until `deadline`; `false` when the time is up.
    async fn wait(&mut self, deadline: Option<Instant>) -> Result<bool, BrokerError> {
        let is_old = self.is_old();
        let event = async {
            match &mut self.feed {
                Some(feed) => feed.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.shared.closed.cancelled() => return Err(BrokerError::Closed),
            event = event => {
                self.absorb(event).await;
                return Ok(true);
            }
            _ = self.layouts.changed() => {}
            () = tokio::time::sleep(setup::DRAIN_POLL), if is_old => {}
            () = sleep_until(deadline) => return Ok(false),
        }
        if self.is_old()
            && let Err(error) = self.advance().await
        {
            tracing::debug!(%error, "could not check whether the partition layout is finished");
        }
        Ok(true)
    }
}

#[async_trait]
impl Consumer for Reader {
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError> {
        let max = max.max(1);
        let mut deadline = None;
        while self.ready() < max {
            if self.shared.closed.is_cancelled() {
                return Err(BrokerError::Closed);
            }
            if self.ready() == 0 {
                self.wait(None).await?;
            } else if linger.is_zero() {
                let Some(event) = self.feed.as_mut().and_then(|feed| feed.next().now_or_never()) else { break };
                self.absorb(event).await;
            } else {
                let until = *deadline.get_or_insert_with(|| Instant::now() + linger);
                if !self.wait(Some(until)).await? {
                    break;
                }
            }
        }
        let count = self.ready().min(max);
        let batch = self.held.range_mut(self.handed..self.handed + count);
        let messages: Vec<_> = batch
            .map(|held| {
                let message = held.message.clone();
                held.message.redeliveries += 1;
                message
            })
            .collect();
        self.handed += count;
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("broker.ack_before_work")
            && let Some(last) = messages.last()
        {
            self.ack(last.position).await?;
        }
        Ok(messages)
    }

    async fn ack(&mut self, position: u64) -> Result<(), BrokerError> {
        let mut last = None;
        while self.handed > 0 && self.held.front().is_some_and(|first| first.message.position <= position) {
            last = self.held.pop_front();
            self.handed -= 1;
        }
        if let Some(Held { id, message }) = last {
            self.acked = message.position;
            self.acked_id = Some(id.clone());
            self.shared.acknowledged(self.partition, &self.group, message.position);
            if let Some(feed) = &mut self.feed {
                feed.ack(id, true).await;
            }
        }
        Ok(())
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        self.handed = 0;
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.part(self.partition, &self.group);
        self.leave();
    }
}
