//! Paying, and money going back.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result, SimpleObject};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::orders_fault;
use crate::api::graphql::types::orders::Order;
use crate::api::graphql::types::payments::{Payment, PaymentMethod, Refund};
use crate::api::graphql::types::scalars::{MoneyInput, Url};
use crate::api::graphql::types::user_error::user_error;
use crate::kernel::Money;
use crate::orders::{OperatorRefund, PayRefusal, PayRequest, RefundRefusal, RefundRequest};
use crate::payments::Amount;

/// What to pay, and how.
#[derive(InputObject)]
pub struct OrderPayInput {
    /// One's own order.
    pub order_id: ID,
    /// How to pay.
    pub method: PaymentMethod,
    /// Chosen by the client for this one wish to pay: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gets the same payment for ever, and goes
    /// on with one that was interrupted; a key whose attempt has ended, or that was used for something else, is refused.
    pub idempotency_key: String,
    /// Where the browser should go after paying: a path on this server, or an address of the shop.
    pub return_url: Option<Url>,
}

/// Why no payment has begun. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderPayErrorCode {
    /// The signed-in buyer has no such order.
    OrderNotFound,
    /// The order is paid, refunded or cancelled.
    OrderNotPayable,
    /// The time to pay is over.
    PaymentTooLate,
    /// The shop or the sale does not take this method.
    MethodUnavailable,
    /// The method does not take this currency or amount.
    AmountNotTaken,
    /// The sale takes no points.
    NotForPoints,
    /// The buyer can spend fewer points than the order costs.
    InsufficientPoints,
    /// The key is too short, too long, or has other characters.
    IdempotencyKeyInvalid,
    /// The key was used before for something else.
    IdempotencyKeyReused,
    /// Not an address that browsers are sent to.
    ReturnUrlInvalid,
    /// Too many attempts to pay this order were begun.
    TooManyAttempts,
    /// The attempt of this key ended without payment and took nothing. The order can still be paid, under a new key.
    AttemptEnded,
}

user_error! {
    /// Why no payment has begun.
    OrderPayUserError, OrderPayErrorCode
}

/// What came of the wish to pay.
#[derive(SimpleObject, Default)]
pub struct OrderPayPayload {
    /// The order as it is now; null when there are user errors.
    pub order: Option<Order>,
    /// The attempt; null when there are user errors.
    pub payment: Option<Payment>,
    /// Where to send the browser to pay; null when there is nothing more to do. Whether it is paid is told by `orderUpdated`, never by
    /// the browser's coming back.
    pub redirect_url: Option<Url>,
    /// Why no payment has begun; empty on success.
    pub user_errors: Vec<OrderPayUserError>,
}

impl From<PayRefusal> for OrderPayUserError {
    fn from(refusal: PayRefusal) -> Self {
        use OrderPayErrorCode as Code;
        match refusal {
            PayRefusal::OrderNotFound => Self::about(Code::OrderNotFound, "You have no such order.", "orderId"),
            PayRefusal::NotPayable => Self::whole(Code::OrderNotPayable, "This order does not wait for a payment."),
            PayRefusal::TooLate => Self::whole(Code::PaymentTooLate, "The time to pay this order is over."),
            PayRefusal::MethodUnavailable => {
                Self::about(Code::MethodUnavailable, "This order can't be paid in this way.", "method")
            }
            PayRefusal::AmountNotTaken => {
                Self::about(Code::AmountNotTaken, "This method does not take the order's currency or amount.", "method")
            }
            PayRefusal::NotForPoints => {
                Self::about(Code::NotForPoints, "This order can't be paid with points.", "method")
            }
            PayRefusal::PointsInsufficient => Self::whole(Code::InsufficientPoints, "You have too few points."),
            PayRefusal::KeyInvalid => {
                let message = "The key must be 8 to 64 characters of A-Z a-z 0-9 _ -.";
                Self::about(Code::IdempotencyKeyInvalid, message, "idempotencyKey")
            }
            PayRefusal::KeyReused => {
                let message = "This key was used before for another payment.";
                Self::about(Code::IdempotencyKeyReused, message, "idempotencyKey")
            }
            PayRefusal::ReturnUrlInvalid => {
                Self::about(Code::ReturnUrlInvalid, "This is not an address of the shop.", "returnUrl")
            }
            PayRefusal::TooManyAttempts => {
                Self::whole(Code::TooManyAttempts, "Too many attempts to pay this order were begun.")
            }
            PayRefusal::AttemptEnded => {
                let message = "This attempt has ended without payment. Please pay again with a new key.";
                Self::about(Code::AttemptEnded, message, "idempotencyKey")
            }
        }
    }
}

/// Which order's money should come back.
#[derive(InputObject)]
pub struct OrderRefundInput {
    /// One's own paid order.
    pub order_id: ID,
    /// Why, for the shop: at most 500 characters.
    pub reason: Option<String>,
    /// Chosen by the client for this one wish: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gets the same refund for ever.
    pub idempotency_key: String,
}

/// Why no money goes back. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderRefundErrorCode {
    /// The signed-in buyer has no such order.
    OrderNotFound,
    /// The order is not paid, or its money is on its way back already.
    OrderNotRefundable,
    /// The reason is too long or has control characters.
    ReasonInvalid,
    /// The key is too short, too long, or has other characters.
    IdempotencyKeyInvalid,
    /// The key was used before for something else.
    IdempotencyKeyReused,
}

user_error! {
    /// Why no money goes back.
    OrderRefundUserError, OrderRefundErrorCode
}

/// What came of the wish to get the money back.
#[derive(SimpleObject, Default)]
pub struct OrderRefundPayload {
    /// The order as it is now; null when there are user errors.
    pub order: Option<Order>,
    /// The refund; null when there are user errors. Its outcome is pushed to `orderUpdated`.
    pub refund: Option<Refund>,
    /// Why no money goes back; empty on success.
    pub user_errors: Vec<OrderRefundUserError>,
}

impl From<RefundRefusal> for OrderRefundUserError {
    fn from(refusal: RefundRefusal) -> Self {
        use OrderRefundErrorCode as Code;
        match refusal {
            RefundRefusal::OrderNotFound | RefundRefusal::PaymentNotFound => {
                Self::about(Code::OrderNotFound, "You have no such order.", "orderId")
            }
            RefundRefusal::NotRefundable | RefundRefusal::AmountInvalid => {
                Self::whole(Code::OrderNotRefundable, "There is nothing of this order to be paid back.")
            }
            RefundRefusal::ReasonInvalid => Self::about(Code::ReasonInvalid, REASON, "reason"),
            RefundRefusal::KeyInvalid => Self::about(Code::IdempotencyKeyInvalid, KEY, "idempotencyKey"),
            RefundRefusal::KeyReused => Self::about(Code::IdempotencyKeyReused, REUSED, "idempotencyKey"),
        }
    }
}

const REASON: &str = "The reason must be at most 500 characters on one line, and must not be missing for operators.";
const KEY: &str = "The key must be 8 to 64 characters of A-Z a-z 0-9 _ -.";
const REUSED: &str = "This key was used before for another refund.";

/// Which payment's money should go back.
#[derive(InputObject)]
pub struct PaymentRefundInput {
    /// The payment.
    pub payment_id: ID,
    /// How much; all that is left when absent. Payments in points go back whole.
    pub amount: Option<MoneyInput>,
    /// Why, for the audit log: 1 to 500 characters.
    pub reason: String,
    /// Chosen by the client for this one decision: 8 to 64 of `A-Z a-z 0-9 _ -`. The same key gets the same refund for ever.
    pub idempotency_key: String,
}

/// Why no money goes back. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaymentRefundErrorCode {
    /// There is no such payment.
    PaymentNotFound,
    /// It brought no money, or all of it went back or is on its way.
    PaymentNotRefundable,
    /// Not a plain decimal number above zero, of the payment's currency, and at most what is left.
    AmountInvalid,
    /// The reason is missing, too long, or has control characters.
    ReasonInvalid,
    /// The key is too short, too long, or has other characters.
    IdempotencyKeyInvalid,
    /// The key was used before for something else.
    IdempotencyKeyReused,
}

user_error! {
    /// Why no money goes back.
    PaymentRefundUserError, PaymentRefundErrorCode
}

/// What came of an operator's refund.
#[derive(SimpleObject, Default)]
pub struct PaymentRefundPayload {
    /// The order as it is now; null when there are user errors.
    pub order: Option<Order>,
    /// The refund; null when there are user errors.
    pub refund: Option<Refund>,
    /// Why no money goes back; empty on success.
    pub user_errors: Vec<PaymentRefundUserError>,
}

impl From<RefundRefusal> for PaymentRefundUserError {
    fn from(refusal: RefundRefusal) -> Self {
        use PaymentRefundErrorCode as Code;
        match refusal {
            RefundRefusal::OrderNotFound | RefundRefusal::PaymentNotFound => {
                Self::about(Code::PaymentNotFound, "There is no such payment.", "paymentId")
            }
            RefundRefusal::NotRefundable => {
                Self::whole(Code::PaymentNotRefundable, "There is nothing of this payment to be paid back.")
            }
            RefundRefusal::AmountInvalid => {
                Self::about(Code::AmountInvalid, "The amount must be above zero and at most what is left.", "amount")
            }
            RefundRefusal::ReasonInvalid => Self::about(Code::ReasonInvalid, REASON, "reason"),
            RefundRefusal::KeyInvalid => Self::about(Code::IdempotencyKeyInvalid, KEY, "idempotencyKey"),
            RefundRefusal::KeyReused => Self::about(Code::IdempotencyKeyReused, REUSED, "idempotencyKey"),
        }
    }
}

/// Mutations of payments.
#[derive(Default)]
pub struct PaymentsMutation;

#[Object]
impl PaymentsMutation {
    /// Begins to pay one's own order. With ALIPAY the answer says where to send the browser; with POINTS it is settled at once.
    async fn order_pay(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to pay, and how.")] input: OrderPayInput,
    ) -> Result<OrderPayPayload> {
        let viewer = ctx.require_viewer()?;
        let request = PayRequest {
            order: input.order_id.parse().ok(),
            method: input.method.into(),
            key: input.idempotency_key,
            return_url: input.return_url.map(|url| url.0),
        };
        let answer = ctx.services().orders.pay(viewer.id, request).await.map_err(|error| orders_fault(&error))?;
        Ok(match answer {
            Ok(begun) => OrderPayPayload {
                order: Some(Order(begun.order)),
                payment: Some(Payment(begun.payment)),
                redirect_url: begun.redirect_url.map(Url),
                user_errors: Vec::new(),
            },
            Err(refusal) => OrderPayPayload { user_errors: vec![refusal.into()], ..OrderPayPayload::default() },
        })
    }

    /// Asks for all the money of one's own paid order back. The order is REFUNDING until the money is back, then REFUNDED; or PAID
    /// again, if the gateway refuses for good.
    async fn order_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which order's money should come back.")] input: OrderRefundInput,
    ) -> Result<OrderRefundPayload> {
        let viewer = ctx.require_viewer()?;
        let request =
            RefundRequest { order: input.order_id.parse().ok(), reason: input.reason, key: input.idempotency_key };
        let answer = ctx.services().orders.refund(viewer.id, request).await.map_err(|error| orders_fault(&error))?;
        Ok(match answer {
            Ok((order, refund)) => {
                OrderRefundPayload { order: Some(Order(order)), refund: Some(Refund(refund)), user_errors: Vec::new() }
            }
            Err(refusal) => OrderRefundPayload { user_errors: vec![refusal.into()], ..OrderRefundPayload::default() },
        })
    }

    /// Operators: sends all or a part of a payment back, whatever became of its order. Audited.
    async fn payment_refund(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which payment's money should go back.")] input: PaymentRefundInput,
    ) -> Result<PaymentRefundPayload> {
        let operator = ctx.require_operator()?;
        let refused =
            |refusal: RefundRefusal| PaymentRefundPayload { user_errors: vec![refusal.into()], ..Default::default() };
        let amount = match input.amount {
            None => None,
            Some(MoneyInput { amount, currency_code }) => match Money::parse(&amount.0, currency_code.into()) {
                Ok(money) => Some(Amount::Money(money)),
                Err(_) => return Ok(refused(RefundRefusal::AmountInvalid)),
            },
        };
        let request = OperatorRefund {
            payment: input.payment_id.parse().ok(),
            amount,
            reason: input.reason,
            key: input.idempotency_key,
        };
        let orders = &ctx.services().orders;
        let answer = orders.refund_payment(operator.id, request).await.map_err(|error| orders_fault(&error))?;
        Ok(match answer {
            Ok((order, refund)) => PaymentRefundPayload {
                order: Some(Order(order)),
                refund: Some(Refund(refund)),
                user_errors: Vec::new(),
            },
            Err(refusal) => refused(refusal),
        })
    }
}
