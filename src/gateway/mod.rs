//! The contract with a payment gateway: what it can be asked, and the closed set of answers. Implementations translate and verify;
//! they know nothing of orders and touch no database.

pub mod alipay;

use async_trait::async_trait;

use crate::kernel::{Money, Timestamp};

/// The gateway's answer. Only [`Outcome::Succeeded`] and [`Outcome::Rejected`] say what happened; everything else leaves the state
/// as it is, and the same question is asked again later under the same number and amount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// Done, verified, and this is the result.
    Succeeded(T),
    /// Not done yet, or not now: accepted but unfinished (`fund_change` N or absent, code 10003), or put off for a reason that goes
    /// away (`ACQ.SELLER_BALANCE_NOT_ENOUGH`, 40005). `code` is the gateway's word for it.
    Pending {
        /// The code, or sub code.
        code: String,
    },
    /// Whether it happened is not known: transport error, time-out after sending, 20000, `ACQ.SYSTEM_ERROR`, a body that is unsigned,
    /// not verifiable or not understood, and every code that is not listed.
    Unknown {
        /// Why, without secrets.
        reason: String,
    },
    /// A definite no.
    Rejected {
        /// The sub code, such as `ACQ.TRADE_HAS_FINISHED`.
        code: String,
    },
    /// The gateway does not accept us (`isv.…`): keys, app id or rights are wrong. Nothing happened, and nothing will until somebody
    /// repairs the settings.
    Misconfigured {
        /// The code, without secrets.
        reason: String,
    },
}

impl<T> Outcome<T> {
    /// What logs keep of an answer that settles nothing: a code, and what the gateway said or why there is no answer, such as an HTTP
    /// status or a time-out. `asked` is the question. `None` for a success.
    pub fn unclear(&self, asked: &str) -> Option<Unclear> {
        let (code, why) = match self {
            Self::Succeeded(_) => return None,
            Self::Pending { code } | Self::Rejected { code } => (code.as_str(), code),
            Self::Unknown { reason } => ("UNKNOWN", reason),
            Self::Misconfigured { reason } => ("MISCONFIGURED", reason),
        };
        Some(Unclear { code: code.to_owned(), detail: format!("{asked}: {why}") })
    }
}

/// What made an outcome unclear, for logs that people read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear {
    /// The gateway's code, or `UNKNOWN` or `MISCONFIGURED`.
    pub code: String,
    /// The question, and the reason without secrets: `refund: HTTP status 502`.
    pub detail: String,
}

/// Where a trade stands at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TradeStatus {
    /// The gateway has no trade of this number (yet): the buyer has not opened the cashier.
    Absent,
    /// It exists and is not paid.
    Waiting,
    /// Paid: `TRADE_SUCCESS` or `TRADE_FINISHED`.
    Paid,
    /// Closed without payment, or fully refunded: `TRADE_CLOSED`.
    Closed,
}

/// What a message of the gateway says of a trade. Notification and query both produce it, and one function applies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeSnapshot {
    /// Our number (`out_trade_no`).
    pub number: String,
    /// The gateway's number (`trade_no`).
    pub gateway_trade_no: Option<String>,
    /// Where it stands.
    pub status: TradeStatus,
    /// What the trade is about (`total_amount`); always there when it is paid.
    pub amount: Option<Money>,
    /// When the money has moved back: the message is a refund's notice, not a payment's.
    pub refund: Option<RefundFacts>,
}

/// What a message says of refunds of its trade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundFacts {
    /// Our refund number (`out_biz_no`), if it names one.
    pub number: Option<String>,
    /// The total refunded (`refund_fee`), if the response contains it.
    pub total: Option<Money>,
}

/// What closing a trade came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// It is closed: it can't be paid any more.
    Closed,
    /// There is no such trade. It could still be made, by a page that is open somewhere, until the page's time is over.
    Absent,
    /// It does not wait for payment: ask again, it may be paid.
    NotWaiting,
}

/// What the gateway knows of a refund number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundFound {
    /// This much went back under this number.
    Done(Money),
    /// It did not go back (`refund_status` absent): never received, or failed.
    NotFound,
}

/// What a payment page asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Our number: 1 to 64 of `A-Z a-z 0-9 _`.
    pub number: String,
    /// What to pay.
    pub amount: Money,
    /// What for; the implementation removes what the gateway does not take.
    pub subject: String,
    /// When the request is made. The same request gives the same URL, byte by byte.
    pub at: Timestamp,
    /// The page's end: later payments are refused (`time_expire`).
    pub expires_at: Timestamp,
}

/// A payment page that can't be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// The gateway takes only CNY.
    #[error("the gateway does not support this currency")]
    Currency,
    /// Below 0.01 or above 100000000.00.
    #[error("the gateway does not support this amount")]
    Amount,
}

/// A verified notification: it is the gateway's, for our application and seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The gateway's id of this change (`notify_id`); the same over all deliveries.
    pub id: String,
    /// The status in the gateway's word (`TRADE_SUCCESS`), for the log.
    pub status: String,
    /// What it says.
    pub snapshot: TradeSnapshot,
    /// The parameters without signature and with buyer's names masked, for the log.
    pub masked: String,
}

/// A verified browser return. It says nothing about whether the trade is paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Returned {
    /// Our number.
    pub number: String,
    /// What the page was about.
    pub amount: Option<Money>,
}

/// Why a notification or a return is not believed. Nothing of it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum BadMessage {
    /// No form, double names, no UTF-8, or a field is missing or makes no sense.
    #[error("malformed")]
    Malformed,
    /// The signature is missing, of another kind, or wrong.
    #[error("bad signature")]
    Signature,
    /// Signed, but for another application.
    #[error("another application's")]
    App,
    /// Signed, but for another seller.
    #[error("another seller's")]
    Seller,
}

impl BadMessage {
    /// Its name in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Signature => "bad_signature",
            Self::App => "wrong_app",
            Self::Seller => "wrong_seller",
        }
    }
}

/// One line of a day's bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillRow {
    /// The payment's number (`out_trade_no`).
    pub number: String,
    /// The refund's number (`out_request_no`); `None` when the line is a payment.
    pub refund_number: Option<String>,
    /// The gateway's number.
    pub gateway_trade_no: String,
    /// What was paid or refunded; never below zero.
    pub amount: Money,
    /// When.
    pub at: Timestamp,
}

/// A payment gateway. Every call may be repeated with the same arguments without doing anything twice. Calls that do I/O end within a
/// deadline of their own.
#[async_trait]
pub trait PaymentGateway: Send + Sync + 'static {
    /// Whether it is asked only now and then, because it has not answered for some time.
    fn refuses(&self) -> bool;

    /// It may give no answer for this long from now on before calls are not made.
    fn set_patience(&self, _: std::time::Duration) {}

    /// Whether the amount can be paid here at all.
    fn takes(&self, amount: Money) -> Result<(), PageError>;

    /// The URL of the page where the buyer pays. Signs; no I/O. The gateway learns of the trade when the buyer opens the page.
    fn page_url(&self, request: &PageRequest) -> Result<String, PageError>;

    /// Where the trade stands. An unknown number is `Succeeded` with [`TradeStatus::Absent`].
    async fn query(&self, number: &str) -> Outcome<TradeSnapshot>;

    /// Closes the unpaid trade.
    async fn close(&self, number: &str) -> Outcome<Closed>;

    /// Pays back. `Succeeded` only if money has moved for this number now (`fund_change` Y). A repetition after that is
    /// `Pending`: [`Self::query_refund`] decides.
    async fn refund(&self, number: &str, refund_number: &str, amount: Money, reason: &str) -> Outcome<()>;

    /// What became of a refund.
    async fn query_refund(&self, number: &str, refund_number: &str) -> Outcome<RefundFound>;

    /// The payments and refunds of a day in the gateway's zone. `Pending` when the bill is not made yet; no rows: an empty list.
    async fn bill(&self, day: jiff::civil::Date) -> Outcome<Vec<BillRow>>;

    /// Checks the body of a notification, as it was posted (`application/x-www-form-urlencoded`).
    fn verify_notification(&self, body: &[u8]) -> Result<Notification, BadMessage>;

    /// Checks the query string of a browser return.
    fn verify_return(&self, query: &str) -> Result<Returned, BadMessage>;
}
