//! Payments and refunds, as seen by buyers, and with logs for operators.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::int::{clamped, exact};
use super::objects::{Order, User};
pub use super::objects::{Payment, Refund};
use super::scalars::{DateTime, Money, Url};
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, accounts_fault, orders_fault};
use crate::model::payments::{LogEntry, StoredNotification};
use crate::payments::{self, Flag, Method, PaymentState, RefundCause, RefundState};

/// How an order is paid.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Method")]
pub enum PaymentMethod {
    /// Alipay. The browser is redirected to Alipay's cashier page.
    Alipay,
    /// The shop's loyalty points. Such payments are settled immediately.
    Points,
}

/// The status of a payment attempt.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "PaymentState")]
pub enum PaymentStatus {
    /// The payment has not been made, or its outcome is not known yet.
    Pending,
    /// The payment succeeded and pays the order.
    Succeeded,
    /// The payment was rejected.
    Failed,
    /// The attempt ended without a payment.
    Closed,
    /// Money was received but does not pay the order. Late and duplicate payments are refunded automatically; an
    /// amount other than the one requested is refunded by an operator.
    Surplus,
}

/// The status of a refund.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// The refund is in progress.
    Pending,
    /// The money has been returned.
    Succeeded,
    /// The gateway rejected the refund permanently. The payment is flagged for operators.
    Failed,
}

impl From<RefundState> for RefundStatus {
    fn from(state: RefundState) -> Self {
        match state {
            RefundState::Requested | RefundState::Processing => Self::Pending,
            RefundState::Succeeded => Self::Succeeded,
            RefundState::Failed => Self::Failed,
        }
    }
}

/// Why a refund was made.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "RefundCause")]
pub enum PaymentRefundCause {
    /// The buyer requested it.
    Buyer,
    /// An operator requested it.
    Operator,
    /// The payment arrived after its order was closed.
    LatePayment,
    /// The order was already paid by another payment.
    Surplus,
    /// It was made on the payment gateway's own site, and an operator recorded it (`billDifferenceBook`).
    External,
}

/// A condition that needs an operator's attention.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Flag")]
pub enum PaymentFlag {
    /// The gateway received an amount other than the one requested. It does not pay the order, and stays until an operator refunds it.
    AmountMismatch,
    /// The gateway closed or refunded a payment that is recorded as paid, without a request from the shop.
    ChangedOutside,
    /// Two payments refer to the same gateway transaction, or one payment refers to two.
    TradeMismatch,
    /// The gateway rejected a refund permanently.
    RefundRejected,
    /// The gateway reports a different amount for a refund.
    RefundMismatch,
}

/// An attempt to pay an order.
#[Object]
impl Payment {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The payment method.
    async fn method(&self) -> PaymentMethod {
        self.0.method.into()
    }

    /// The amount of money. Null for points.
    async fn amount(&self) -> Option<Money> {
        self.0.amount.money().map(Money)
    }

    /// The number of points. Null for money.
    async fn points(&self) -> Option<Result<i32>> {
        self.0.amount.money().is_none().then(|| exact(self.0.amount.units()))
    }

    /// The current status.
    async fn status(&self) -> PaymentStatus {
        self.0.state.into()
    }

    /// The payment page that `orderPay` returned, where the buyer can continue the payment. Null if the payment is no
    /// longer pending, for payments with points, and for everyone except the buyer.
    async fn redirect_url(&self, ctx: &Context<'_>) -> Option<Result<Url>> {
        let viewer = ctx.viewer().filter(|viewer| viewer.id == self.0.buyer)?;
        let page = ctx.services().payments.page_of_attempt(viewer.id, &self.0).await;
        page.map(|page| page.map(Url)).map_err(|error| orders_fault(&error)).transpose()
    }

    /// When the payment attempt started.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the outcome became known.
    async fn settled_at(&self) -> Option<DateTime> {
        self.0.settled_at.map(DateTime)
    }
}

/// A refund of money or points to the buyer.
#[Object]
impl Refund {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The payment that is refunded.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        let found = ctx.services().payments.payment(self.0.payment).await.map_err(|error| orders_fault(&error))?;
        // Payments are never removed.
        found.map(Payment).ok_or_else(|| Code::InternalServerError.error("Something went wrong on our side."))
    }

    /// The amount of money. Null for points.
    async fn amount(&self) -> Option<Money> {
        self.0.amount.money().map(Money)
    }

    /// The number of points. Null for money.
    async fn points(&self) -> Option<Result<i32>> {
        self.0.amount.money().is_none().then(|| exact(self.0.amount.units()))
    }

    /// The current status.
    async fn status(&self) -> RefundStatus {
        self.0.state.into()
    }

    /// Why the refund was made.
    async fn cause(&self) -> PaymentRefundCause {
        self.0.cause.into()
    }

    /// The reason given by whoever requested the refund, or by the shop if it was automatic.
    async fn reason(&self) -> Option<String> {
        self.0.reason.clone().or_else(|| match self.0.cause {
            RefundCause::LatePayment => Some("The payment arrived after the order was closed.".to_owned()),
            RefundCause::Surplus => Some("The order had already been paid.".to_owned()),
            RefundCause::Buyer | RefundCause::Operator | RefundCause::External => None,
        })
    }

    /// When the refund was requested.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the outcome became known.
    async fn settled_at(&self) -> Option<DateTime> {
        self.0.settled_at.map(DateTime)
    }
}

/// An entry in the log of a payment or refund.
#[derive(SimpleObject, Debug, Clone)]
pub struct PaymentLogEntry {
    /// When the event happened.
    at: DateTime,
    /// Who or what caused the event, such as `buyer`, `operator`, `notification`, `query`, `expiry` or `worker`.
    actor: String,
    /// The event, such as `begun`, `asked`, `unclear`, `postponed`, `settled` or `flagged`.
    event: String,
    /// The status before the event. Null for the first entry.
    from: Option<String>,
    /// The status after the event.
    to: String,
    /// The gateway's response code or transaction number.
    code: Option<String>,
    /// Further details in plain text. If the gateway gave no definite response: the request, and the HTTP status, timeout
    /// or response code.
    detail: Option<String>,
}

impl From<LogEntry> for PaymentLogEntry {
    fn from(entry: LogEntry) -> Self {
        let LogEntry { at, actor, event, from, to, code, detail } = entry;
        Self { at: DateTime(at), actor, event, from, to, code, detail }
    }
}

/// A verified notification from the payment gateway.
#[derive(SimpleObject, Debug, Clone)]
pub struct PaymentNotification {
    /// When the notification was first received.
    received_at: DateTime,
    /// The ID that the gateway assigned to the notification.
    notify_id: String,
    /// The status of the transaction as the gateway reported it.
    trade_status: String,
    /// How the notification was handled, such as `ACCEPTED`, `DUPLICATE`, `STALE` or `AMOUNT_MISMATCH`.
    verdict: String,
}

impl From<StoredNotification> for PaymentNotification {
    fn from(heard: StoredNotification) -> Self {
        Self {
            received_at: DateTime(heard.received_at),
            notify_id: heard.id,
            trade_status: heard.status,
            verdict: heard.verdict.as_str().to_owned(),
        }
    }
}

/// The full record of a payment, for operators.
#[derive(Clone)]
pub struct PaymentRecord(pub payments::Payment);

/// The full record of a payment, for operators.
#[Object]
impl PaymentRecord {
    /// The payment.
    async fn payment(&self) -> Payment {
        Payment(self.0.clone())
    }

    /// The number under which the gateway knows it.
    async fn number(&self) -> String {
        self.0.number()
    }

    /// The ID of the order.
    async fn order_id(&self) -> ID {
        ID(self.0.order.to_string())
    }

    /// The buyer.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let found = ctx.services().accounts.user(self.0.buyer).await.map_err(|error| accounts_fault(&error))?;
        Ok(found.map(User))
    }

    /// The transaction number at the gateway. Null until the gateway has reported it.
    async fn gateway_trade_number(&self) -> Option<&str> {
        self.0.gateway_trade_no.as_deref()
    }

    /// The amount received. Null for points, and if nothing was received. It equals the payment's amount unless the
    /// payment is flagged `AMOUNT_MISMATCH`.
    async fn received(&self) -> Option<Money> {
        self.0.amount.with_units(self.0.captured).money().filter(|money| money.minor > 0).map(Money)
    }

    /// The amount in pending refunds. Null for points.
    async fn refund_pending(&self) -> Option<Money> {
        self.0.amount.with_units(self.0.refund_pending).money().map(Money)
    }

    /// The amount already refunded. Null for points.
    async fn refunded(&self) -> Option<Money> {
        self.0.amount.with_units(self.0.refunded).money().map(Money)
    }

    /// The condition that needs attention. Null if there is none.
    async fn flag(&self) -> Option<PaymentFlag> {
        self.0.flag.map(Into::into)
    }

    /// When the gateway will be queried next. Null if no query is scheduled.
    async fn next_check_at(&self) -> Option<DateTime> {
        self.0.next_check_at.map(DateTime)
    }

    /// The log, oldest entry first.
    async fn log(&self, ctx: &Context<'_>) -> Result<Vec<PaymentLogEntry>> {
        let file = ctx.services().payments.payment_file(self.0.clone()).await.map_err(|error| orders_fault(&error))?;
        Ok(file.log.into_iter().map(Into::into).collect())
    }

    /// Notifications about this payment, without repeated deliveries.
    async fn notifications(&self, ctx: &Context<'_>) -> Result<Vec<PaymentNotification>> {
        let file = ctx.services().payments.payment_file(self.0.clone()).await.map_err(|error| orders_fault(&error))?;
        Ok(file.notifications.into_iter().map(Into::into).collect())
    }
}

/// The full record of a refund, for operators.
#[derive(Clone)]
pub struct RefundRecord(pub payments::Refund);

/// The full record of a refund, for operators.
#[Object]
impl RefundRecord {
    /// The refund.
    async fn refund(&self) -> Refund {
        Refund(self.0.clone())
    }

    /// The number under which the gateway knows it.
    async fn number(&self) -> String {
        self.0.number()
    }

    /// The ID of the order.
    async fn order_id(&self) -> ID {
        ID(self.0.order.to_string())
    }

    /// Why the refund was made.
    async fn cause(&self) -> PaymentRefundCause {
        self.0.cause.into()
    }

    /// How many times the refund was requested from the gateway.
    async fn attempts(&self) -> i32 {
        clamped(self.0.attempts)
    }

    /// The gateway's most recent response code.
    async fn last_code(&self) -> Option<&str> {
        self.0.last_code.as_deref()
    }

    /// When the gateway will be queried next. Null if no query is scheduled.
    async fn next_try_at(&self) -> Option<DateTime> {
        self.0.next_try_at.map(DateTime)
    }

    /// The log, oldest entry first.
    async fn log(&self, ctx: &Context<'_>) -> Result<Vec<PaymentLogEntry>> {
        let log = ctx.services().payments.refund_log(self.0.id).await.map_err(|error| orders_fault(&error))?;
        Ok(log.into_iter().map(Into::into).collect())
    }
}

/// The payments and refunds of an order, for operators.
#[derive(SimpleObject)]
pub struct PaymentLookup {
    /// The order.
    pub order: Order,
    /// All payment attempts, oldest first.
    pub payments: Vec<PaymentRecord>,
    /// All refunds, oldest first.
    pub refunds: Vec<RefundRecord>,
}
