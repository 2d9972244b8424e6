//! Paying orders with loyalty points, and refunding them. Each is a global transaction whose commit point is the
//! transition of the order. The payment's ID is the transaction's, which also finds the debit for a refund.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;

use super::Payments;
use super::pay::{Begun, PayRefusal, PayRequest};
use crate::kernel::{OrderId, PaymentId, UserId, Xid};
use crate::model::orders::{Order, OrderState};
use crate::model::payments::{Amount, LogEntry, Payment, Refund};
use crate::model::points::{Direction, INSUFFICIENT};
use crate::model::results::ResultEvent;
use crate::model::tcc::{BranchKey, GlobalState, NOT_DECIDED, Transaction};
use crate::orders::OrdersError;
use crate::orders::record::result_event;
use crate::payments::{Method, PaymentState, RefundState};
use crate::points::{Hold, PARTICIPANT};
use crate::store::{self, StoreError};
use crate::tcc::{Attempt, Initiator};
use crate::telemetry::OrderEvent;

/// Paying an order; its arguments name the payment.
const PAY: &str = "order.pay";
/// Giving a payment back; its arguments name the refund.
const REFUND: &str = "order.refund";

type Answer<T> = Result<Result<T, PayRefusal>, OrdersError>;

/// The debit by which the order was paid.
fn debit_of(payment: PaymentId) -> BranchKey {
    BranchKey { xid: Xid::from_bytes(payment.to_bytes()), branch: 1 }
}

impl Payments {
    /// Pays one's own order with points, now or not at all. The same key and input give the same answer for ever.
    pub(super) async fn pay_with_points(&self, buyer: UserId, order: OrderId, request: PayRequest) -> Answer<Begun> {
        let (known, found) = self.attempt_and_order(buyer, order, request.key.clone()).await?;
        if let Some(known) = known {
            return self.repeat_with_points(buyer, order, &request, known).await;
        }
        let Some(found) = found else { return Ok(Err(PayRefusal::OrderNotFound)) };
        let Some(points) = found.points_total() else { return Ok(Err(PayRefusal::NotForPoints)) };
        let PayRequest { key, return_url, .. } = request.clone();
        let payment = self.new_attempt(&found, Method::Points, Amount::Points(points), key, return_url);
        let hold = Hold { user: buyer, points: points as i64, direction: Direction::Debit, subject: order.to_string() };
        let args = json!({ "payment": payment.id }).to_string();
        let transaction = self.0.tcc.open(debit_of(payment.id).xid, PAY, args, vec![(PARTICIPANT, hold.encode())]);
        // It was begun in time; how long it may take from here is the transaction's affair. Until then the order does not expire.
        let payment = Payment { expires_at: transaction.deadline, ..payment };
        self.0.tcc.pass("before_begin").await;
        match self.begin(payment.clone(), Some(transaction.clone())).await {
            Ok(Ok(_)) => {}
            Ok(Err(refusal)) => return Ok(Err(refusal)),
            // The same key at the same moment: one of them is written.
            Err(OrdersError::Store(StoreError::Conflict { .. })) => {
                let key = payment.key;
                let known = store::read!(&self.0.db, |conn| sql::payments::find_by_key(conn, buyer, &key).await)?;
                return match known {
                    Some(known) => self.repeat_with_points(buyer, order, &request, known).await,
                    None => Ok(Err(PayRefusal::NotPayable)),
                };
            }
            Err(error) => return Err(error),
        }
        self.0.tcc.pass("after_begin").await;
        self.finish_with_points(payment, transaction).await
    }

    async fn repeat_with_points(
        &self,
        buyer: UserId,
        order: OrderId,
        request: &PayRequest,
        known: Payment,
    ) -> Answer<Begun> {
        match self.repeat(buyer, order, Method::Points, request.return_url.as_deref(), known).await? {
            Ok(begun) => match begun.payment.state {
                PaymentState::Pending => self.take_up(begun.payment).await,
                PaymentState::Failed => Ok(Err(PayRefusal::PointsInsufficient)),
                _ => Ok(Ok(begun)),
            },
            refused => Ok(refused),
        }
    }

    /// The same wish again, before the first one came to its end, because its process or the database went away or because it is still
    /// under way. Every step may be done twice, so this one goes on wherever that one is.
    async fn take_up(&self, payment: Payment) -> Answer<Begun> {
        let xid = debit_of(payment.id).xid;
        let found = self.0.tcc.find(xid).await?;
        let transaction = found.ok_or_else(|| StoreError::internal("a payment has no transaction"))?;
        match transaction.state {
            GlobalState::Trying => self.finish_with_points(payment, transaction).await,
            // Decided since the payment was read.
            GlobalState::Confirming | GlobalState::Confirmed => self.paid_with_points(payment.id).await,
            GlobalState::Cancelling | GlobalState::Cancelled => {
                self.0.tcc.finish(xid, self).await?;
                Ok(Err(self.why_ended(payment.order).await?))
            }
        }
    }

    /// Try, the commit point, Confirm.
    async fn finish_with_points(&self, payment: Payment, transaction: Transaction) -> Answer<Begun> {
        let tcc = &self.0.tcc;
        match tcc.attempt(&transaction, self).await? {
            Attempt::Ready => {}
            Attempt::Rejected(_) => return Ok(Err(PayRefusal::PointsInsufficient)),
            Attempt::TooLate => return Ok(Err(self.why_ended(payment.order).await?)),
        }
        tcc.pass("before_decide").await;
        let decided = self.decide_payment(&payment, &transaction).await;
        tcc.pass("after_decide").await;
        let paid = decided.as_ref().ok().cloned().flatten();
        // The same wish may be under way twice; the other one has paid then.
        let by_another = matches!(decided, Ok(None));
        if !tcc.conclude(transaction, decided.map(|paid| paid.is_some()), self).await? {
            return Ok(Err(self.why_ended(payment.order).await?));
        }
        if !by_another {
            self.0.metrics.payments.count("succeeded");
            self.0.metrics.orders.count("paid");
            if let Some((order, _)) = &paid {
                // Points are no money.
                self.0.metrics.watched.events.happened(order.sale(), OrderEvent::Paid, order.quantity, 0);
            }
        }
        self.0.relay.wake();
        self.0.checks_due.notify_one();
        match paid {
            Some((order, payment)) => Ok(Ok(Begun { order: Arc::new(order), payment, redirect_url: None })),
            // Or the commit's answer got lost, and it was committed.
            None => self.paid_with_points(payment.id).await,
        }
    }

    /// The answer when the decision to pay has been committed.
    async fn paid_with_points(&self, id: PaymentId) -> Answer<Begun> {
        let payment = self.payment(id).await?;
        let order = match &payment {
            Some(payment) => self.0.orders.find(payment.order.ticket()).await?,
            None => None,
        };
        match (order, payment) {
            (Some(order), Some(payment)) => Ok(Ok(Begun { order, payment, redirect_url: None })),
            _ => Err(StoreError::internal("a payment is missing").into()),
        }
    }

    /// The commit point: the order is paid, and the transaction is decided, or neither. The order and the payment as they are then; `None`
    /// when the order can't be paid any more.
    async fn decide_payment(
        &self,
        payment: &Payment,
        transaction: &Transaction,
    ) -> Result<Option<(Order, Payment)>, StoreError> {
        let (payment, ticket, xid) = (payment.clone(), payment.order.ticket(), transaction.xid);
        let (clock, retry_at) = (self.0.clock.clone(), self.0.tcc.retry_at());
        store::write!(&self.0.db, |conn| {
            sql::orders::lock(conn, &[ticket]).await?;
            // As late as possible: waiting for the lock takes time too.
            let now = clock.now();
            let (from, to) = (OrderState::AwaitingPayment, OrderState::Paid);
            let Some(order) = sql::orders::advance(conn, ticket, from, to, now).await? else { return Ok(None) };
            let (id, units) = (payment.id, payment.amount.units());
            let (from, to) = (PaymentState::Pending, PaymentState::Succeeded);
            if !sql::payments::advance(conn, id, from, to, units, None, now).await? {
                // It is cancelled: nothing of this may stand.
                return Err(StoreError::Conflict { constraint: NOT_DECIDED.into() });
            }
            let entry = LogEntry::new(now, "points", "settled", Some(from.as_str()), to.as_str());
            sql::payments::log(conn, id, &entry).await?;
            sql::payments::hurry_others(conn, ticket.order(), id, now).await?;
            sql::held::note_paid(conn, ticket.sale, order.quantity).await?;
            let event = result_event(ticket.sale, vec![ResultEvent::Order(order.clone())])?;
            sql::outbox::append(conn, &[event], now).await?;
            sql::tcc::decide(conn, xid, now, retry_at).await?;
            let settled_at = Some(now);
            Ok(Some((order, Payment { state: to, captured: units, settled_at, next_check_at: None, ..payment })))
        })
    }

    /// The order is cancelled: what its undecided payments with points have set aside is free again. What does not work now, recovery does.
    pub(super) async fn drop_point_payments(&self, order: OrderId) -> Result<(), OrdersError> {
        let open = |payment: &Payment| payment.method == Method::Points && payment.state == PaymentState::Pending;
        for payment in self.payments_of(order).await?.into_iter().filter(open) {
            self.0.tcc.abort(debit_of(payment.id).xid, "the order is cancelled", self).await?;
        }
        Ok(())
    }

    /// Gives points back at once, if nobody else is at it. What does not work now is tried again, as another transaction: it can't be
    /// refused for good.
    pub(super) async fn return_points(&self, refund: &Refund) -> Result<(), OrdersError> {
        let Some(payment) = self.begin_return(refund).await? else { return Ok(()) };
        let xid = Xid::generate(&self.0.clock, &self.0.rng);
        let hold = Hold {
            user: payment.buyer,
            points: refund.amount.units() as i64,
            direction: Direction::Credit { of: debit_of(payment.id) },
            subject: payment.order.to_string(),
        };
        let args = json!({ "refund": refund.id }).to_string();
        let transaction = self.0.tcc.open(xid, REFUND, args, vec![(PARTICIPANT, hold.encode())]);
        let begun = transaction.clone();
        store::write!(&self.0.db, |conn| sql::tcc::begin(conn, &begun).await)?;
        self.0.tcc.pass("refund_after_begin").await;
        match self.0.tcc.attempt(&transaction, self).await? {
            Attempt::Ready => {}
            Attempt::Rejected(reason) => {
                // An earlier try that died holds them until its deadline.
                tracing::warn!(refund = %refund.id, reason, "could not refund points yet");
                return Ok(());
            }
            Attempt::TooLate => return Ok(()),
        }
        self.0.tcc.pass("refund_before_decide").await;
        let decided = self.decide_refund(refund, &transaction).await;
        self.0.tcc.pass("refund_after_decide").await;
        if self.0.tcc.conclude(transaction, decided, self).await? {
            self.0.metrics.refunds.count("succeeded");
            self.0.relay.wake();
        }
        Ok(())
    }

    /// Marks the refund as being worked on, until it is due again. `None`: somebody else does.
    async fn begin_return(&self, refund: &Refund) -> Result<Option<Payment>, OrdersError> {
        let (refund, now) = (refund.clone(), self.0.clock.now());
        let next = now.plus(*self.0.payments.now().refund_check_after);
        Ok(store::write!(&self.0.db, |conn| {
            if !sql::refunds::begin_try(conn, &refund, now, next).await? {
                return Ok(None);
            }
            let (from, to) = (refund.state.as_str(), RefundState::Processing.as_str());
            sql::refunds::log(conn, refund.id, &LogEntry::new(now, "points", "asked", Some(from), to)).await?;
            sql::payments::find(conn, refund.payment).await
        })?)
    }

    /// The commit point: the refund has succeeded, the order and its units follow, and the transaction is decided; or none of it.
    async fn decide_refund(&self, refund: &Refund, transaction: &Transaction) -> Result<bool, StoreError> {
        let ticket = refund.order.ticket();
        let restocks = self.0.orders.restocks(ticket.sale).await?;
        let (refund, xid, now) = (refund.clone(), transaction.xid, self.0.clock.now());
        let (retry_at, refunded) = (self.0.tcc.retry_at(), refund.clone());
        let decided = store::write!(&self.0.db, |conn| {
            sql::orders::lock(conn, &[ticket]).await?;
            sql::payments::lock(conn, refund.payment).await?;
            let open = sql::refunds::find(conn, refund.id).await?.is_some_and(|refund| !refund.state.is_final());
            if !open {
                return Ok(None);
            }
            let to = RefundState::Succeeded;
            let (changed, returned) = sql::settle::end_refund(conn, &refund, to, None, "points", now).await?;
            if let Some(order) = &changed {
                let mut events = vec![ResultEvent::Order(order.clone())];
                if order.state == OrderState::Refunded && restocks {
                    let stock = sql::orders::restock(conn, order.sale(), order.quantity, now).await?;
                    events.push(ResultEvent::Stock(stock));
                }
                sql::outbox::append(conn, &[result_event(order.sale(), events)?], now).await?;
            }
            sql::tcc::decide(conn, xid, now, retry_at).await?;
            Ok(Some((changed, returned)))
        })?;
        if let Some((changed, returned)) = &decided {
            self.note_returned(&refunded, changed.as_ref(), *returned);
        }
        Ok(decided.is_some())
    }

    /// The refund and its order once the points of a fresh one are back, or as they are.
    pub(super) async fn with_points_returned(
        &self,
        (order, refund): (Arc<Order>, Refund),
    ) -> Result<(Arc<Order>, Refund), OrdersError> {
        if refund.method != Method::Points || refund.state != RefundState::Requested {
            return Ok((order, refund));
        }
        // It is written down: what does not work now, the worker does.
        if let Err(error) = self.return_points(&refund).await {
            tracing::warn!(refund = %refund.id, %error, "points are not refunded yet");
        }
        let id = refund.id;
        let now = store::read!(&self.0.db, |conn| sql::refunds::find(conn, id).await)?.unwrap_or(refund);
        Ok((self.0.orders.find(order.ticket).await?.unwrap_or(order), now))
    }
}

/// The rest of a cancelled transaction.
#[async_trait]
impl Initiator for Payments {
    async fn cancelled(&self, transaction: &Transaction) -> Result<(), StoreError> {
        if transaction.kind != PAY {
            // A refund stands; it is tried again when it is due.
            return Ok(());
        }
        let args: serde_json::Value = serde_json::from_str(&transaction.args).map_err(StoreError::internal_by)?;
        let id: Option<PaymentId> = args["payment"].as_str().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| StoreError::internal("a transaction has no payment"))?;
        let rejected = transaction.reason.as_deref() == Some(INSUFFICIENT);
        let (now, reason) = (self.0.clock.now(), transaction.reason.clone());
        store::write!(&self.0.db, |conn| {
            let from = PaymentState::Pending;
            let to = if rejected { PaymentState::Failed } else { PaymentState::Closed };
            if sql::payments::advance(conn, id, from, to, 0, None, now).await? {
                let entry = LogEntry::new(now, "points", "settled", Some(from.as_str()), to.as_str());
                sql::payments::log(conn, id, &LogEntry { detail: reason, ..entry }).await?;
            }
            Ok(())
        })
    }
}
