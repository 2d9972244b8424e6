//! The intent of a refund. It is recorded, and the money is reserved, before the gateway is called; `returns.rs` does
//! the rest, with retries until the outcome is definite.

use std::sync::Arc;

use serde_json::json;

use super::Payments;
use crate::kernel::text::is_line;
use crate::kernel::{AuditId, OrderId, PaymentId, RefundId, UserId};
use crate::model::audit::Audit;
use crate::model::orders::{Order, OrderState, is_key};
use crate::model::payments::{Amount, Payment, Refund};
use crate::model::results::ResultEvent;
use crate::orders::record::result_event;
use crate::orders::{OrdersError, fail_point};
use crate::payments::{PaymentState, RefundCause, RefundState};
use crate::store::{self, StoreError};

/// Characters of a reason at most.
const REASON_MAX: usize = 500;

/// A buyer's wish to get all of the money back.
#[derive(Debug, Clone)]
pub struct RefundRequest {
    /// The order; `None` when what was sent is no order's id.
    pub order: Option<OrderId>,
    /// Why, in the buyer's words.
    pub reason: Option<String>,
    /// The client's key for this wish.
    pub key: String,
}

/// An operator's decision to send money back.
#[derive(Debug, Clone)]
pub struct OperatorRefund {
    /// The payment; `None` when what was sent is no payment's id.
    pub payment: Option<PaymentId>,
    /// How much; `None`: all that is left.
    pub amount: Option<Amount>,
    /// Why.
    pub reason: String,
    /// The client's key for this decision.
    pub key: String,
    /// How much staff may refund of one order; `None`: without a limit.
    pub limit: Option<RefundLimit>,
}

/// How much staff may refund of one order, with all that staff refunded of it before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefundLimit {
    /// Of money: minor units of the payment's currency.
    pub money: u64,
    /// Of points.
    pub points: u64,
}

impl RefundLimit {
    /// The limit in what the payment was made with.
    fn of(self, payment: Amount) -> Amount {
        payment.with_units(if payment.money().is_some() { self.money } else { self.points })
    }

    /// Whether this refund stays within it, after these of the same order. Those that failed moved nothing.
    fn check(self, refund: &Refund, earlier: &[Refund]) -> Result<(), RefundRefusal> {
        let limit = self.of(refund.amount);
        let counts = |known: &&Refund| {
            let same_kind = known.amount.with_units(0) == limit.with_units(0);
            known.cause == RefundCause::Operator && known.state != RefundState::Failed && same_kind
        };
        let before: u64 = earlier.iter().filter(counts).map(|known| known.amount.units()).sum();
        let within = before.saturating_add(refund.amount.units()) <= limit.units();
        if within { Ok(()) } else { Err(RefundRefusal::AboveLimit(limit)) }
    }
}

/// Why nothing goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundRefusal {
    /// There is no such order of this buyer.
    OrderNotFound,
    /// There is no such payment.
    PaymentNotFound,
    /// Nothing is there that could go back: not paid, or on its way back already.
    NotRefundable,
    /// Not above zero, more than is there, or of another currency.
    AmountInvalid,
    /// Missing where it must not be, too long, or with control characters.
    ReasonInvalid,
    /// Not 8 to 64 of `A-Z a-z 0-9 _ -`.
    KeyInvalid,
    /// The key was used for something else.
    KeyReused,
    /// The amount exceeds what the requester may refund for one order.
    AboveLimit(Amount),
}

/// The contents of a refund.
#[derive(Clone)]
struct Wish {
    id: RefundId,
    person: UserId,
    cause: RefundCause,
    target: Target,
    amount: Option<Amount>,
    reason: Option<String>,
    key: String,
    audit: Option<AuditId>,
    limit: Option<RefundLimit>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The kept payment of the person's own order.
    Order(OrderId),
    /// Any payment.
    Payment(PaymentId),
}

impl Wish {
    /// Whether a refund under the same key is of this wish.
    fn is_that_of(&self, known: &Refund) -> bool {
        let same_target = match self.target {
            Target::Order(order) => known.order == order,
            Target::Payment(payment) => known.payment == payment,
        };
        same_target && known.reason == self.reason && self.amount.is_none_or(|amount| amount == known.amount)
    }

    /// What is to be written down: of this payment, all that is left or so much of it.
    fn refund(&self, payment: &Payment, now: crate::kernel::Timestamp) -> Result<Refund, RefundRefusal> {
        let left = payment.refundable();
        if left == 0 {
            return Err(RefundRefusal::NotRefundable);
        }
        let amount = self.amount.unwrap_or(payment.amount.with_units(left));
        if amount != payment.amount.with_units(amount.units()) || amount.units() == 0 || amount.units() > left {
            return Err(RefundRefusal::AmountInvalid);
        }
        let plain = Refund::requested(self.id, payment, amount, self.cause, now);
        let (reason, key) = (self.reason.clone(), Some(self.key.clone()));
        Ok(Refund { reason, requested_by: Some(self.person), key, ..plain })
    }

    fn audit(&self, refund: &Refund, now: crate::kernel::Timestamp) -> Option<Audit> {
        let detail = json!({
            "refund": refund.id, "order": refund.order, "amount": refund.amount.to_string(), "reason": refund.reason,
        });
        let subject = refund.payment.to_string();
        self.audit.map(|id| Audit { id, operator: self.person, act: "payment.refund", subject, detail, at: now })
    }
}

/// Whether it can stand as a reason: on one line, and not too long.
pub(super) fn is_reason(text: &str) -> bool {
    text.is_empty() || is_line(text, REASON_MAX)
}

type Answer<T> = Result<Result<T, RefundRefusal>, OrdersError>;

impl Payments {
    /// Sends all that was paid for one's own paid order back. The same key gives the same refund for ever.
    pub async fn refund(&self, buyer: UserId, request: RefundRequest) -> Answer<(Arc<Order>, Refund)> {
        let Some(order) = request.order else { return Ok(Err(RefundRefusal::OrderNotFound)) };
        let wish = Wish {
            id: RefundId::generate(&self.0.clock, &self.0.rng),
            person: buyer,
            cause: RefundCause::Buyer,
            target: Target::Order(order),
            amount: None,
            reason: request.reason,
            key: request.key,
            audit: None,
            limit: None,
        };
        self.carry_out(wish).await
    }

    /// Sends all or a part of a payment back, whatever became of its order. Audited.
    pub async fn refund_payment(&self, operator: UserId, request: OperatorRefund) -> Answer<(Arc<Order>, Refund)> {
        let Some(payment) = request.payment else { return Ok(Err(RefundRefusal::PaymentNotFound)) };
        if request.reason.trim().is_empty() {
            return Ok(Err(RefundRefusal::ReasonInvalid));
        }
        let wish = Wish {
            id: RefundId::generate(&self.0.clock, &self.0.rng),
            person: operator,
            cause: RefundCause::Operator,
            target: Target::Payment(payment),
            amount: request.amount,
            reason: Some(request.reason),
            key: request.key,
            audit: Some(AuditId::generate(&self.0.clock, &self.0.rng)),
            limit: request.limit,
        };
        self.carry_out(wish).await
    }

    /// Writes the wish down; points go back at once, money by a worker.
    async fn carry_out(&self, wish: Wish) -> Answer<(Arc<Order>, Refund)> {
        match self.intend(wish).await? {
            Ok(intended) => Ok(Ok(self.with_points_returned(intended).await?)),
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn intend(&self, wish: Wish) -> Answer<(Arc<Order>, Refund)> {
        if !is_key(&wish.key) {
            return Ok(Err(RefundRefusal::KeyInvalid));
        }
        if !wish.reason.as_deref().is_none_or(is_reason) {
            return Ok(Err(RefundRefusal::ReasonInvalid));
        }
        match self.write_intent(wish.clone()).await {
            // The same key at the same moment: one of them is written, and is found now.
            Err(OrdersError::Store(StoreError::Conflict { .. })) => self.write_intent(wish).await,
            answer => answer,
        }
    }

    async fn write_intent(&self, wish: Wish) -> Answer<(Arc<Order>, Refund)> {
        let now = self.0.clock.now();
        type Written = Result<(Order, Refund, bool), RefundRefusal>;
        let written: Written = store::write!(&self.0.db, |conn| {
            let ticket = match wish.target {
                Target::Order(order) => order.ticket(),
                Target::Payment(id) => match sql::payments::find(conn, id).await? {
                    Some(payment) => payment.order.ticket(),
                    None => return Ok(Err(RefundRefusal::PaymentNotFound)),
                },
            };
            sql::orders::lock(conn, &[ticket]).await?;
            // Under the lock: who waited for the same wish finds it now.
            let known = sql::refunds::find_by_key(conn, wish.person, &wish.key).await?;
            if known.as_ref().is_some_and(|known| !wish.is_that_of(known)) {
                return Ok(Err(RefundRefusal::KeyReused));
            }
            let order = sql::orders::find(conn, ticket).await?.filter(|order| wish.may_see(order));
            let Some(order) = order else { return Ok(Err(RefundRefusal::OrderNotFound)) };
            if let Some(known) = known {
                return Ok(Ok((order, known, false)));
            }
            let payments = sql::payments::of_order(conn, ticket.order()).await?;
            let Some(payment) = payments.into_iter().find(|payment| wish.is_about(payment, &order)) else {
                return Ok(Err(RefundRefusal::NotRefundable));
            };
            let payment = sql::payments::find_locked(conn, payment.id).await?.unwrap_or(payment);
            let refund = match wish.refund(&payment, now) {
                Ok(refund) => refund,
                Err(refusal) => return Ok(Err(refusal)),
            };
            if let Some(limit) = wish.limit {
                let earlier = sql::refunds::of_order(conn, refund.order).await?;
                if let Err(refusal) = limit.check(&refund, &earlier) {
                    return Ok(Err(refusal));
                }
            }
            let actor = if wish.audit.is_some() { "operator" } else { "buyer" };
            let Some(changed) = sql::settle::intend(conn, &refund, &order, actor, now).await? else {
                return Ok(Err(RefundRefusal::NotRefundable));
            };
            if let Some(audit) = wish.audit(&refund, now) {
                sql::catalog::write_down(conn, &audit).await?;
            }
            if let Some(order) = &changed {
                let events = vec![ResultEvent::Order(order.clone())];
                sql::outbox::append(conn, &[result_event(order.sale(), events)?], now).await?;
            }
            fail_point("refund.before_commit");
            Ok(Ok((changed.unwrap_or(order), refund, true)))
        })?;
        fail_point("refund.after_commit");
        Ok(written.map(|(order, refund, new)| {
            if new {
                self.0.metrics.refunds.count("requested");
                self.0.relay.wake();
                self.0.refunds_due.notify_one();
            }
            (Arc::new(order), refund)
        }))
    }
}

impl Wish {
    /// Buyers reach their own orders, operators all.
    fn may_see(&self, order: &Order) -> bool {
        let own = matches!(self.target, Target::Payment(_)) || order.buyer == self.person;
        own && order.state.refusal().is_none()
    }

    /// Whether this is the payment whose money the wish is about.
    fn is_about(&self, payment: &Payment, order: &Order) -> bool {
        match self.target {
            Target::Order(_) => order.state == OrderState::Paid && payment.state == PaymentState::Succeeded,
            Target::Payment(id) => payment.id == id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Currency, Money, Timestamp};
    use crate::model::payments::Method;

    fn refund(amount: Amount, cause: RefundCause, state: RefundState) -> Refund {
        Refund {
            id: RefundId::from_bytes([1; 16]),
            payment: PaymentId::from_bytes([1; 16]),
            order: crate::kernel::TicketId::from_bytes([1; 28]).order(),
            method: Method::Alipay,
            amount,
            cause,
            reason: None,
            requested_by: None,
            key: None,
            gateway_number: None,
            state,
            attempts: 0,
            last_code: None,
            created_at: Timestamp::from_millis(0),
            tried_at: None,
            next_try_at: None,
            settled_at: None,
        }
    }

    #[test]
    fn refunds_by_staff_add_up_to_the_limit_of_an_order() {
        use RefundCause::{Buyer, Operator, Surplus};
        use RefundState::{Failed, Requested, Succeeded};
        let yuan = |minor| Amount::Money(Money { minor, currency: Currency::Cny });
        let limit = RefundLimit { money: 100, points: 7 };
        let asked = |amount| refund(amount, Operator, Requested);
        let above = |amount| Err(RefundRefusal::AboveLimit(amount));
        assert_eq!(limit.check(&asked(yuan(100)), &[]), Ok(()));
        assert_eq!(limit.check(&asked(yuan(101)), &[]), above(yuan(100)));
        assert_eq!(limit.check(&asked(Amount::Points(7)), &[]), Ok(()));
        assert_eq!(limit.check(&asked(Amount::Points(8)), &[]), above(Amount::Points(7)));
        let before = [refund(yuan(30), Operator, Succeeded), refund(yuan(30), Operator, Requested)];
        assert_eq!(limit.check(&asked(yuan(40)), &before), Ok(()));
        assert_eq!(limit.check(&asked(yuan(41)), &before), above(yuan(100)), "what is under way counts");
        assert_eq!(limit.check(&asked(Amount::Points(7)), &before), Ok(()), "points are no money");
        let others = [
            refund(yuan(90), Operator, Failed),
            refund(yuan(90), Buyer, Succeeded),
            refund(yuan(90), Surplus, Succeeded),
        ];
        assert_eq!(limit.check(&asked(yuan(100)), &others), Ok(()), "nothing that staff sent back");
        let huge = [refund(yuan(i64::MAX), Operator, Succeeded)];
        assert_eq!(limit.check(&asked(yuan(1)), &huge), above(yuan(100)));
        let none = RefundLimit { money: 0, points: 0 };
        assert_eq!(none.check(&asked(yuan(1)), &[]), above(yuan(0)));
    }
}
