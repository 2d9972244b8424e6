//! Decides tickets: receive, one transaction, acknowledge. What the database cannot take now is tried again; what it will
//! never take is split out, so that one poison ticket does not block its neighbours.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use crate::broker::{self, Broker, Failure, Received, Topic, envelope};
use crate::config;
use crate::kernel::{Backoff, Clock, Rng};
use crate::orders::messages::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};
use crate::orders::rebuild::WRITER;
use crate::orders::{Orders, OrdersError};
use crate::telemetry::Metrics;

/// Messages taken from the broker at once; each carries up to `broker.envelope_items` tickets.
const MESSAGES_MAX: usize = 64;

/// The writer of one partition.
pub struct OrderWriter {
    /// Records the decisions.
    pub orders: Orders,
    /// Where tickets come from.
    pub broker: Arc<dyn Broker>,
    /// `[orders]`
    pub config: config::Orders,
    /// Counts.
    pub metrics: Metrics,
    /// Time.
    pub clock: Clock,
    /// For back-off.
    pub rng: Rng,
}

impl OrderWriter {
    /// Runs until the broker fails.
    pub async fn run(&self, partition: u32) -> anyhow::Result<()> {
        let mut consumer = self.broker.subscribe(Topic::OrderRequests, partition, WRITER).await?;
        loop {
            let received = consumer.receive(MESSAGES_MAX, *self.config.writer_linger).await?;
            #[cfg(feature = "sabotage")]
            crate::kernel::sabotage::pause("writer.slow").await;
            if let Some(last) = received.last().map(|message| message.position) {
                self.handle(received).await?;
                #[cfg(feature = "sabotage")]
                crate::kernel::sabotage::pause("writer.slow_ack").await;
                consumer.ack(last).await?;
            }
        }
    }

    async fn handle(&self, received: Vec<Received>) -> anyhow::Result<()> {
        let mut requests = Vec::new();
        for message in received {
            match envelope::decode::<OrderRequests>(REQUESTS, REQUESTS_VERSION, &message.payload) {
                Ok(batch) => requests.extend(batch.tickets),
                Err(error) => {
                    self.park(Bytes::new(), message.payload, error.to_string()).await?;
                }
            }
        }
        while !requests.is_empty() {
            let rest = requests.split_off(requests.len().min(self.config.writer_batch));
            self.record(std::mem::replace(&mut requests, rest)).await?;
        }
        Ok(())
    }

    /// Records the tickets however long that takes; halves the batch around those that can't be.
    fn record(&self, requests: Vec<OrderRequest>) -> BoxFuture<'_, anyhow::Result<()>> {
        async move {
            let mut backoff = Backoff::new(self.rng.clone(), Duration::from_millis(20), Duration::from_secs(2));
            let mut tries = 0;
            loop {
                let error = match self.timed(requests.clone()).await {
                    Ok(()) => return Ok(()),
                    Err(error) => error,
                };
                tries += 1;
                if is_transient(&error) || (requests.len() == 1 && tries < self.config.poison_tries) {
                    tracing::warn!(%error, tickets = requests.len(), tries, "tickets not recorded yet");
                    tokio::time::sleep(backoff.next_wait()).await;
                } else if requests.len() > 1 {
                    let mut left = requests;
                    let right = left.split_off(left.len() / 2);
                    self.record(left).await?;
                    return self.record(right).await;
                } else {
                    return self.give_up(requests, &error).await;
                }
            }
        }
        .boxed()
    }

    async fn timed(&self, requests: Vec<OrderRequest>) -> Result<(), OrdersError> {
        let started = tokio::time::Instant::now();
        self.metrics.writer_batch_tickets.observe(requests.len() as f64);
        self.orders.record(requests).await?;
        self.metrics.writer_batch.record(started.elapsed());
        Ok(())
    }

    /// The ticket's buyer gets an end, and an operator gets the ticket.
    async fn give_up(&self, requests: Vec<OrderRequest>, error: &OrdersError) -> anyhow::Result<()> {
        for request in requests {
            let ticket = request.ticket;
            tracing::error!(%ticket, %error, "ticket parked");
            if let Err(error) = self.orders.void(request.clone()).await {
                tracing::error!(%ticket, %error, "parked ticket has no recorded outcome");
            }
            let payload = envelope::encode(REQUESTS, REQUESTS_VERSION, &OrderRequests { tickets: vec![request] })?;
            let key = Bytes::copy_from_slice(&ticket.sale.to_bytes());
            self.park(key, payload, error.to_string()).await?;
        }
        Ok(())
    }

    async fn park(&self, key: Bytes, payload: Bytes, reason: String) -> anyhow::Result<()> {
        self.metrics.failures_parked.count(Topic::OrderRequests.name());
        let topic = Topic::OrderRequests.name().to_owned();
        let failure = Failure { topic, key, reason, at: self.clock.now(), payload };
        Ok(broker::park(&*self.broker, &failure).await?)
    }
}

fn is_transient(error: &OrdersError) -> bool {
    match error {
        OrdersError::Store(error) => error.is_transient(),
        OrdersError::Gate(_) | OrdersError::Broker(_) => true,
    }
}
