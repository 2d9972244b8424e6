//! Payments and refunds: as buyers see them, and with their logs as operators do.

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::accounts::User;
use super::int::{clamped, exact};
use super::orders::Order;
use super::scalars::{DateTime, Money, Url};
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, accounts_fault, orders_fault};
use crate::payments::{self, Flag, LogEntry, Method, PaymentState, RefundCause, RefundState, StoredNotification};

/// How an order is paid.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Method")]
pub enum PaymentMethod {
    /// At Alipay's cashier, where the browser is sent.
    Alipay,
    /// With the shop's loyalty points, at once.
    Points,
}

/// Where an attempt to pay stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "PaymentState")]
pub enum PaymentStatus {
    /// Not paid yet, or not heard of yet.
    Pending,
    /// It pays the order.
    Succeeded,
    /// Refused.
    Failed,
    /// Ended without payment.
    Closed,
    /// Money that arrived and is not kept: it came too late or the order was paid otherwise, and is on its way back; or it is another
    /// amount than was asked for, which an operator sends back.
    Surplus,
}

/// Where a refund stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundStatus {
    /// On its way.
    Pending,
    /// The money is back.
    Succeeded,
    /// Refused for good. Operators are told.
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

/// Why money goes back.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "RefundCause")]
pub enum PaymentRefundCause {
    /// The buyer asked.
    Buyer,
    /// An operator asked.
    Operator,
    /// It came when its order was closed already.
    LatePayment,
    /// The order was paid otherwise.
    Surplus,
    /// It was sent back at the payment gateway's own site, and an operator has booked it (`billDifferenceBook`).
    External,
}

/// What a person must look at.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Flag")]
pub enum PaymentFlag {
    /// The gateway took another amount than was asked for. It pays nothing, and stays until an operator sends it back.
    AmountMismatch,
    /// The gateway closed or refunded what is held as paid, and not because of the shop.
    ChangedOutside,
    /// Two payments claim the same trade, or one claims two.
    TradeMismatch,
    /// The gateway refused a refund for good.
    RefundRejected,
    /// The gateway knows another amount under a refund's number.
    RefundMismatch,
}

/// One attempt to pay an order.
#[derive(Clone)]
pub struct Payment(pub payments::Payment);

/// One attempt to pay an order.
#[Object]
impl Payment {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// How it is paid.
    async fn method(&self) -> PaymentMethod {
        self.0.method.into()
    }

    /// How much money; null when it is points.
    async fn amount(&self) -> Option<Money> {
        self.0.amount.money().map(Money)
    }

    /// How many points; null when it is money.
    async fn points(&self) -> Option<Result<i32>> {
        self.0.amount.money().is_none().then(|| exact(self.0.amount.units()))
    }

    /// Where it stands.
    async fn status(&self) -> PaymentStatus {
        self.0.state.into()
    }

    /// Where the buyer can go on paying: the page that `orderPay` answered with. Null when there is nothing to pay there any more, for
    /// payments in points, and for everybody but the buyer.
    async fn redirect_url(&self, ctx: &Context<'_>) -> Option<Result<Url>> {
        let viewer = ctx.viewer().filter(|viewer| viewer.id == self.0.buyer)?;
        let page = ctx.services().orders.page_of_attempt(viewer.id, &self.0).await;
        page.map(|page| page.map(Url)).map_err(|error| orders_fault(&error)).transpose()
    }

    /// When it began.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When its outcome was known.
    async fn settled_at(&self) -> Option<DateTime> {
        self.0.settled_at.map(DateTime)
    }
}

/// Money, or points, going back to the buyer.
#[derive(Clone)]
pub struct Refund(pub payments::Refund);

/// Money, or points, going back to the buyer.
#[Object]
impl Refund {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The payment that it is taken from.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment> {
        let found = ctx.services().orders.payment(self.0.payment).await.map_err(|error| orders_fault(&error))?;
        // Payments are never removed.
        found.map(Payment).ok_or_else(|| Code::InternalServerError.error("Something went wrong on our side."))
    }

    /// How much money; null when it is points.
    async fn amount(&self) -> Option<Money> {
        self.0.amount.money().map(Money)
    }

    /// How many points; null when it is money.
    async fn points(&self) -> Option<Result<i32>> {
        self.0.amount.money().is_none().then(|| exact(self.0.amount.units()))
    }

    /// Where it stands.
    async fn status(&self) -> RefundStatus {
        self.0.state.into()
    }

    /// Why it goes back.
    async fn cause(&self) -> PaymentRefundCause {
        self.0.cause.into()
    }

    /// Why, in the words of who asked or, when nobody did, in the shop's.
    async fn reason(&self) -> Option<String> {
        self.0.reason.clone().or_else(|| match self.0.cause {
            RefundCause::LatePayment => Some("The payment came when the order was closed already.".to_owned()),
            RefundCause::Surplus => Some("The order was paid already.".to_owned()),
            RefundCause::Buyer | RefundCause::Operator | RefundCause::External => None,
        })
    }

    /// When it was asked for.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When its outcome was known.
    async fn settled_at(&self) -> Option<DateTime> {
        self.0.settled_at.map(DateTime)
    }
}

/// A line of a payment's or a refund's log.
#[derive(SimpleObject, Debug, Clone)]
pub struct PaymentLogEntry {
    /// When.
    at: DateTime,
    /// Who or what did it: `buyer`, `operator`, `notification`, `query`, `expiry`, `worker`, ….
    actor: String,
    /// What happened: `begun`, `asked`, `unclear`, `postponed`, `settled`, `flagged`, ….
    event: String,
    /// The state before; null for the first line.
    from: Option<String>,
    /// The state after.
    to: String,
    /// The gateway's code, or its number of the trade.
    code: Option<String>,
    /// More for people. When the gateway gave no clear answer: what it was asked, and the HTTP status, the time-out or the code that
    /// came instead.
    detail: Option<String>,
}

impl From<LogEntry> for PaymentLogEntry {
    fn from(entry: LogEntry) -> Self {
        let LogEntry { at, actor, event, from, to, code, detail } = entry;
        Self { at: DateTime(at), actor, event, from, to, code, detail }
    }
}

/// A verified notification of the payment gateway.
#[derive(SimpleObject, Debug, Clone)]
pub struct PaymentNotification {
    /// When it was first received.
    received_at: DateTime,
    /// The gateway's id of the change that it tells of.
    notify_id: String,
    /// The trade's status in the gateway's word.
    trade_status: String,
    /// What it came to: `ACCEPTED`, `DUPLICATE`, `STALE`, `AMOUNT_MISMATCH`, ….
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

/// A payment with all that is known of it, for operators.
#[derive(Clone)]
pub struct PaymentRecord(pub payments::Payment);

/// A payment with all that is known of it, for operators.
#[Object]
impl PaymentRecord {
    /// The payment.
    async fn payment(&self) -> Payment {
        Payment(self.0.clone())
    }

    /// What the gateway knows it by.
    async fn number(&self) -> String {
        self.0.number()
    }

    /// The order's id.
    async fn order_id(&self) -> ID {
        ID(self.0.order.to_string())
    }

    /// Who pays.
    async fn buyer(&self, ctx: &Context<'_>) -> Result<Option<User>> {
        let found = ctx.services().accounts.user(self.0.buyer).await.map_err(|error| accounts_fault(&error))?;
        Ok(found.map(User))
    }

    /// The gateway's number of the trade; null until it told.
    async fn gateway_trade_number(&self) -> Option<&str> {
        self.0.gateway_trade_no.as_deref()
    }

    /// Money that came in; null when it is points, or nothing. It is the payment's amount, unless it is flagged `AMOUNT_MISMATCH`.
    async fn received(&self) -> Option<Money> {
        self.0.amount.with_units(self.0.captured).money().filter(|money| money.minor > 0).map(Money)
    }

    /// Money on its way back; null when it is points.
    async fn refund_pending(&self) -> Option<Money> {
        self.0.amount.with_units(self.0.refund_pending).money().map(Money)
    }

    /// Money that went back; null when it is points.
    async fn refunded(&self) -> Option<Money> {
        self.0.amount.with_units(self.0.refunded).money().map(Money)
    }

    /// What must be looked at; null: nothing.
    async fn flag(&self) -> Option<PaymentFlag> {
        self.0.flag.map(Into::into)
    }

    /// When the gateway is asked next; null: no more.
    async fn next_check_at(&self) -> Option<DateTime> {
        self.0.next_check_at.map(DateTime)
    }

    /// Its log, the oldest line first.
    async fn log(&self, ctx: &Context<'_>) -> Result<Vec<PaymentLogEntry>> {
        let file = ctx.services().orders.payment_file(self.0.clone()).await.map_err(|error| orders_fault(&error))?;
        Ok(file.log.into_iter().map(Into::into).collect())
    }

    /// Notifications about it, each once however often it was delivered.
    async fn notifications(&self, ctx: &Context<'_>) -> Result<Vec<PaymentNotification>> {
        let file = ctx.services().orders.payment_file(self.0.clone()).await.map_err(|error| orders_fault(&error))?;
        Ok(file.notifications.into_iter().map(Into::into).collect())
    }
}

/// A refund with all that is known of it, for operators.
#[derive(Clone)]
pub struct RefundRecord(pub payments::Refund);

/// A refund with all that is known of it, for operators.
#[Object]
impl RefundRecord {
    /// The refund.
    async fn refund(&self) -> Refund {
        Refund(self.0.clone())
    }

    /// What the gateway knows it by.
    async fn number(&self) -> String {
        self.0.number()
    }

    /// The order's id.
    async fn order_id(&self) -> ID {
        ID(self.0.order.to_string())
    }

    /// Why.
    async fn cause(&self) -> PaymentRefundCause {
        self.0.cause.into()
    }

    /// How often the gateway was asked.
    async fn attempts(&self) -> i32 {
        clamped(self.0.attempts)
    }

    /// The gateway's last word.
    async fn last_code(&self) -> Option<&str> {
        self.0.last_code.as_deref()
    }

    /// When the gateway is asked next; null: no more.
    async fn next_try_at(&self) -> Option<DateTime> {
        self.0.next_try_at.map(DateTime)
    }

    /// Its log, the oldest line first.
    async fn log(&self, ctx: &Context<'_>) -> Result<Vec<PaymentLogEntry>> {
        let log = ctx.services().orders.refund_log(self.0.id).await.map_err(|error| orders_fault(&error))?;
        Ok(log.into_iter().map(Into::into).collect())
    }
}

/// An order's money, for operators.
#[derive(SimpleObject)]
pub struct PaymentLookup {
    /// The order.
    pub order: Order,
    /// All attempts to pay it, the oldest first.
    pub payments: Vec<PaymentRecord>,
    /// All money that goes or went back, the oldest first.
    pub refunds: Vec<RefundRecord>,
}
