//! The order writer's transaction: one per batch. For each sale it reads what is recorded, decides ([`super::decide`]), and writes
//! confirmed and refused tickets, the stock, and events in the outbox. It is safe to run twice on the same tickets.

use std::collections::BTreeMap;
use std::slice;

use super::decide::{self, Decided};
use super::{Orders, OrdersError};
use crate::broker::envelope::{self, EnvelopeError};
use crate::kernel::{SaleId, TicketId, Timestamp};
use crate::model::messages::{NewEvent, Topic};
use crate::model::order_requests::{OrderRequest, PaymentTimeouts, TIMEOUTS, TIMEOUTS_VERSION};
use crate::model::orders::{Order, OrderState, Refusal};
use crate::model::results::{RESULTS, RESULTS_VERSION, ResultBatch, ResultEvent};
use crate::model::sales::StockLevel;
use crate::store::{self, StoreError};
use crate::telemetry::OrderEvent;

impl Orders {
    /// Records the decision on each ticket, in the given order, in one transaction. On an error nothing is recorded.
    pub async fn record(&self, requests: Vec<OrderRequest>) -> Result<(), OrdersError> {
        let now = self.0.clock.now();
        let mut by_sale = BTreeMap::<SaleId, Vec<OrderRequest>>::new();
        for request in requests {
            by_sale.entry(request.ticket.sale).or_default().push(request);
        }
        let recorded = store::write!(&self.0.db, |conn| {
            let mut outcomes = Vec::new();
            // In the order of their ids, so that no two writers wait for each other. The lock is a statement of its own: what
            // is read after it is as the last writer left it.
            for (sale, requests) in by_sale {
                sql::orders::lock_sale(conn, sale).await?;
                let facts = sql::orders::sale_facts(conn, sale).await?;
                let mut facts = facts.ok_or_else(|| unknown_sale(sale))?;
                if requests.iter().any(|request| request.price.is_none()) {
                    facts.former_prices = sql::edits::former_prices(conn, sale).await?;
                }
                let recorded = sql::orders::find_recorded(conn, sale, &requests).await?;
                let Decided { orders, units } = decide::decide(&facts, &recorded, &requests, now);
                all_written(sql::orders::insert(conn, &orders).await?, orders.len())?;
                // Last and guarded: whatever was decided, the stock does not fall below zero.
                let stock = match units {
                    0 => None,
                    units => Some(sql::orders::take_stock(conn, sale, units, now).await?),
                };
                let outcome = |order: &Order| (sale, order.state, order.quantity, now.since(order.created_at));
                outcomes.extend(orders.iter().map(outcome));
                let events = events_of(sale, orders, stock)?;
                sql::outbox::append(conn, &events, now).await?;
            }
            Ok(outcomes)
        })?;
        self.0.relay.wake();
        let metrics = &self.0.metrics;
        for (sale, state, units, waited) in recorded {
            metrics.tickets_decided.count(outcome(state));
            metrics.ticket_decision.record(waited);
            metrics.watched.decisions.record(waited);
            match state.refusal() {
                None => metrics.watched.events.happened(sale, OrderEvent::Created, units, 0),
                Some(refusal) => metrics.watched.events.refused(sale, refusal as usize),
            }
        }
        Ok(())
    }
}

fn unknown_sale(sale: SaleId) -> StoreError {
    StoreError::Conflict { constraint: format!("unknown sale {sale}") }
}

/// Fails if an order was not written: another sale's writer used its key since the keys were looked up. The next try sees that.
fn all_written(written: usize, orders: usize) -> Result<(), StoreError> {
    if written == orders {
        return Ok(());
    }
    Err(StoreError::unavailable("a key was used for two sales at the same moment"))
}

/// The name of a decision in the metrics.
const fn outcome(state: OrderState) -> &'static str {
    match state.refusal() {
        None => "confirmed",
        Some(Refusal::SoldOut) => "sold_out",
        Some(Refusal::AlreadyBought) => "already_bought",
        Some(Refusal::SaleEnded) => "sale_ended",
        Some(Refusal::Voided) => "voided",
    }
}

/// The result that every node hears, and the reminder that the time to pay is over.
fn events_of(sale: SaleId, decided: Vec<Order>, stock: Option<StockLevel>) -> Result<Vec<NewEvent>, StoreError> {
    if decided.is_empty() {
        return Ok(Vec::new());
    }
    let unpaid: Vec<_> = decided.iter().filter(|order| order.state.is_live()).collect();
    let mut events = Vec::with_capacity(2);
    if let Some(first) = unpaid.first() {
        let timeouts =
            PaymentTimeouts { due: first.pay_before, orders: unpaid.iter().map(|order| order.ticket).collect() };
        events.push(NewEvent {
            topic: Topic::PaymentTimeouts,
            key: sale.to_string(),
            payload: envelope::encode(TIMEOUTS, TIMEOUTS_VERSION, &timeouts).map_err(unwritable)?,
            deliver_at: Some(timeouts.due),
        });
    }
    let results = decided.into_iter().map(ResultEvent::Order).chain(stock.map(ResultEvent::Stock)).collect();
    events.push(result_event(sale, results)?);
    Ok(events)
}

/// The outbox event that carries these results of one sale.
pub fn result_event(sale: SaleId, events: Vec<ResultEvent>) -> Result<NewEvent, StoreError> {
    Ok(NewEvent {
        topic: Topic::PurchaseResults,
        key: sale.to_string(),
        payload: envelope::encode(RESULTS, RESULTS_VERSION, &ResultBatch { events }).map_err(unwritable)?,
        deliver_at: None,
    })
}

fn unwritable(error: EnvelopeError) -> StoreError {
    StoreError::internal_by(error)
}

impl Orders {
    /// Whether the ticket has an outcome.
    pub async fn is_decided(&self, ticket: TicketId) -> Result<bool, OrdersError> {
        Ok(self.find(ticket).await?.is_some())
    }

    /// Records that a ticket which can't be decided was taken back, so that its buyer gets an end. `Err` when not even that is
    /// possible, because the ticket itself makes no sense.
    pub async fn void(&self, request: OrderRequest) -> Result<(), OrdersError> {
        let now: Timestamp = self.0.clock.now();
        let sale = request.ticket.sale;
        let request = decide::storable(request);
        let voided = store::write!(&self.0.db, |conn| {
            sql::orders::lock_sale(conn, sale).await?;
            let facts = sql::orders::sale_facts(conn, sale).await?;
            let facts = facts.ok_or_else(|| unknown_sale(sale))?;
            let recorded = sql::orders::find_recorded(conn, sale, slice::from_ref(&request)).await?;
            let voided = decide::void(&facts, &recorded, &request, now);
            let is_new = voided.is_some();
            if let Some(order) = voided {
                all_written(sql::orders::insert(conn, slice::from_ref(&order)).await?, 1)?;
                sql::outbox::append(conn, &[result_event(sale, vec![ResultEvent::Order(order)])?], now).await?;
            }
            Ok(is_new)
        })?;
        if voided {
            self.0.metrics.watched.events.refused(sale, Refusal::Voided as usize);
        }
        self.0.relay.wake();
        Ok(())
    }
}
