//! Broadcast topics live in memory. Everything that could hear a message dies with the process that holds it: sockets end and
//! come back for the present state, snapshots are built afresh. So nothing that the contract promises is lost.

use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::broadcast::{Receiver, Sender};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::broker::{BrokerError, Consumer};
use crate::kernel::tasks::sleep_until;
use crate::model::messages::{Message, Received};

/// One broadcast topic.
pub(super) struct Channel {
    sender: Sender<Received>,
    /// Held while sending, so that positions grow in the order of the channel.
    last: Mutex<u64>,
}

impl Channel {
    /// `buffer`: messages that a consumer may be behind.
    pub(super) fn new(buffer: usize) -> Self {
        Self { sender: Sender::new(buffer.max(1)), last: Mutex::new(0) }
    }

    pub(super) fn publish(&self, messages: Vec<Message>) {
        let mut last = self.last.lock();
        for Message { key, payload, .. } in messages {
            *last += 1;
            // An error only says that nobody listens.
            let _ = self.sender.send(Received { position: *last, key, payload, redeliveries: 0 });
        }
    }

    pub(super) fn subscribe(&self, closed: CancellationToken) -> Box<dyn Consumer> {
        Box::new(Listener { receiver: self.sender.subscribe(), ready: Vec::new(), closed })
    }
}

struct Listener {
    receiver: Receiver<Received>,
    /// Taken from the channel by a `receive` that was dropped before it returned.
    ready: Vec<Received>,
    closed: CancellationToken,
}

impl Listener {
    /// What was taken before the gap goes too: it is older than the state that the consumer must read now.
    fn lagged(&mut self, missed: u64) -> BrokerError {
        BrokerError::Lagged(missed + std::mem::take(&mut self.ready).len() as u64)
    }

    /// Waits for one message until `deadline`; `false` when the time is up.
    async fn wait(&mut self, deadline: Option<Instant>) -> Result<bool, BrokerError> {
        tokio::select! {
            biased;
            message = self.receiver.recv() => match message {
                Ok(message) => {
                    self.ready.push(message);
                    Ok(true)
                }
                Err(RecvError::Lagged(missed)) => Err(self.lagged(missed)),
                Err(RecvError::Closed) => Err(BrokerError::Closed),
            },
            () = self.closed.cancelled() => Err(BrokerError::Closed),
            () = sleep_until(deadline) => Ok(false),
        }
    }
}

#[async_trait]
impl Consumer for Listener {
    async fn receive(&mut self, max: usize, linger: Duration) -> Result<Vec<Received>, BrokerError> {
        let mut deadline = None;
        while self.ready.len() < max.max(1) {
            match self.receiver.try_recv() {
                Ok(message) => self.ready.push(message),
                Err(TryRecvError::Lagged(missed)) => return Err(self.lagged(missed)),
                Err(TryRecvError::Closed) => return Err(BrokerError::Closed),
                Err(TryRecvError::Empty) if self.ready.is_empty() => {
                    self.wait(None).await?;
                }
                Err(TryRecvError::Empty) => {
                    let until = *deadline.get_or_insert_with(|| Instant::now() + linger);
                    if linger.is_zero() || !self.wait(Some(until)).await? {
                        break;
                    }
                }
            }
        }
        let rest = self.ready.split_off(self.ready.len().min(max.max(1)));
        Ok(std::mem::replace(&mut self.ready, rest))
    }

    async fn ack(&mut self, _position: u64) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn rewind(&mut self) -> Result<(), BrokerError> {
        Ok(())
    }
}
