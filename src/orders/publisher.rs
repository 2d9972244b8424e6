//! From the gate to the broker: tickets of one partition that wait at the same moment are published together, and no
//! purchase gets its response before the broker's receipt.
//!
//! Each partition has its own lane: a queue, a window of messages in flight, and a circuit breaker. A lane that stores
//! nothing rejects only purchases of its own partition.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use crate::broker::envelope::{self, EnvelopeError};
use crate::broker::{Broker, BrokerError};
use crate::config;
use crate::kernel::{Breaker, SaleId};
use crate::model::messages::{Message, Topic};
use crate::model::order_requests::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};
use crate::telemetry::panic_message;

type Receipt = Result<(), BrokerError>;

struct Waiting {
    request: OrderRequest,
    receipt: oneshot::Sender<Receipt>,
}

/// The way to `order-requests`. Cheap to clone; clones share their lanes. The lanes end with the last clone.
#[derive(Clone)]
pub struct Publisher(Arc<Inner>);

struct Inner {
    broker: Arc<dyn Broker>,
    bounds: Bounds,
    /// Never asked: it keeps the patience of lanes that are still to start.
    patience: Breaker,
    /// By partition. Partitions can be added while the node runs.
    lanes: RwLock<Vec<Lane>>,
}

/// `[broker]`
#[derive(Clone, Copy)]
struct Bounds {
    items: usize,
    in_flight: usize,
    queue: usize,
    publish_timeout: Duration,
    refuse_after: Duration,
}

struct Lane {
    queue: mpsc::Sender<Waiting>,
    breaker: Breaker,
    _task: AbortOnDropHandle<()>,
}

impl Publisher {
    /// Publishes through `broker`. Lanes start when their partition is first used.
    pub fn new(broker: Arc<dyn Broker>, config: &config::Broker) -> Self {
        let bounds = Bounds {
            items: config.envelope_items,
            in_flight: config.in_flight,
            queue: config.envelope_queue,
            publish_timeout: *config.publish_timeout,
            refuse_after: config.patience(),
        };
        let patience = Breaker::new(bounds.refuse_after);
        Self(Arc::new(Inner { broker, bounds, patience, lanes: RwLock::default() }))
    }

    /// Returns once the broker has the ticket. An error means "unknown": publishing the same ticket again is safe.
    ///
    /// Fails at once while the sale's partition has stored nothing for `broker.refuse_after`; one caller in 200 ms still tries.
    /// While the queue is full, waits for at most `broker.publish_timeout`. Must be called within a tokio runtime.
    pub async fn publish(&self, request: OrderRequest) -> Receipt {
        let (queue, breaker) = self.lane(partition_of(&*self.0.broker, request.ticket.sale));
        if !breaker.lets_through() {
            return Err(refused());
        }
        let (receipt, received) = oneshot::channel();
        let waiting = Waiting { request, receipt };
        match queue.try_send(waiting) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(BrokerError::Closed),
            Err(mpsc::error::TrySendError::Full(waiting)) => {
                let queued = timeout(self.0.bounds.publish_timeout, queue.send(waiting)).await;
                let full = |_| BrokerError::Unavailable("the publish queue of the partition is full".into());
                queued.map_err(full)?.map_err(|_| BrokerError::Closed)?;
            }
        }
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("purchase.answer_before_receipt") {
            return Ok(());
        }
        received.await.map_err(|_| BrokerError::Closed)?
    }

    /// A partition may store nothing for this long from now on.
    pub fn set_patience(&self, patience: Duration) {
        let lanes = self.0.lanes.write();
        self.0.patience.set_patience(patience);
        lanes.iter().for_each(|lane| lane.breaker.set_patience(patience));
    }

    /// The partitions that store nothing: their sales are refused at once.
    pub fn refused_partitions(&self) -> Vec<usize> {
        let lanes = self.0.lanes.read();
        lanes.iter().enumerate().filter(|(_, lane)| lane.breaker.is_open()).map(|(partition, _)| partition).collect()
    }

    fn lane(&self, partition: usize) -> (mpsc::Sender<Waiting>, Breaker) {
        if let Some(lane) = self.0.lanes.read().get(partition) {
            return (lane.queue.clone(), lane.breaker.clone());
        }
        let mut lanes = self.0.lanes.write();
        while lanes.len() <= partition {
            let lane = Lane::start(self.0.broker.clone(), self.0.bounds, self.0.patience.patience(), lanes.len());
            lanes.push(lane);
        }
        (lanes[partition].queue.clone(), lanes[partition].breaker.clone())
    }
}

impl Lane {
    fn start(broker: Arc<dyn Broker>, bounds: Bounds, patience: Duration, partition: usize) -> Self {
        let (queue, waiting) = mpsc::channel(bounds.queue);
        let breaker = Breaker::new(patience);
        let driver = Driver { broker, bounds, partition, waiting, breaker: breaker.clone() };
        Self { queue, breaker, _task: AbortOnDropHandle::new(tokio::spawn(driver.run())) }
    }
}

/// The running half of a lane. Nothing in it can panic but the broker's code, and that is caught (see [`store`]).
struct Driver {
    broker: Arc<dyn Broker>,
    bounds: Bounds,
    partition: usize,
    waiting: mpsc::Receiver<Waiting>,
    breaker: Breaker,
}

impl Driver {
    async fn run(mut self) {
        let mut in_flight = FuturesUnordered::new();
        // When something was last stored or first on its way, and whether that was too long ago.
        let (mut moved, mut stuck) = (Instant::now(), false);
        loop {
            tokio::select! {
                Some(stored) = in_flight.next(), if !in_flight.is_empty() => {
                    if stored {
                        moved = Instant::now();
                        self.works();
                    } else {
                        self.breaker.fails();
                    }
                    stuck &= !stored && !in_flight.is_empty();
                }
                first = self.waiting.recv(), if stuck || in_flight.len() < self.bounds.in_flight => {
                    let Some(first) = first else { break };
                    if stuck {
                        // What is on its way shows when the partition works again: nobody else waits for that.
                        let _ = first.receipt.send(Err(refused()));
                        continue;
                    }
                    if in_flight.is_empty() {
                        moved = Instant::now();
                    }
                    let batch = self.gather(first).await;
                    in_flight.push(send(self.broker.clone(), batch));
                }
                () = sleep_until(moved + self.breaker.patience()), if !in_flight.is_empty() && !stuck => {
                    stuck = true;
                    self.breaker.fails_since(moved);
                    tracing::warn!(partition = self.partition, "a partition stores no messages; purchases of its sales are rejected");
                }
            }
        }
        while in_flight.next().await.is_some() {}
    }

    async fn gather(&mut self, first: Waiting) -> Vec<Waiting> {
        // Purchases that arrive within this moment share the message: a message of their own would cost more.
        yield_now().await;
        let mut batch = vec![first];
        while batch.len() < self.bounds.items {
            let Ok(next) = self.waiting.try_recv() else { break };
            batch.push(next);
        }
        batch
    }

    fn works(&self) {
        if self.breaker.is_open() {
            tracing::info!(partition = self.partition, "a partition stores messages again");
        }
        self.breaker.works();
    }
}

fn refused() -> BrokerError {
    BrokerError::Unavailable("the sale's partition is not storing messages at present".into())
}

fn partition_of(broker: &dyn Broker, sale: SaleId) -> usize {
    broker.partition_of(Topic::OrderRequests, &sale.to_bytes()) as usize
}

fn message_of((sale, requests): (&SaleId, &OrderRequests)) -> Result<Message, EnvelopeError> {
    let key = Bytes::copy_from_slice(&sale.to_bytes());
    Ok(Message { key, payload: envelope::encode(REQUESTS, REQUESTS_VERSION, requests)?, deliver_at: None })
}

/// The tickets for one partition.
#[derive(Default)]
struct Batch {
    by_sale: BTreeMap<SaleId, OrderRequests>,
    receipts: Vec<oneshot::Sender<Receipt>>,
}

/// Publishes a lane's batch and answers; whether the partition stored it. The tickets were queued for one partition; if
/// partitions were added since, they go to several, each with a receipt of its own.
async fn send(broker: Arc<dyn Broker>, waiting: Vec<Waiting>) -> bool {
    #[cfg(feature = "sabotage")]
    crate::kernel::sabotage::pause("publisher.slow").await;
    let mut batches = BTreeMap::<usize, Batch>::new();
    for Waiting { request, receipt } in waiting {
        let sale = request.ticket.sale;
        let batch = batches.entry(partition_of(&*broker, sale)).or_default();
        batch.by_sale.entry(sale).or_insert_with(|| OrderRequests { tickets: Vec::new() }).tickets.push(request);
        batch.receipts.push(receipt);
    }
    join_all(batches.into_values().map(|batch| store(&*broker, batch))).await.into_iter().all(|stored| stored)
}

/// One message per sale, all for one partition, in one publish.
async fn store(broker: &dyn Broker, batch: Batch) -> bool {
    let receipt = match batch.by_sale.iter().map(message_of).collect() {
        Ok(messages) => {
            let publish = AssertUnwindSafe(async move { broker.publish(Topic::OrderRequests, messages).await });
            publish.catch_unwind().await.unwrap_or_else(|panic| {
                let reason = panic_message(&*panic);
                tracing::error!(reason, "the publisher of tickets panicked");
                Err(BrokerError::Unavailable("publishing failed unexpectedly".into()))
            })
        }
        Err(error) => Err(BrokerError::Refused(error.to_string())),
    };
    if let Err(error) = &receipt {
        tracing::warn!(%error, tickets = batch.receipts.len(), "could not publish tickets");
    }
    // A message that can never be published says nothing about its partition.
    let works = !matches!(receipt, Err(BrokerError::Unavailable(_) | BrokerError::Lagged(_) | BrokerError::Closed));
    for waiting in batch.receipts {
        // A buyer who hung up asks again with the same key.
        let _ = waiting.send(receipt.clone());
    }
    works
}

#[cfg(test)]
mod tests;
