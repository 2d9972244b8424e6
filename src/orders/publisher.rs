//! From the gate to the broker: tickets that wait at the same moment travel together, and nobody is answered before the
//! broker's receipt.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use super::messages::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};
use crate::broker::envelope::{self, EnvelopeError};
use crate::broker::{Broker, BrokerError, Message, Topic};
use crate::config;
use crate::kernel::SaleId;

type Receipt = Result<(), BrokerError>;

struct Waiting {
    request: OrderRequest,
    receipt: oneshot::Sender<Receipt>,
}

/// The way to `order-requests`. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    queue: mpsc::Sender<Waiting>,
}

/// The publisher's running half: a future to be driven for as long as tickets are published.
pub struct PublisherLoop {
    broker: Arc<dyn Broker>,
    waiting: mpsc::Receiver<Waiting>,
    items_max: usize,
    in_flight_max: usize,
}

/// Makes a publisher and the loop that serves it.
pub fn publisher(broker: Arc<dyn Broker>, config: &config::Broker) -> (Publisher, PublisherLoop) {
    let (queue, waiting) = mpsc::channel(config.envelope_items * config.in_flight * 4);
    let (items_max, in_flight_max) = (config.envelope_items, config.in_flight);
    (Publisher { queue }, PublisherLoop { broker, waiting, items_max, in_flight_max })
}

impl Publisher {
    /// Returns once the broker has the ticket. Waits while the queue is full. An error means "unknown": publishing the same
    /// ticket again is safe.
    pub async fn publish(&self, request: OrderRequest) -> Receipt {
        let (receipt, received) = oneshot::channel();
        self.queue.send(Waiting { request, receipt }).await.map_err(|_| BrokerError::Closed)?;
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("purchase.answer_before_receipt") {
            return Ok(());
        }
        received.await.map_err(|_| BrokerError::Closed)?
    }
}

impl PublisherLoop {
    /// Runs until every [`Publisher`] is gone and what they queued is sent.
    pub async fn run(mut self) {
        let mut in_flight = FuturesUnordered::new();
        loop {
            tokio::select! {
                Some(()) = in_flight.next(), if !in_flight.is_empty() => {}
                first = self.waiting.recv(), if in_flight.len() < self.in_flight_max => {
                    let Some(first) = first else { break };
                    // Whoever else is about to come goes with it: a message of its own costs more than this moment.
                    yield_now().await;
                    let mut batch = vec![first];
                    while batch.len() < self.items_max {
                        let Ok(next) = self.waiting.try_recv() else { break };
                        batch.push(next);
                    }
                    in_flight.push(send(self.broker.clone(), batch));
                }
            }
        }
        while in_flight.next().await.is_some() {}
    }
}

fn message_of((sale, requests): (&SaleId, &OrderRequests)) -> Result<Message, EnvelopeError> {
    let key = Bytes::copy_from_slice(&sale.to_bytes());
    Ok(Message { key, payload: envelope::encode(REQUESTS, REQUESTS_VERSION, requests)?, deliver_at: None })
}

/// One message per sale, so that each goes to its sale's partition; one publish for all of them.
async fn send(broker: Arc<dyn Broker>, batch: Vec<Waiting>) {
    #[cfg(feature = "sabotage")]
    crate::kernel::sabotage::pause("publisher.slow").await;
    let mut by_sale = BTreeMap::<SaleId, OrderRequests>::new();
    let mut receipts = Vec::with_capacity(batch.len());
    for Waiting { request, receipt } in batch {
        let requests = by_sale.entry(request.ticket.sale).or_insert_with(|| OrderRequests { tickets: Vec::new() });
        requests.tickets.push(request);
        receipts.push(receipt);
    }
    let receipt = match by_sale.iter().map(message_of).collect() {
        Ok(messages) => broker.publish(Topic::OrderRequests, messages).await,
        Err(error) => Err(BrokerError::Refused(error.to_string())),
    };
    if let Err(error) = &receipt {
        tracing::warn!(%error, tickets = receipts.len(), "tickets not published");
    }
    for waiting in receipts {
        // A buyer who hung up asks again with the same key.
        let _ = waiting.send(receipt.clone());
    }
}
