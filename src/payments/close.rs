//! Cancelling and expiring orders: one conditional function for the buyer, the delayed message and the sweep. The units
//! are returned to the stock in the same transaction, and to the gate by the event. Orders for which the payment
//! gateway may still accept money are skipped here: `attempts.rs` queries and closes those payments first. On expiry,
//! orders with an undecided payment in points are skipped too.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Payments;
use crate::kernel::{OrderId, PaymentId, SaleId, TicketId, Timestamp, UserId};
use crate::model::orders::{Closing, Order, OrderState};
use crate::model::results::ResultEvent;
use crate::orders::OrdersError;
use crate::orders::record::result_event;
use crate::store;
use crate::telemetry::OrderEvent;

/// The result of a buyer's request to cancel.
#[derive(Debug, Clone)]
pub enum Cancelled {
    /// It is cancelled, now or by an earlier wish.
    Done(Arc<Order>),
    /// It can't be: it is paid, refunded or expired.
    Refused(Arc<Order>),
    /// The payment gateway must agree and gives no clear answer now.
    TryLater(Arc<Order>),
    /// There is no such order of this buyer.
    NotFound,
}

/// Attempts to pay that end with their order.
#[derive(Default)]
struct Ended {
    attempts: Vec<PaymentId>,
    actor: &'static str,
}

impl Closing {
    const fn actor(self) -> &'static str {
        match self {
            Self::Expiry { .. } => "expiry",
            Self::Buyer(_) => "buyer",
        }
    }
}

impl Payments {
    /// Cancels the buyer's own unpaid order.
    pub async fn cancel(&self, buyer: UserId, order: OrderId) -> Result<Cancelled, OrdersError> {
        if !self.close(vec![order.ticket()], Closing::Buyer(buyer)).await?.is_empty() {
            #[cfg(feature = "sabotage")]
            if crate::kernel::sabotage::active("orders.return_twice") {
                self.return_once_more(order).await?;
            }
        }
        let own = async || {
            Ok::<_, OrdersError>(self.0.orders.find(order.ticket()).await?.filter(|order| order.buyer == buyer))
        };
        let mut found = own().await?;
        if found.as_ref().is_some_and(|order| order.state == OrderState::AwaitingPayment) {
            if let Some(attempts) = self.shut_attempts(order).await? {
                self.close_with(order, Closing::Buyer(buyer), &attempts).await?;
            }
            found = own().await?;
        }
        if found.as_ref().is_some_and(|order| order.state == OrderState::Cancelled)
            && let Err(error) = self.drop_point_payments(order).await
        {
            tracing::warn!(%order, %error, "points of a cancelled order stay reserved until recovery releases them");
        }
        Ok(match found {
            Some(order) if order.state == OrderState::Cancelled => Cancelled::Done(order),
            Some(order) if order.state == OrderState::AwaitingPayment => Cancelled::TryLater(order),
            Some(order) if order.state.refusal().is_none() => Cancelled::Refused(order),
            _ => Cancelled::NotFound,
        })
    }

    /// Expires those of the orders whose time to pay is over. Returns how many. A batch that fails is halved, whatever its reason: one that
    /// is too slow for the transaction's deadline gets through in parts, and one order that can't be expired keeps none of the others.
    pub async fn expire(&self, orders: Vec<TicketId>) -> Result<usize, OrdersError> {
        let closing = Closing::Expiry { due_by: self.due_by() };
        let (mut rest, mut size, mut expired) = (orders.as_slice(), orders.len(), 0);
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(rest.len().min(size));
            match self.close(batch.to_vec(), closing).await {
                Ok(closed) => {
                    expired += closed.len();
                    (rest, size) = (later, size.saturating_mul(2));
                }
                Err(error) if batch.len() > 1 => {
                    tracing::warn!(%error, orders = batch.len(), "could not expire a batch of orders; retrying it in parts");
                    size = batch.len() / 2;
                }
                Err(OrdersError::Store(error)) if !error.is_transient() => {
                    tracing::error!(order = %batch[0].order(), %error, "an order can't be expired; an operator must review it");
                    rest = later;
                }
                // Not even one: the database is away.
                Err(error) => return Err(error),
            }
        }
        Ok(expired)
    }

    /// Looks for unpaid orders whose time is over and expires them. Returns how many; as many as `max` means that there may be more.
    pub async fn sweep(&self, max: usize) -> Result<usize, OrdersError> {
        let (due_by, now) = (self.due_by(), self.0.clock.now());
        let overdue = store::read!(&self.0.db, |conn| sql::orders::overdue(conn, due_by, now, max).await)?;
        if overdue.is_empty() { Ok(0) } else { self.expire(overdue).await }
    }

    /// Takes units that were paid off those that their sales show as held. Returns how many payments they were of; as many as `max` means
    /// that there may be more.
    pub async fn take_off_paid(&self, max: usize) -> Result<usize, OrdersError> {
        let now = self.0.clock.now();
        let taken = store::write!(&self.0.db, |conn| {
            let (taken, levels) = sql::held::take_off(conn, max, now).await?;
            let events = levels.into_iter().map(|level| result_event(level.sale, vec![ResultEvent::Stock(level)]));
            let events = events.collect::<Result<Vec<_>, _>>()?;
            if !events.is_empty() {
                sql::outbox::append(conn, &events, now).await?;
            }
            Ok(taken)
        })?;
        if taken > 0 {
            self.0.relay.wake();
        }
        Ok(taken)
    }

    /// Orders to be paid before this moment are due.
    fn due_by(&self) -> Timestamp {
        let now = self.0.clock.now();
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("orders.expire_early") {
            return now.plus(std::time::Duration::from_secs(3600));
        }
        now
    }

    /// Closes the order together with attempts for which the gateway takes no money any more.
    pub(super) async fn close_with(
        &self,
        order: OrderId,
        closing: Closing,
        attempts: &[PaymentId],
    ) -> Result<(), OrdersError> {
        let ended = Ended { attempts: attempts.to_vec(), actor: closing.actor() };
        self.close_all(vec![order.ticket()], closing, ended).await?;
        Ok(())
    }

    async fn close(&self, tickets: Vec<TicketId>, closing: Closing) -> Result<Vec<Order>, OrdersError> {
        self.close_all(tickets, closing, Ended::default()).await
    }

    async fn close_all(
        &self,
        tickets: Vec<TicketId>,
        closing: Closing,
        ended: Ended,
    ) -> Result<Vec<Order>, OrdersError> {
        let now = self.0.clock.now();
        // A page that is open somewhere can begin a trade until its time is over: after that, once more.
        let wait = (*self.0.payments.now().check_after, *self.0.payments.now().late_check_after);
        let attempts_closed = ended.attempts.len() as u64;
        let closed = store::write!(&self.0.db, |conn| {
            if let [ticket] = tickets.as_slice()
                && !ended.attempts.is_empty()
            {
                sql::orders::lock(conn, &tickets).await?;
                let pay_before = sql::orders::find(conn, *ticket).await?.map_or(now, |order| order.pay_before);
                let check_at = Some(now.plus(wait.0).max(pay_before.plus(wait.1)));
                let detail = "the gateway does not accept money for it";
                sql::settle::close_attempts(conn, &ended.attempts, ended.actor, detail, check_at, now).await?;
            }
            let closed = sql::orders::close(conn, &tickets, closing, now).await?;
            let mut by_sale = BTreeMap::<SaleId, Vec<Order>>::new();
            for order in &closed {
                by_sale.entry(order.sale()).or_default().push(order.clone());
            }
            // First all orders, then the sales in the order of their ids: so no two of these transactions, nor one of the
            // order writer's, wait for each other.
            for (sale, orders) in by_sale {
                let units = orders.iter().map(|order| order.quantity).sum();
                let stock = sql::orders::return_stock(conn, sale, units, now).await?;
                let events = orders.into_iter().map(ResultEvent::Order).chain([ResultEvent::Stock(stock)]).collect();
                sql::outbox::append(conn, &[result_event(sale, events)?], now).await?;
            }
            Ok(closed)
        })?;
        if attempts_closed > 0 {
            self.0.metrics.payments.add("closed", attempts_closed);
        }
        if !closed.is_empty() {
            let expired = matches!(closing, Closing::Expiry { .. });
            let event = if expired { "expired" } else { "cancelled" };
            // Orders with attempts to pay waited for the gateway's answer, too.
            if expired && attempts_closed == 0 {
                for order in &closed {
                    self.0.metrics.expiry_delay.record(now.since(order.pay_before));
                }
            }
            self.0.metrics.orders.add(event, closed.len() as u64);
            let event = if expired { OrderEvent::Expired } else { OrderEvent::Cancelled };
            for order in &closed {
                self.0.metrics.watched.events.happened(order.sale(), event, order.quantity, 0);
            }
            self.0.relay.wake();
        }
        Ok(closed)
    }

    #[cfg(feature = "sabotage")]
    async fn return_once_more(&self, order: OrderId) -> Result<(), OrdersError> {
        let now = self.0.clock.now();
        store::write!(&self.0.db, |conn| {
            sql::orders::return_stock(conn, order.ticket().sale, 1, now).await?;
            Ok(())
        })?;
        Ok(())
    }
}
