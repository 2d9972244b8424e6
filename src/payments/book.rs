//! Records a refund that was made on the gateway's own site and is listed in its bill, as a successful refund. This moves no money.

use serde_json::json;

use super::Payments;
use super::refund::is_reason;
use crate::kernel::{AuditId, BillDifferenceId, PaymentId, Timestamp, UserId};
use crate::model::audit::Audit;
use crate::model::bills::{BilledRefund, Closure, Item};
use crate::model::orders::{Order, OrderState};
use crate::model::payments::{Amount, Payment, Refund};
use crate::model::results::ResultEvent;
use crate::orders::OrdersError;
use crate::orders::record::result_event;
use crate::payments::{Method, RefundCause, RefundState};
use crate::store;

/// Why a refund is not recorded. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BookRefusal {
    /// No such discrepancy exists.
    NotFound,
    /// A later comparison no longer found it.
    NotOpen,
    /// The bill's line is not a refund, is a duplicate, or has one of our numbers.
    NotARefund,
    /// The refunded payment is not one of the shop's payments.
    PaymentNotFound,
    /// More than the remaining amount of the payment, or the remaining amount is already in pending refunds.
    ExceedsPaid,
    /// It was already recorded by another operator or for another reason.
    AlreadyBooked,
    /// The reason is empty, too long, or contains control characters.
    ReasonInvalid,
}

/// An operator's decision to record a refund.
struct Wish {
    operator: UserId,
    difference: BillDifferenceId,
    reason: String,
    audit: AuditId,
    now: Timestamp,
}

impl Wish {
    /// The recorded refund. Its ID is derived from the bill's line, so a line is recorded only once.
    fn refund(&self, item: &Item, billed: &BilledRefund, payment: &Payment) -> Refund {
        let id = Refund::id_of_external(payment.id, &item.number);
        let amount = Amount::Money(billed.amount);
        let plain = Refund::requested(id, payment, amount, RefundCause::External, billed.at);
        Refund {
            reason: Some(self.reason.clone()),
            requested_by: Some(self.operator),
            key: Some(self.difference.to_string()),
            gateway_number: Some(item.number.clone()),
            ..plain
        }
    }

    fn is_that_of(&self, known: &Refund) -> bool {
        known.requested_by == Some(self.operator) && known.reason.as_ref() == Some(&self.reason)
    }

    fn closure(&self) -> Closure {
        Closure { at: self.now, by: self.operator, reason: self.reason.clone() }
    }

    fn audit(&self, item: &Item, refund: &Refund) -> Audit {
        let detail = json!({
            "day": item.day, "number": item.number, "payment": refund.payment, "order": refund.order, "refund": refund.id,
            "amount": refund.amount.to_string(), "reason": self.reason,
        });
        let (subject, operator) = (item.id.to_string(), self.operator);
        Audit { id: self.audit, operator, act: "bill.difference_book", subject, detail, at: self.now }
    }
}

/// The refund of the bill and the number of its payment.
fn billed(item: &Item) -> Result<(&BilledRefund, PaymentId), BookRefusal> {
    let billed = item.refund.as_ref().ok_or(BookRefusal::NotARefund)?;
    let payment = PaymentId::from_number(&billed.payment).ok_or(BookRefusal::PaymentNotFound)?;
    Ok((billed, payment))
}

/// The closed discrepancy and its refund.
pub type Booked = (Item, Refund);

impl Payments {
    /// Records the refund of a discrepancy and closes the discrepancy, for the audit and for later comparisons. The units and the order
    /// change as after any refund. A discrepancy that was closed before without a refund can still be recorded. Repeating the same request
    /// returns the same result.
    pub async fn book_difference(
        &self,
        operator: UserId,
        id: Option<BillDifferenceId>,
        reason: &str,
    ) -> Result<Result<Booked, BookRefusal>, OrdersError> {
        let reason = reason.trim().to_owned();
        if reason.is_empty() || !is_reason(&reason) {
            return Ok(Err(BookRefusal::ReasonInvalid));
        }
        let Some(difference) = id else { return Ok(Err(BookRefusal::NotFound)) };
        let Some(item) = self.difference(difference).await? else { return Ok(Err(BookRefusal::NotFound)) };
        let payment = match billed(&item) {
            Ok((_, payment)) => self.payment(payment).await?,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let payment = payment.filter(|payment| payment.method == Method::Alipay);
        let Some(payment) = payment else { return Ok(Err(BookRefusal::PaymentNotFound)) };
        let (audit, now) = (AuditId::generate(&self.0.clock, &self.0.rng), self.0.clock.now());
        let wish = Wish { operator, difference, reason, audit, now };
        match self.write_booked(wish, payment).await? {
            Err(refusal) => Ok(Err(refusal)),
            Ok((booked, changed, returned)) => {
                self.note_returned(&booked.1, changed.as_ref(), returned);
                self.0.counts_due.notify_one();
                if changed.is_some() {
                    self.0.relay.wake();
                }
                Ok(Ok(booked))
            }
        }
    }

    /// Does all of it in one transaction. Returns the order if it changed, and whether money that had paid it went back.
    async fn write_booked(
        &self,
        wish: Wish,
        payment: Payment,
    ) -> Result<Result<(Booked, Option<Order>, bool), BookRefusal>, OrdersError> {
        let ticket = payment.order.ticket();
        let restocks = self.0.orders.restocks(ticket.sale).await?;
        Ok(store::write!(&self.0.db, |conn| {
            sql::orders::lock(conn, &[ticket]).await?;
            sql::payments::lock(conn, payment.id).await?;
            let Some(item) = sql::bills::find(conn, wish.difference).await? else {
                return Ok(Err(BookRefusal::NotFound));
            };
            let refund = match billed(&item) {
                Ok((billed, of)) if of == payment.id => wish.refund(&item, billed, &payment),
                _ => return Ok(Err(BookRefusal::NotARefund)),
            };
            if let Some(known) = sql::refunds::find(conn, refund.id).await? {
                let same = wish.is_that_of(&known);
                return Ok(if same { Ok(((item, known), None, false)) } else { Err(BookRefusal::AlreadyBooked) });
            }
            if item.resolved_at.is_some() {
                return Ok(Err(BookRefusal::NotOpen));
            }
            let Some(order) = sql::orders::find(conn, ticket).await? else {
                return Ok(Err(BookRefusal::PaymentNotFound));
            };
            let is_same_money = payment.amount.with_units(refund.amount.units()) == refund.amount;
            if !is_same_money || refund.amount.units() == 0 {
                return Ok(Err(BookRefusal::ExceedsPaid));
            }
            let intended = sql::settle::intend(conn, &refund, &order, "operator", wish.now).await?;
            let Some(intended) = intended else { return Ok(Err(BookRefusal::ExceedsPaid)) };
            let done = RefundState::Succeeded;
            let (ended, returned) = sql::settle::end_refund(conn, &refund, done, None, "operator", wish.now).await?;
            let changed = ended.or(intended);
            if let Some(order) = &changed {
                let mut events = vec![ResultEvent::Order(order.clone())];
                if order.state == OrderState::Refunded && restocks {
                    let stock = sql::orders::restock(conn, order.sale(), order.quantity, wish.now).await?;
                    events.push(ResultEvent::Stock(stock));
                }
                sql::outbox::append(conn, &[result_event(order.sale(), events)?], wish.now).await?;
            }
            sql::bills::close(conn, item.id, &wish.closure()).await?;
            sql::catalog::write_down(conn, &wish.audit(&item, &refund)).await?;
            let item = sql::bills::find(conn, item.id).await?.unwrap_or(item);
            let refund = sql::refunds::find(conn, refund.id).await?.unwrap_or(refund);
            Ok(Ok(((item, refund), changed, returned)))
        })?)
    }
}
