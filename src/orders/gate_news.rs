//! Delivers decisions to the gate: which tickets are decided, and which buyers and units are free again.
//!
//! The relay that publishes an event delivers it to the gate first. So one node delivers each event, and a buyer who learns that an
//! order was cancelled can buy again at once. A gate that does not answer delays nobody: after [`HEAD_START`] the event is
//! published all the same, and what the gate has not learned waits here until it answers. What is lost on the way, because
//! too much waits or the process dies meanwhile, is found by reconciliation: tickets that stay pending are looked up, and
//! units that stay held lead to a rebuild.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::OrdersError;
use crate::broker::envelope;
use crate::broker::outbox::Hears;
use crate::gate::{Gate, GateError, Release};
use crate::kernel::tasks::guarded;
use crate::kernel::{Backoff, Rng, TicketId, UserId};
use crate::model::messages::{StoredEvent, Topic};
use crate::model::orders::{OrderState, Ticket};
use crate::model::results::{RESULTS, RESULTS_VERSION};
use crate::sales::Sales;
use crate::telemetry::Metrics;

/// How long events wait for the gate before they are published without it: many times what a healthy gate takes, and
/// well within the second in which buyers are to hear.
const HEAD_START: Duration = Duration::from_millis(250);
/// Tickets that wait for the gate at most: about 16 MB. What comes on top is left to reconciliation.
const WAITING_MAX: usize = 200_000;
/// Tickets in one call.
const PIECE: usize = 1_000;
/// The first wait after a call that failed; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The decisions not yet delivered to the gate, and the task that delivers them.
pub struct GateNews {
    gate: Arc<dyn Gate>,
    sales: Sales,
    rng: Rng,
    metrics: Metrics,
    queue: Mutex<Queue>,
    arrived: Notify,
    /// How many items of the queue the gate has learned so far.
    told: watch::Sender<u64>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<News>,
    /// How many were ever put in.
    taken_in: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Decided(TicketId),
    /// The buyer is free.
    Ended(TicketId, UserId, Units),
}

/// How the units of a closed ticket are released.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Units {
    /// They are for sale again.
    Restocked,
    /// They are gone, or never existed.
    Gone,
    /// They are for sale again if the sale sells refunded units again.
    AsTheSaleSays,
}

/// The fields of a result that matter here.
#[derive(Deserialize)]
struct Results {
    events: Vec<Event>,
}

/// An order's row; the levels of stock among the events have no ticket.
#[derive(Deserialize)]
struct Event {
    ticket: Option<TicketId>,
    buyer: Option<UserId>,
    state: Option<OrderState>,
    version: u32,
}

impl GateNews {
    /// Nothing waits. Needs [`Self::run`].
    pub fn new(gate: Arc<dyn Gate>, sales: Sales, rng: Rng, metrics: Metrics) -> Arc<Self> {
        let (queue, arrived, told) = (Mutex::default(), Notify::new(), watch::Sender::new(0));
        Arc::new(Self { gate, sales, rng, metrics, queue, arrived, told })
    }

    /// Tells the gate what waits, again and again while it does not answer, until `stop`.
    pub async fn run(&self, stop: CancellationToken) {
        let mut backoff = Backoff::new(self.rng.clone(), FIRST_WAIT, LONGEST_WAIT);
        while !stop.is_cancelled() {
            let wait = match self.tell_next().await {
                Ok(true) => {
                    backoff.succeeded();
                    continue;
                }
                Ok(false) => Duration::MAX,
                Err(error) => {
                    tracing::warn!(%error, waiting = self.waiting(), "decisions are not delivered to the gate yet");
                    backoff.next_wait()
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                // While the gate does not answer, what arrives waits with the rest.
                () = self.arrived.notified(), if wait == Duration::MAX => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Tells the gate what still waits at the end of the process, as long as it answers.
    pub async fn flush(&self) {
        while matches!(self.tell_next().await, Ok(true)) {}
        let waiting = self.waiting();
        if waiting > 0 {
            tracing::warn!(waiting, "could not deliver decisions to the gate; reconciliation will deliver them");
        }
    }

    /// Tells the gate the oldest of what waits. Returns whether there was anything.
    async fn tell_next(&self) -> Result<bool, OrdersError> {
        let piece: Vec<News> = self.queue.lock().waiting.iter().take(PIECE).copied().collect();
        if piece.is_empty() {
            return Ok(false);
        }
        let panicked = || Err(OrdersError::Gate(GateError("the call panicked".to_owned())));
        guarded("gate-news", self.tell(&piece)).await.unwrap_or_else(panicked)?;
        let waiting = {
            let mut queue = self.queue.lock();
            queue.waiting.drain(..piece.len());
            queue.waiting.len()
        };
        self.metrics.gate_undelivered.set(waiting as i64);
        self.told.send_modify(|told| *told += piece.len() as u64);
        Ok(true)
    }

    async fn tell(&self, piece: &[News]) -> Result<(), OrdersError> {
        let (mut decided, mut released) = (Vec::new(), Vec::new());
        for news in piece {
            match *news {
                News::Decided(ticket) => decided.push(ticket),
                News::Ended(ticket, buyer, units) => {
                    let restock = match units {
                        Units::Restocked => true,
                        Units::Gone => false,
                        // It never changes once the sale is published.
                        Units::AsTheSaleSays => {
                            self.sales.find_offer(ticket.sale).await?.is_some_and(|offer| offer.sale.returns_on_refund)
                        }
                    };
                    released.push(Release { ticket, buyer, restock });
                }
            }
        }
        if !decided.is_empty() {
            self.gate.settle(&decided).await?;
        }
        if !released.is_empty() {
            self.gate.release_all(&released).await?;
        }
        Ok(())
    }

    /// For fault tests: a message of results comes once more.
    #[cfg(feature = "sabotage")]
    pub(super) fn hear_again(&self, payload: &[u8]) {
        self.push(news_of(payload));
    }

    fn waiting(&self) -> usize {
        self.queue.lock().waiting.len()
    }

    /// Queues it. Returns how much the gate must have learned for this to be among it; `None` when it is behind already, so
    /// that waiting for it makes no sense.
    fn push(&self, news: Vec<News>) -> Option<u64> {
        let (waited, wanted, lost) = {
            let mut queue = self.queue.lock();
            let (waited, room) = (queue.waiting.len(), WAITING_MAX - queue.waiting.len().min(WAITING_MAX));
            let taken = news.len().min(room);
            queue.waiting.extend(&news[..taken]);
            queue.taken_in += taken as u64;
            (waited, queue.taken_in, news.len() - taken)
        };
        self.arrived.notify_one();
        self.metrics.gate_undelivered.set((waited + news.len() - lost) as i64);
        if lost > 0 {
            self.metrics.gate_undelivered_lost.inc_by(lost as u64);
            tracing::warn!(lost, "the queue of decisions for the gate is full; reconciliation will deliver these");
        }
        (waited == 0).then_some(wanted)
    }
}

#[async_trait]
impl Hears for GateNews {
    async fn hear(&self, topic: Topic, events: &[StoredEvent]) {
        if topic != Topic::PurchaseResults {
            return;
        }
        let news: Vec<News> = events.iter().flat_map(|event| news_of(&event.payload)).collect();
        if news.is_empty() {
            return;
        }
        let mut told = self.told.subscribe();
        if let Some(wanted) = self.push(news) {
            let _ = timeout(HEAD_START, told.wait_for(|told| *told >= wanted)).await;
        }
    }
}

/// The effects of one result message on the gate.
fn news_of(payload: &[u8]) -> Vec<News> {
    let results: Results = match envelope::decode(RESULTS, RESULTS_VERSION, payload) {
        Ok(results) => results,
        Err(error) => {
            tracing::error!(%error, "could not decode a result message; it is not delivered to the gate");
            return Vec::new();
        }
    };
    let mut news = Vec::new();
    for event in results.events {
        let (Some(ticket), Some(buyer), Some(state)) = (event.ticket, event.buyer, event.state) else { continue };
        if event.version == Ticket::DECIDED {
            news.push(News::Decided(ticket));
        }
        if let Some(units) = end_of(state) {
            news.push(News::Ended(ticket, buyer, units));
        }
    }
    news
}

/// How the ticket's units are released; `None` while its buyer holds them.
const fn end_of(state: OrderState) -> Option<Units> {
    match state {
        OrderState::AwaitingPayment | OrderState::Paid | OrderState::Refunding => None,
        // The gate had promised a unit that does not exist.
        OrderState::RefusedSoldOut => Some(Units::Gone),
        OrderState::Refunded => Some(Units::AsTheSaleSays),
        OrderState::Cancelled
        | OrderState::Expired
        | OrderState::RefusedAlreadyBought
        | OrderState::RefusedSaleEnded
        | OrderState::Voided => Some(Units::Restocked),
    }
}

#[cfg(test)]
mod tests;
