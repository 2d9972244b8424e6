//! Decides tickets: receive, one transaction, acknowledge. If the database is unavailable, the batch is retried. A
//! ticket that the database rejects is split out, so that a poison ticket does not block the others.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::broker::{self, Broker, Failure, envelope};
use crate::config;
use crate::kernel::{Backoff, Clock, Rng};
use crate::model::messages::{Received, Topic};
use crate::model::order_requests::{OrderRequest, OrderRequests, REQUESTS, REQUESTS_VERSION};
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
    pub config: config::Section<config::Orders>,
    /// Counts.
    pub metrics: Metrics,
    /// Time.
    pub clock: Clock,
    /// For back-off.
    pub rng: Rng,
}

/// Tickets in the next transaction. Halved by each failure, whatever its reason: a batch that is too slow for the transaction's deadline
/// gets through in parts, and a ticket that can't be recorded ends up alone. Grows again by a quarter with each success.
#[derive(Debug)]
struct BatchSize {
    now: usize,
    max: usize,
}

impl BatchSize {
    const fn new(max: usize) -> Self {
        Self { now: max, max }
    }

    /// The most may have changed; one that grew is grown into.
    fn limit(&mut self, max: usize) {
        self.now = if self.now == self.max { max } else { self.now.min(max) };
        self.max = max;
    }

    fn halve(&mut self, failed: usize) {
        self.now = (failed / 2).max(1);
    }

    fn grow(&mut self) {
        self.now = (self.now + self.now / 4 + 1).min(self.max);
    }
}

impl OrderWriter {
    /// Runs until the broker fails.
    pub async fn run(&self, partition: u32) -> anyhow::Result<()> {
        let mut consumer = self.broker.subscribe(Topic::OrderRequests, partition, WRITER).await?;
        let mut size = BatchSize::new(self.config.now().writer_batch);
        loop {
            let linger = *self.config.now().writer_linger;
            let received = consumer.receive(MESSAGES_MAX, linger).await?;
            #[cfg(feature = "sabotage")]
            crate::kernel::sabotage::pause("writer.slow").await;
            if let Some(last) = received.last().map(|message| message.position) {
                self.handle(received, &mut size).await?;
                #[cfg(feature = "sabotage")]
                crate::kernel::sabotage::pause("writer.slow_ack").await;
                consumer.ack(last).await?;
            }
        }
    }

    /// Returns `Ok` only when each ticket has an outcome or is in the dead-letter queue: then the messages may be acknowledged.
    async fn handle(&self, received: Vec<Received>, size: &mut BatchSize) -> anyhow::Result<()> {
        let mut requests = Vec::new();
        for message in received {
            match envelope::decode::<OrderRequests>(REQUESTS, REQUESTS_VERSION, &message.payload) {
                Ok(batch) => requests.extend(batch.tickets),
                Err(error) => {
                    self.dead_letter(Bytes::new(), message.payload, error.to_string()).await?;
                }
            }
        }
        self.record(&requests, size).await
    }

    /// Records the tickets in their order, however long that takes.
    async fn record(&self, mut requests: &[OrderRequest], size: &mut BatchSize) -> anyhow::Result<()> {
        let mut backoff = self.backoff();
        let mut refusals = 0;
        size.limit(self.config.now().writer_batch);
        while !requests.is_empty() {
            let (batch, later) = requests.split_at(requests.len().min(size.now));
            let error = match self.timed(batch.to_vec()).await {
                Ok(()) => {
                    size.grow();
                    backoff.succeeded();
                    (requests, refusals) = (later, 0);
                    continue;
                }
                Err(error) => error,
            };
            size.halve(batch.len());
            let (transient, alone) = (is_transient(&error), batch.len() == 1);
            refusals += u32::from(alone && !transient);
            if refusals >= self.config.now().poison_tries {
                self.give_up(&batch[0], &error).await?;
                (requests, refusals) = (later, 0);
                continue;
            }
            self.metrics.writer_failures.count(if transient { "unavailable" } else { "refused" });
            tracing::warn!(%error, tickets = batch.len(), refusals, "tickets are not recorded yet");
            if transient || alone {
                tokio::time::sleep(backoff.next_wait()).await;
            }
        }
        Ok(())
    }

    fn backoff(&self) -> Backoff {
        Backoff::new(self.rng.clone(), Duration::from_millis(20), Duration::from_secs(2))
    }

    async fn timed(&self, requests: Vec<OrderRequest>) -> Result<(), OrdersError> {
        let started = tokio::time::Instant::now();
        self.metrics.writer_batch_tickets.observe(requests.len() as f64);
        self.orders.record(requests).await?;
        self.metrics.writer_batch.record(started.elapsed());
        Ok(())
    }

    /// An operator gets the ticket, and its buyer an end; it is not acknowledged before both are stored. The operator first: a ticket with
    /// an outcome that comes again, as after a crash, is already in the dead-letter queue.
    async fn give_up(&self, request: &OrderRequest, error: &OrdersError) -> anyhow::Result<()> {
        let ticket = request.ticket;
        if self.insist(|| self.orders.is_decided(ticket)).await? {
            return Ok(());
        }
        tracing::error!(%ticket, %error, "moved a ticket to the dead-letter queue");
        let tickets = OrderRequests { tickets: vec![request.clone()] };
        let payload = envelope::encode(REQUESTS, REQUESTS_VERSION, &tickets)?;
        let key = Bytes::copy_from_slice(&ticket.sale.to_bytes());
        self.dead_letter(key, payload, error.to_string()).await?;
        if let Err(error) = self.insist(|| self.orders.void(request.clone())).await {
            self.metrics.writer_failures.count("no_outcome");
            tracing::error!(%ticket, %error, "a dead-letter ticket has no recorded outcome: its refusal could not be stored");
        }
        Ok(())
    }

    /// Asks the database until it is there.
    async fn insist<T, F>(&self, ask: impl Fn() -> F) -> Result<T, OrdersError>
    where
        F: Future<Output = Result<T, OrdersError>>,
    {
        let mut backoff = self.backoff();
        loop {
            match ask().await {
                Err(error) if is_transient(&error) => {
                    self.metrics.writer_failures.count("unavailable");
                    tracing::warn!(%error, "a ticket that can't be recorded has no outcome yet");
                    tokio::time::sleep(backoff.next_wait()).await;
                }
                answer => return answer,
            }
        }
    }

    async fn dead_letter(&self, key: Bytes, payload: Bytes, reason: String) -> anyhow::Result<()> {
        let topic = Topic::OrderRequests.name().to_owned();
        let failure = Failure { topic, key, reason, at: self.clock.now(), payload };
        broker::dead_letter(&*self.broker, &failure).await?;
        self.metrics.dead_letters.count(Topic::OrderRequests.name());
        Ok(())
    }
}

fn is_transient(error: &OrdersError) -> bool {
    match error {
        OrdersError::Store(error) => error.is_transient(),
        OrdersError::Gate(_) | OrdersError::Broker(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_halve_by_failures_and_grow_back_by_successes() {
        let mut size = BatchSize::new(500);
        for expected in [250, 125, 62, 31, 15, 7, 3, 1, 1] {
            size.halve(size.now);
            assert_eq!(size.now, expected);
        }
        let mut successes = 0;
        while size.now < 500 {
            size.grow();
            successes += 1;
        }
        assert!(successes < 30, "{successes}");
        size.grow();
        assert_eq!(size.now, 500);
        size.halve(9);
        assert_eq!(size.now, 4, "of what failed, not of what could have");
    }
}
