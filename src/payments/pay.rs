//! Starting a payment. The row of the attempt, with its number, is committed before the number is sent to anyone.

use std::sync::Arc;

use super::Payments;
use crate::gateway::{PageError, PageRequest, PaymentGateway};
use crate::kernel::{OrderId, PaymentId, Timestamp, UserId};
use crate::model::orders::{Order, OrderState, is_key};
use crate::model::payments::{Amount, LogEntry, Payment};
use crate::model::tcc::Transaction;
use crate::orders::{OrdersError, fail_point};
use crate::payments::{Method, PaymentState};
use crate::store::{self, StoreError};

/// A wish to pay.
#[derive(Debug, Clone)]
pub struct PayRequest {
    /// The order; `None` when what was sent is no order's id.
    pub order: Option<OrderId>,
    /// How.
    pub method: Method,
    /// The client's key for this wish.
    pub key: String,
    /// Where the browser should go afterwards.
    pub return_url: Option<String>,
}

/// An attempt to pay that has begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// The order as it is now.
    pub order: Arc<Order>,
    /// The attempt as it is now.
    pub payment: Payment,
    /// Where to send the browser, as long as it can pay there.
    pub redirect_url: Option<String>,
}

/// Why nothing has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayRefusal {
    /// The buyer has no such order.
    OrderNotFound,
    /// It is paid, refunded or closed.
    NotPayable,
    /// The time to pay is over.
    TooLate,
    /// The shop or the sale does not take this method.
    MethodUnavailable,
    /// The method does not take this currency or amount.
    AmountNotTaken,
    /// Not 8 to 64 of `A-Z a-z 0-9 _ -`.
    KeyInvalid,
    /// The key was used for something else.
    KeyReused,
    /// Not an address that browsers may be sent to.
    ReturnUrlInvalid,
    /// Too many attempts for this order.
    TooManyAttempts,
    /// The attempt of this key ended without payment, and the order still waits: it takes a new key.
    AttemptEnded,
    /// The sale takes no points.
    NotForPoints,
    /// Fewer points than it costs.
    PointsInsufficient,
}

/// The actions that a buyer can take on an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Give its units back, unpaid.
    Cancel,
    /// Begin to pay it at Alipay.
    PayAlipay,
    /// Pay it with points.
    PayPoints,
    /// Get the money back.
    Refund,
}

type Answer<T> = Result<Result<T, PayRefusal>, OrdersError>;

impl Payments {
    /// Begins to pay one's own order. The same key and input give the same attempt for ever: as it stands, or the reason why it ended.
    pub async fn pay(&self, buyer: UserId, request: PayRequest) -> Answer<Begun> {
        if !is_key(&request.key) {
            return Ok(Err(PayRefusal::KeyInvalid));
        }
        if request.return_url.as_deref().is_some_and(|url| !self.may_return_to(url)) {
            return Ok(Err(PayRefusal::ReturnUrlInvalid));
        }
        let Some(order) = request.order else { return Ok(Err(PayRefusal::OrderNotFound)) };
        match request.method {
            Method::Alipay => self.pay_with_alipay(buyer, order, request).await,
            Method::Points => self.pay_with_points(buyer, order, request).await,
        }
    }

    async fn pay_with_alipay(&self, buyer: UserId, order: OrderId, request: PayRequest) -> Answer<Begun> {
        let (return_url, key) = (request.return_url, request.key);
        let (known, found) = self.attempt_and_order(buyer, order, key.clone()).await?;
        if let Some(known) = known {
            return self.repeat(buyer, order, Method::Alipay, return_url.as_deref(), known).await;
        }
        let Some(found) = found else { return Ok(Err(PayRefusal::OrderNotFound)) };
        let payment = self.new_attempt(&found, Method::Alipay, Amount::Money(found.total()), key, return_url);
        // What the gateway would not take is refused before anything is written.
        if let Err(refusal) = self.page_of(&found, &payment) {
            return Ok(Err(refusal));
        }
        match self.begin(payment.clone(), None).await {
            Ok(Ok(begun)) => Ok(Ok(self.begun(begun))),
            Ok(Err(refusal)) => Ok(Err(refusal)),
            // The same key at the same moment: one of them is written.
            Err(OrdersError::Store(StoreError::Conflict { .. })) => {
                let key = payment.key.clone();
                let known = store::read!(&self.0.db, |conn| sql::payments::find_by_key(conn, buyer, &key).await)?;
                match known {
                    Some(known) => {
                        self.repeat(buyer, order, Method::Alipay, payment.return_url.as_deref(), known).await
                    }
                    None => Ok(Err(PayRefusal::NotPayable)),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The attempt that the buyer's key belongs to, and the buyer's own order.
    pub(super) async fn attempt_and_order(
        &self,
        buyer: UserId,
        order: OrderId,
        key: String,
    ) -> Result<(Option<Payment>, Option<Order>), OrdersError> {
        let (known, found) = store::read!(&self.0.db, |conn| {
            let known = sql::payments::find_by_key(conn, buyer, &key).await?;
            Ok((known, sql::orders::find(conn, order.ticket()).await?))
        })?;
        Ok((known, found.filter(|found| found.buyer == buyer && found.state.refusal().is_none())))
    }

    /// A new attempt for the order, not written down yet.
    pub(super) fn new_attempt(
        &self,
        order: &Order,
        method: Method,
        amount: Amount,
        key: String,
        return_url: Option<String>,
    ) -> Payment {
        let now = self.0.clock.now();
        Payment {
            id: PaymentId::generate(&self.0.clock, &self.0.rng),
            order: order.ticket.order(),
            buyer: order.buyer,
            key,
            method,
            amount,
            state: PaymentState::Pending,
            gateway_trade_no: None,
            return_url,
            captured: 0,
            refund_pending: 0,
            refunded: 0,
            flag: None,
            created_at: now,
            expires_at: order.pay_before,
            settled_at: None,
            next_check_at: (method == Method::Alipay)
                .then(|| now.plus(*self.0.payments.now().check_after).min(order.pay_before)),
            checks: 0,
        }
    }

    /// Writes the attempt down, if the order can still be paid. The order's row is locked: it is not closed meanwhile, and who closes
    /// it afterwards finds the attempt.
    /// `transaction` is the one that will settle it, if one will.
    pub(super) async fn begin(
        &self,
        payment: Payment,
        transaction: Option<Transaction>,
    ) -> Answer<(Arc<Order>, Payment)> {
        let (clock, attempts_max) = (self.0.clock.clone(), self.0.payments.now().attempts_max);
        let begun: Result<(Order, Payment), PayRefusal> = store::write!(&self.0.db, |conn| {
            let ticket = payment.order.ticket();
            let Some(order) = sql::orders::find_locked(conn, ticket).await? else {
                return Ok(Err(PayRefusal::OrderNotFound));
            };
            // As late as possible: waiting for the lock takes time too.
            let now = clock.now();
            if let Err(refusal) = payable(&order, now) {
                // Who waited for the same wish finds that one has been carried out.
                let same = sql::payments::find_by_key(conn, payment.buyer, &payment.key).await?;
                return if same.is_some() { Err(key_is_taken()) } else { Ok(Err(refusal)) };
            }
            if sql::payments::count_of_order(conn, payment.order).await? >= attempts_max {
                return Ok(Err(PayRefusal::TooManyAttempts));
            }
            sql::payments::insert(conn, &payment).await?;
            let entry = LogEntry::new(now, "buyer", "begun", None, payment.state.as_str());
            sql::payments::log(conn, payment.id, &entry).await?;
            if let Some(transaction) = &transaction {
                sql::tcc::begin(conn, transaction).await?;
            }
            fail_point("pay.before_commit");
            Ok(Ok((order, payment)))
        })?;
        fail_point("pay.after_commit");
        Ok(begun.map(|(order, payment)| {
            self.0.metrics.payments.count("begun");
            (Arc::new(order), payment)
        }))
    }

    /// The answer to a key that is known.
    pub(super) async fn repeat(
        &self,
        buyer: UserId,
        order: OrderId,
        method: Method,
        return_url: Option<&str>,
        known: Payment,
    ) -> Answer<Begun> {
        let same = known.order == order && known.method == method && known.return_url.as_deref() == return_url;
        if !same {
            return Ok(Err(PayRefusal::KeyReused));
        }
        match self.0.orders.find(order.ticket()).await?.filter(|found| found.buyer == buyer) {
            Some(_) if known.state == PaymentState::Closed => Ok(Err(self.why_ended(order).await?)),
            Some(found) => Ok(Ok(self.begun((found, known)))),
            None => Ok(Err(PayRefusal::OrderNotFound)),
        }
    }

    /// Why an attempt that ended without payment can't be resumed.
    pub(super) async fn why_ended(&self, order: OrderId) -> Result<PayRefusal, OrdersError> {
        let found = self.0.orders.find(order.ticket()).await?;
        let refusal = found.and_then(|order| payable(&order, self.0.clock.now()).err());
        Ok(refusal.unwrap_or(PayRefusal::AttemptEnded))
    }

    /// The actions that the buyer can take now. All others would be rejected.
    pub async fn actions(&self, order: &Order) -> Result<Vec<Action>, OrdersError> {
        let now = self.0.clock.now();
        match order.state {
            OrderState::Paid => Ok(vec![Action::Refund]),
            OrderState::AwaitingPayment if payable(order, now).is_ok() => {
                let id = order.ticket.order();
                let begun = store::read!(&self.0.db, |conn| sql::payments::count_of_order(conn, id).await)?;
                let more = begun < self.0.payments.now().attempts_max;
                let takes = |gateway: &Arc<dyn PaymentGateway>| gateway.takes(order.total()).is_ok();
                let alipay = more && self.0.gateway.as_ref().is_some_and(takes);
                let points = more && order.points_total().is_some();
                let ways = [(true, Action::Cancel), (alipay, Action::PayAlipay), (points, Action::PayPoints)];
                Ok(ways.into_iter().filter_map(|(possible, action)| possible.then_some(action)).collect())
            }
            OrderState::AwaitingPayment => Ok(vec![Action::Cancel]),
            _ => Ok(Vec::new()),
        }
    }

    /// Where the buyer goes on paying an attempt that has begun; `None` when it can't be paid there any more.
    pub async fn page_of_attempt(&self, buyer: UserId, payment: &Payment) -> Result<Option<String>, OrdersError> {
        if payment.state != PaymentState::Pending || payment.method != Method::Alipay {
            return Ok(None);
        }
        let order = self.0.orders.find(payment.order.ticket()).await?.filter(|order| order.buyer == buyer);
        Ok(order.and_then(|order| self.begun((order, payment.clone())).redirect_url))
    }

    fn begun(&self, (order, payment): (Arc<Order>, Payment)) -> Begun {
        let open = payment.state == PaymentState::Pending && payment.method == Method::Alipay;
        let redirect_url = if open { self.page_of(&order, &payment).ok() } else { None };
        Begun { order, payment, redirect_url }
    }

    /// The page where the attempt is paid. It depends on what is stored alone, so asking again gives the same one.
    fn page_of(&self, order: &Order, payment: &Payment) -> Result<String, PayRefusal> {
        let gateway = self.0.gateway.as_ref().ok_or(PayRefusal::MethodUnavailable)?;
        let amount = payment.amount.money().ok_or(PayRefusal::AmountNotTaken)?;
        let request = PageRequest {
            number: payment.number(),
            amount,
            subject: format!("{} {}", order.product_name, order.number()),
            at: payment.created_at,
            expires_at: payment.expires_at,
        };
        gateway.page_url(&request).map_err(|error| match error {
            PageError::Currency | PageError::Amount => PayRefusal::AmountNotTaken,
        })
    }

    /// Browsers are sent only to the shop's own pages: who makes a link must not choose where it leads.
    fn may_return_to(&self, url: &str) -> bool {
        let config = self.0.payments.now();
        let origins = config.return_origins.iter().chain([&config.public_url]);
        let plain = url.len() <= 2_048 && url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let own_path = url.starts_with('/') && !url.starts_with("//");
        let own_origin = origins.filter(|origin| !origin.is_empty()).any(|origin| {
            let rest = url.strip_prefix(origin.trim_end_matches('/'));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
        });
        plain && (own_path || own_origin)
    }
}

/// As the schema says it to who comes second.
fn key_is_taken() -> StoreError {
    StoreError::Conflict { constraint: "payments_by_key".into() }
}

/// Whether the order can be paid now.
fn payable(order: &Order, now: Timestamp) -> Result<(), PayRefusal> {
    match order.state {
        OrderState::AwaitingPayment if now < order.pay_before => Ok(()),
        OrderState::AwaitingPayment | OrderState::Expired => Err(PayRefusal::TooLate),
        _ => Err(PayRefusal::NotPayable),
    }
}
