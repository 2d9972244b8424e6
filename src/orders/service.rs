//! The orders service: its parts, and lookups for buyers.

use std::sync::Arc;

use super::error::OrdersError;
use super::gate_news::GateNews;
use super::publisher::Publisher;
use crate::broker::Broker;
use crate::broker::outbox::Relay;
use crate::gate::{Attempt, Coalescer, Gate, PendingTicket};
use crate::hub::Hub;
use crate::kernel::{Clock, OrderId, SaleId, TicketId, UserId};
use crate::model::orders::{Order, OrderList, OrderPage, Ticket};
use crate::sales::Sales;
use crate::store::{self, Database};
use crate::telemetry::Metrics;

/// Buying, looking up, closing, rebuilding. Cheap to clone.
#[derive(Clone)]
pub struct Orders(pub(super) Arc<Parts>);

/// The dependencies of [`Orders`].
#[derive(Clone)]
pub struct Parts {
    /// The truth.
    pub db: Database,
    /// Admission.
    pub gate: Arc<dyn Gate>,
    /// Admission, many at a time.
    pub coalescer: Coalescer,
    /// The way to the order writer.
    pub publisher: Publisher,
    /// Messages.
    pub broker: Arc<dyn Broker>,
    /// Wakes the outbox relay after a commit.
    pub relay: Relay,
    /// Fan-out.
    pub hub: Hub,
    /// Tells the gate what is decided.
    pub gate_news: Arc<GateNews>,
    /// The sales.
    pub sales: Sales,
    /// Time.
    pub clock: Clock,
    /// Counts.
    pub metrics: Metrics,
}

impl Orders {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The buyer's own ticket; `None` when it is unknown or another's.
    pub async fn ticket_of_buyer(&self, buyer: UserId, ticket: TicketId) -> Result<Option<Ticket>, OrdersError> {
        if let Some(order) = self.newest(ticket).await? {
            return Ok(own(buyer, order).map(Ticket::decided));
        }
        if let Some(pending) = self.0.gate.find_pending(ticket).await? {
            return Ok((pending.buyer == buyer).then(|| queued(pending)));
        }
        // It may have been decided between the two looks.
        let order = self.find(ticket).await?;
        Ok(order.and_then(|order| own(buyer, order)).map(Ticket::decided))
    }

    /// What this node heard last of a decision is the newest only where no other node writes: there it saves a query. Among
    /// several, a buyer who has seen a later state on another node must not see an earlier one here.
    async fn newest(&self, ticket: TicketId) -> Result<Option<Arc<Order>>, OrdersError> {
        match self.0.hub.recent(ticket).filter(|_| !self.0.db.is_shared()) {
            Some(order) => Ok(Some(order)),
            None => self.find(ticket).await,
        }
    }

    /// The buyer's own order; `None` when it is unknown, another's, or was refused.
    pub async fn order_of_buyer(&self, buyer: UserId, order: OrderId) -> Result<Option<Arc<Order>>, OrdersError> {
        // Read from the database, not from the last event: a buyer who has seen a recorded payment must not see an earlier state here.
        let found = self.find(order.ticket()).await?;
        Ok(found.and_then(|order| own(buyer, order)).filter(|order| order.state.refusal().is_none()))
    }

    /// The buyer's ticket in a sale: the pending one, else the live one, else the newest. A pending one is published before it
    /// is shown: its buyer may not have been notified yet, and what is shown must be durable.
    pub async fn ticket_in_sale(&self, buyer: UserId, sale: SaleId) -> Result<Option<Ticket>, OrdersError> {
        let away = match self.0.gate.find_pending_of(sale, buyer).await {
            Ok(Some(PendingTicket { ticket, buyer, key, quantity, at })) => {
                let attempt = Attempt { buyer, key, quantity };
                if let Some(ticket) = self.promised(ticket, at, attempt).await? {
                    return Ok(Some(ticket));
                }
                None
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        let order = store::read!(&self.0.db, |conn| sql::orders::find_of_buyer(conn, sale, buyer).await)?;
        match away {
            // Nothing can be pending beside a live order; otherwise the gate alone knows.
            Some(error) if order.as_ref().is_none_or(|order| !order.state.is_live()) => Err(error.into()),
            _ => Ok(order.map(Arc::new).map(Ticket::decided)),
        }
    }

    /// A page of the buyer's orders.
    pub async fn list_of_buyer(&self, buyer: UserId, page: OrderPage) -> Result<OrderList, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::orders::list_of_buyer(conn, buyer, page).await)?)
    }

    /// The order of a decided ticket, whoever the buyer is.
    pub async fn find(&self, ticket: TicketId) -> Result<Option<Arc<Order>>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::orders::find(conn, ticket).await)?.map(Arc::new))
    }

    pub(super) async fn find_by_key(&self, buyer: UserId, key: String) -> Result<Option<Arc<Order>>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::orders::find_by_key(conn, buyer, key).await)?.map(Arc::new))
    }

    /// Tells the gate what is decided.
    pub fn gate_news(&self) -> &Arc<GateNews> {
        &self.0.gate_news
    }

    /// The node's fan-out, for subscriptions.
    pub fn hub(&self) -> &Hub {
        &self.0.hub
    }
}

fn own(buyer: UserId, order: Arc<Order>) -> Option<Arc<Order>> {
    (order.buyer == buyer).then_some(order)
}

fn queued(pending: PendingTicket) -> Ticket {
    Ticket {
        id: pending.ticket,
        buyer: pending.buyer,
        quantity: pending.quantity,
        created_at: pending.at,
        decision: None,
    }
}
