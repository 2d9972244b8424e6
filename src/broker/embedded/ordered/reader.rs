//! A consumer of one group in one partition.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;

use super::Log;
use crate::broker::embedded::shared::{Shared, unavailable};
use crate::broker::{BrokerError, Consumer, backoff};
use crate::kernel::Backoff;
use crate::model::messages::Received;
use crate::store;

/// A consumer of one group in one partition.
pub(in crate::broker::embedded) struct Reader {
    shared: Arc<Shared>,
    log: Arc<Log>,
    group: String,
    /// Held while this is the group's active consumer.
    turn: Option<OwnedSemaphorePermit>,
    end: watch::Receiver<u64>,
    /// Everything up to here was fetched.
    fetched: u64,
    ready: VecDeque<Received>,
    backoff: Backoff,
}

impl Reader {
    /// The group must be known to the log.
    pub(in crate::broker::embedded) fn new(shared: Arc<Shared>, log: Arc<Log>, group: String) -> Self {
        let backoff = backoff(shared.rng.clone());
        let end = log.end.subscribe();
        Self { shared, log, group, turn: None, end, fetched: 0, ready: VecDeque::new(), backoff }
    }

    /// Waits until this is the group's active consumer.
    async fn take_turn(&mut self) -> Result<(), BrokerError> {
        if self.turn.is_some() {
            return Ok(());
        }
        let turn = self.log.turn(&self.group).ok_or(BrokerError::Closed)?;
        let permit = tokio::select! {
            permit = turn.acquire_owned() => permit.map_err(|_| BrokerError::Closed)?,
            () = self.shared.closed.cancelled() => return Err(BrokerError::Closed),
        };
        self.turn = Some(permit);
        self.log.state.lock().active += 1;
        self.fetched = self.log.acked(&self.group);
        Ok(())
    }

    /// Fetches until `max` messages are ready or there are no more.
    async fn fetch(&mut self, max: usize) -> Result<(), BrokerError> {
        loop {
            let end = *self.end.borrow_and_update();
            let wanted = max.saturating_sub(self.ready.len());
            if wanted == 0 || self.fetched >= end {
                return Ok(());
            }
            let messages = match self.log.read_tail(self.fetched, wanted) {
                Some(messages) => messages,
                None => self.read_table(wanted).await?,
            };
            self.fetched = match messages.last() {
                Some(last) if messages.len() == wanted => last.position,
                // There was no more up to the end seen before; what came since then may stand further on.
                Some(last) => last.position.max(end),
                None => end,
            };
            self.ready.extend(messages);
        }
    }

    async fn read_table(&mut self, limit: usize) -> Result<Vec<Received>, BrokerError> {
        self.backoff.pause().await;
        let (topic, partition, after) = (self.log.topic.name(), self.log.partition, self.fetched);
        let read =
            store::read!(&self.shared.db, |conn| sql::broker::read_forward(conn, topic, partition, after, limit).await);
        match read {
            Ok(messages) => {
                self.backoff.succeeded();
                Ok(messages)
            }
            Err(error) => {
                self.backoff.failed();
                Err(unavailable(error))
            }
        }
    }
}

#[async_trait]
impl Consumer for Reader {
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError> {
        let max = max.max(1);
        self.take_turn().await?;
        let mut deadline = None;
        let closed = self.shared.closed.clone();
        loop {
            if closed.is_cancelled() {
                return Err(BrokerError::Closed);
            }
            self.fetch(max).await?;
            if self.ready.len() >= max || (linger.is_zero() && !self.ready.is_empty()) {
                break;
            }
            let fetched = self.fetched;
            let more = self.end.wait_for(|end| *end > fetched);
            if self.ready.is_empty() {
                tokio::select! {
                    _ = more => {}
                    () = closed.cancelled() => {}
                }
            } else {
                let until = *deadline.get_or_insert_with(|| Instant::now() + linger);
                if tokio::time::timeout_at(until, more).await.is_err() {
                    break;
                }
            }
        }
        let mut messages: Vec<_> = self.ready.drain(..max.min(self.ready.len())).collect();
        self.log.hand_out(&self.group, &mut messages);
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("broker.ack_before_work")
            && let Some(last) = messages.last()
        {
            self.ack(last.position).await?;
        }
        Ok(messages)
    }

    async fn ack(&mut self, position: u64) -> Result<(), BrokerError> {
        if self.log.acknowledge(&self.group, position) {
            self.shared.journal.acknowledged();
        }
        Ok(())
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        self.ready.clear();
        self.fetched = self.log.go_back(&self.group);
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.turn.is_some() {
            self.log.go_back(&self.group);
            let mut state = self.log.state.lock();
            state.active -= 1;
            if state.active == 0 {
                let end = *self.log.end.borrow();
                state.forget_tail(end);
            }
        }
    }
}
