//! Looking up payments and refunds: buyers see their own, operators see all with their logs.

use super::Payments;
use crate::gateway::Returned;
use crate::kernel::{AuditId, OrderId, PaymentId, RefundId, TicketId, UserId};
use crate::model::audit::Audit;
use crate::model::orders::{Order, number_parts};
use crate::model::payments::{LogEntry, Payment, Refund, StoredNotification};
use crate::orders::OrdersError;
use crate::payments::PaymentState;
use crate::store;

/// Lines of a log shown at most.
const LINES_MAX: usize = 500;

/// All that is known of a payment.
#[derive(Debug, Clone)]
pub struct PaymentFile {
    /// The payment.
    pub payment: Payment,
    /// Its log, the oldest line first.
    pub log: Vec<LogEntry>,
    /// The notifications that the gateway sent about it.
    pub notifications: Vec<StoredNotification>,
}

impl Payments {
    /// All attempts to pay an order, the oldest first.
    pub async fn payments_of(&self, order: OrderId) -> Result<Vec<Payment>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::payments::of_order(conn, order).await)?)
    }

    /// All refunds of an order, the oldest first.
    pub async fn refunds_of(&self, order: OrderId) -> Result<Vec<Refund>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::refunds::of_order(conn, order).await)?)
    }

    /// A payment of one's own order.
    pub async fn payment_of_buyer(&self, buyer: UserId, id: PaymentId) -> Result<Option<Payment>, OrdersError> {
        Ok(self.payment(id).await?.filter(|payment| payment.buyer == buyer))
    }

    /// A refund of one's own order.
    pub async fn refund_of_buyer(&self, buyer: UserId, id: RefundId) -> Result<Option<Refund>, OrdersError> {
        let Some(refund) = self.any_refund(id).await? else { return Ok(None) };
        Ok(self.payment_of_buyer(buyer, refund.payment).await?.map(|_| refund))
    }

    /// Any payment.
    pub async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::payments::find(conn, id).await)?)
    }

    /// The order that a person means: by its id or number, by the id or number of a payment or a refund of it, or by Alipay's number of
    /// a trade that pays it. All of these stand on receipts. `None` when there is no such order.
    pub async fn order_of_reference(&self, text: &str) -> Result<Option<OrderId>, OrdersError> {
        let text = text.trim();
        if let Ok(order) = text.parse::<OrderId>() {
            return Ok(Some(order));
        }
        if let Some(payment) = text.parse::<PaymentId>().ok().or_else(|| PaymentId::from_number(text)) {
            return Ok(self.payment(payment).await?.map(|payment| payment.order));
        }
        if let Some(refund) = text.parse::<RefundId>().ok().or_else(|| RefundId::from_number(text)) {
            return Ok(self.any_refund(refund).await?.map(|refund| refund.order));
        }
        if let Some((sale, epoch, seq)) = number_parts(text) {
            let sale = store::read!(&self.0.db, |conn| sql::sales::id_of_number(conn, sale).await)?;
            return Ok(sale.map(|sale| TicketId { sale, epoch, seq }.order()));
        }
        let is_trade = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_trade {
            return Ok(None);
        }
        let trade = text.to_owned();
        Ok(store::read!(&self.0.db, |conn| sql::payments::order_of_trade(conn, &trade).await)?)
    }

    /// Any refund.
    pub async fn any_refund(&self, id: RefundId) -> Result<Option<Refund>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::refunds::find(conn, id).await)?)
    }

    /// Any order, for operators.
    pub async fn order(&self, id: OrderId) -> Result<Option<std::sync::Arc<Order>>, OrdersError> {
        Ok(self.0.orders.find(id.ticket()).await?.filter(|order| order.state.refusal().is_none()))
    }

    /// A payment with its log and the notifications about it.
    pub async fn payment_file(&self, payment: Payment) -> Result<PaymentFile, OrdersError> {
        let (id, number) = (payment.id, payment.number());
        let log = store::read!(&self.0.db, |conn| sql::payments::log_of(conn, id, LINES_MAX).await)?;
        let notifications =
            store::read!(&self.0.db, |conn| sql::payments::notifications_of(conn, &number, LINES_MAX).await)?;
        Ok(PaymentFile { payment, log, notifications })
    }

    /// A refund's log, the oldest line first.
    pub async fn refund_log(&self, id: RefundId) -> Result<Vec<LogEntry>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::refunds::log_of(conn, id, LINES_MAX).await)?)
    }

    /// Writes down that an operator looked at what is a buyer's.
    pub async fn audit_look(&self, operator: UserId, act: &'static str, subject: String) -> Result<(), OrdersError> {
        self.audit_search(operator, act, subject, serde_json::Value::Null).await
    }

    /// Writes down that an operator looked at what is a buyer's, and what was looked for.
    pub async fn audit_search(
        &self,
        operator: UserId,
        act: &'static str,
        subject: String,
        detail: serde_json::Value,
    ) -> Result<(), OrdersError> {
        let id = AuditId::generate(&self.0.clock, &self.0.rng);
        let audit = Audit { id, operator, act, subject, detail, at: self.0.clock.now() };
        Ok(store::write!(&self.0.db, |conn| sql::catalog::write_down(conn, &audit).await)?)
    }

    /// A browser that came back from the gateway, with the query string that it brought: the payment as it is once the gateway was
    /// asked; `None` when the string is not the gateway's, or about nothing of ours. The string itself never makes anything paid.
    pub async fn returned(&self, query: &str) -> Result<Option<Payment>, OrdersError> {
        let Some(gateway) = &self.0.gateway else { return Ok(None) };
        let Returned { number, amount } = match gateway.verify_return(query) {
            Ok(returned) => returned,
            Err(error) => {
                self.refuse(error);
                return Ok(None);
            }
        };
        let Some(id) = PaymentId::from_number(&number) else { return Ok(None) };
        let Some(payment) = self.payment(id).await? else { return Ok(None) };
        if amount.is_some() && amount != payment.amount.money() {
            return Ok(None);
        }
        if payment.state == PaymentState::Pending {
            self.ask(&payment).await?;
            return self.payment(id).await;
        }
        Ok(Some(payment))
    }
}
