//! The orders service: its parts, and lookups for buyers.

use std::sync::Arc;

use tokio::sync::Notify;

use super::gate_news::GateNews;
use super::publisher::Publisher;
use super::{Order, OrderState, Ticket};
use crate::broker::outbox::Relay;
use crate::broker::{Broker, BrokerError};
use crate::config;
use crate::gate::{Attempt, Coalescer, Gate, GateError, PendingTicket};
use crate::hub::Hub;
use crate::kernel::{Clock, OrderId, Rng, SaleId, TicketId, Timestamp, UserId};
use crate::payments::PaymentGateway;
use crate::sales::{GateCopyError, Sales};
use crate::store::{self, Database, StoreError};
use crate::tcc::Coordinator;
use crate::telemetry::Metrics;

/// Something that orders need does not work now; whether anything changed is unknown.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OrdersError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gate.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// The broker.
    #[error(transparent)]
    Broker(BrokerError),
}

impl From<GateCopyError> for OrdersError {
    fn from(error: GateCopyError) -> Self {
        match error {
            GateCopyError::Store(error) => Self::Store(error),
            GateCopyError::Gate(error) => Self::Gate(error),
        }
    }
}

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
    /// Where money is paid; `None`: only without a gateway.
    pub gateway: Option<Arc<dyn PaymentGateway>>,
    /// `[payments]`
    pub payments: config::Section<config::Payments>,
    /// Wakes the worker that brings refunds further.
    pub refunds_due: Arc<Notify>,
    /// Wakes the worker that asks for payments.
    pub checks_due: Arc<Notify>,
    /// Coordinates what is paid with points.
    pub tcc: Coordinator,
    /// Time.
    pub clock: Clock,
    /// Ids, and jitter of back-off.
    pub rng: Rng,
    /// Counts.
    pub metrics: Metrics,
}

/// A place in a buyer's list of orders, newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListKey {
    /// When the order was admitted.
    pub at: Timestamp,
    /// Which order.
    pub ticket: TicketId,
}

/// A page of a buyer's orders: `limit` orders older than `after` or newer than `before`, those nearest to it.
#[derive(Debug, Clone)]
pub struct OrderPage {
    /// Only these states.
    pub states: Vec<OrderState>,
    /// Only older ones.
    pub after: Option<ListKey>,
    /// Only newer ones.
    pub before: Option<ListKey>,
    /// How many at most.
    pub limit: usize,
    /// Count from the oldest end.
    pub from_end: bool,
}

/// The result of [`Orders::list_of_buyer`].
#[derive(Debug, Clone)]
pub struct OrderList {
    /// The page, newest first.
    pub orders: Vec<Order>,
    /// Whether there is more beyond it, in the direction that was asked for.
    pub more: bool,
    /// How many there are in all.
    pub total: usize,
}

impl Orders {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The same with another gateway.
    #[cfg(feature = "sabotage")]
    #[must_use]
    pub fn with_gateway(&self, gateway: Arc<dyn PaymentGateway>) -> Self {
        Self::new(Parts { gateway: Some(gateway), ..(*self.0).clone() })
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
    /// several, a buyer who has seen more on another node must not be told less here.
    async fn newest(&self, ticket: TicketId) -> Result<Option<Arc<Order>>, OrdersError> {
        match self.0.hub.recent(ticket).filter(|_| !self.0.db.is_shared()) {
            Some(order) => Ok(Some(order)),
            None => self.find(ticket).await,
        }
    }

    /// The buyer's own order; `None` when it is unknown, another's, or was refused.
    pub async fn order_of_buyer(&self, buyer: UserId, order: OrderId) -> Result<Option<Arc<Order>>, OrdersError> {
        // Not what was heard last: whoever has been told that a payment is kept must not read less here a moment later.
        let found = self.find(order.ticket()).await?;
        Ok(found.and_then(|order| own(buyer, order)).filter(|order| order.state.refusal().is_none()))
    }

    /// The buyer's ticket in a sale: the pending one, else the live one, else the newest. A pending one is published before it
    /// is shown: its buyer may not have been told of it yet, and what is told must last.
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

    pub(super) async fn find(&self, ticket: TicketId) -> Result<Option<Arc<Order>>, OrdersError> {
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
