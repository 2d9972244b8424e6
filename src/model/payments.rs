//! Payments and refunds as they are stored, and which states follow which.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::kernel::{Currency, Money, OrderId, PaymentId, RefundId, Timestamp, UserId};

/// Declares an enum with a stored spelling of each value.
macro_rules! stored_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// As stored.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// From its stored form.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == text)
            }
        }
    };
}

stored_words! {
    /// How an order is paid.
    Method {
        /// At Alipay's cashier.
        Alipay = "ALIPAY",
        /// With the shop's loyalty points.
        Points = "POINTS",
    }
}

stored_words! {
    /// Where an attempt to pay stands.
    PaymentState {
        /// The outcome is not known yet.
        Pending = "PENDING",
        /// The money is here and pays the order.
        Succeeded = "SUCCEEDED",
        /// A definite no (points: not enough of them).
        Failed = "FAILED",
        /// Ended without payment. Money may still come: see [`Self::may_become`].
        Closed = "CLOSED",
        /// The money arrived and does not pay the order, so it is refunded; if the amount is wrong, once an operator decides so.
        Surplus = "SURPLUS",
    }
}

stored_words! {
    /// Where a refund stands.
    RefundState {
        /// Written down; the gateway has not been asked.
        Requested = "REQUESTED",
        /// The gateway has been asked, perhaps; the outcome is not known.
        Processing = "PROCESSING",
        /// The money is back.
        Succeeded = "SUCCEEDED",
        /// The gateway refused for good.
        Failed = "FAILED",
    }
}

stored_words! {
    /// Why money goes back.
    RefundCause {
        /// The buyer asked.
        Buyer = "BUYER",
        /// An operator asked.
        Operator = "OPERATOR",
        /// It came when its order was closed already.
        LatePayment = "LATE_PAYMENT",
        /// The order was paid otherwise.
        Surplus = "SURPLUS",
        /// It was made on the gateway's own site, and an operator recorded it.
        External = "EXTERNAL",
    }
}

stored_words! {
    /// Something about a payment that a person must look at.
    Flag {
        /// The gateway took another amount than was asked for.
        AmountMismatch = "AMOUNT_MISMATCH",
        /// The gateway closed or refunded what we hold as paid, and not because of us.
        ChangedOutside = "CHANGED_OUTSIDE",
        /// Two payments claim the same trade, or one claims two.
        TradeMismatch = "TRADE_MISMATCH",
        /// The gateway refused a refund for good: money is here that should not be.
        RefundRejected = "REFUND_REJECTED",
        /// The gateway knows another amount under our refund's number.
        RefundMismatch = "REFUND_MISMATCH",
    }
}

stored_words! {
    /// What a verified notification came to.
    Verdict {
        /// It changed something.
        Accepted = "ACCEPTED",
        /// What it says was known.
        Duplicate = "DUPLICATE",
        /// It tells of an earlier state.
        Stale = "STALE",
        /// It tells of a refund.
        RefundNotice = "REFUND_NOTICE",
        /// Its number is not one of ours.
        UnknownPayment = "UNKNOWN_PAYMENT",
        /// Its number is that of a payment that the gateway has no part in.
        WrongMethod = "WRONG_METHOD",
        /// Its amount is not what was asked for.
        AmountMismatch = "AMOUNT_MISMATCH",
        /// It contradicts what is known: somebody must look.
        Flagged = "FLAGGED",
    }
}

impl PaymentState {
    /// The allowed transitions. A closed attempt can still turn out paid: its page was open, or the gateway could not be asked.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Pending, Self::Succeeded | Self::Failed | Self::Closed | Self::Surplus)
                | (Self::Closed, Self::Succeeded | Self::Surplus)
        )
    }

    /// Whether the money is here (or was, before it went back).
    pub const fn is_captured(self) -> bool {
        matches!(self, Self::Succeeded | Self::Surplus)
    }
}

impl RefundState {
    /// The allowed transitions.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Requested, Self::Processing) | (Self::Requested | Self::Processing, Self::Succeeded | Self::Failed)
        )
    }

    /// Whether its outcome is known.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// An amount of money, or a number of points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Amount {
    /// Money.
    Money(Money),
    /// Loyalty points.
    Points(u64),
}

impl Amount {
    /// The count of its smallest units: minor units of money, or points.
    pub const fn units(self) -> u64 {
        match self {
            Self::Money(money) => money.minor.unsigned_abs(),
            Self::Points(points) => points,
        }
    }

    /// So many units of the same kind.
    #[must_use]
    pub const fn with_units(self, units: u64) -> Self {
        match self {
            Self::Money(money) => Self::Money(Money { minor: units as i64, ..money }),
            Self::Points(_) => Self::Points(units),
        }
    }

    /// The money; `None` when it is points.
    pub const fn money(self) -> Option<Money> {
        match self {
            Self::Money(money) => Some(money),
            Self::Points(_) => None,
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Money(money) => money.fmt(f),
            Self::Points(points) => write!(f, "{points} points"),
        }
    }
}

/// One attempt to pay an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Identity; its other spelling is the number the gateway knows it by.
    pub id: PaymentId,
    /// The order.
    pub order: OrderId,
    /// Who pays.
    pub buyer: UserId,
    /// The buyer's key of the request.
    pub key: String,
    /// How.
    pub method: Method,
    /// How much, which is the order's total.
    pub amount: Amount,
    /// Where it stands.
    pub state: PaymentState,
    /// The gateway's number of the trade, once known.
    pub gateway_trade_no: Option<String>,
    /// Where the buyer wants to go afterwards.
    pub return_url: Option<String>,
    /// Units that came in: the amount, or what the gateway took instead.
    pub captured: u64,
    /// Units that are on their way back.
    pub refund_pending: u64,
    /// Units that went back.
    pub refunded: u64,
    /// What somebody must look at.
    pub flag: Option<Flag>,
    /// When it was begun.
    pub created_at: Timestamp,
    /// Until when it can be paid.
    pub expires_at: Timestamp,
    /// When its outcome was known.
    pub settled_at: Option<Timestamp>,
    /// When the gateway is to be asked next; `None`: no more.
    pub next_check_at: Option<Timestamp>,
    /// How often it was asked in vain.
    pub checks: u32,
}

impl Payment {
    /// What the gateway knows it by (`out_trade_no`).
    pub fn number(&self) -> String {
        self.id.number()
    }

    /// Whether it is of this currency.
    pub fn is_in(&self, currency: Currency) -> bool {
        self.amount.money().is_some_and(|money| money.currency == currency)
    }

    /// Units that could still be sent back.
    pub const fn refundable(&self) -> u64 {
        self.captured.saturating_sub(self.refund_pending + self.refunded)
    }
}

/// Money that goes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Identity; its other spelling is the number the gateway knows it by.
    pub id: RefundId,
    /// Whose money.
    pub payment: PaymentId,
    /// The payment's order.
    pub order: OrderId,
    /// How.
    pub method: Method,
    /// How much.
    pub amount: Amount,
    /// Why.
    pub cause: RefundCause,
    /// Why, in the words of who asked.
    pub reason: Option<String>,
    /// Who asked, if a person did.
    pub requested_by: Option<UserId>,
    /// That person's key of the request.
    pub key: Option<String>,
    /// The gateway's number, if the refund was made there and does not have our number.
    pub gateway_number: Option<String>,
    /// Where it stands.
    pub state: RefundState,
    /// How often the gateway was asked.
    pub attempts: u32,
    /// The gateway's last word about it.
    pub last_code: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When the gateway was last asked.
    pub tried_at: Option<Timestamp>,
    /// When the gateway is to be asked next; `None`: no more.
    pub next_try_at: Option<Timestamp>,
    /// When its outcome was known.
    pub settled_at: Option<Timestamp>,
}

impl Refund {
    /// What the gateway knows it by (`out_request_no`).
    pub fn number(&self) -> String {
        self.gateway_number.clone().unwrap_or_else(|| self.id.number())
    }

    /// The refund of all of a payment that is not kept.
    pub fn of_surplus(payment: &Payment, cause: RefundCause, now: Timestamp) -> Self {
        Self::requested(Self::id_of_surplus(payment.id), payment, payment.amount, cause, now)
    }

    /// A new refund, to be sent at once.
    pub const fn requested(
        id: RefundId,
        payment: &Payment,
        amount: Amount,
        cause: RefundCause,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            payment: payment.id,
            order: payment.order,
            method: payment.method,
            amount,
            cause,
            reason: None,
            requested_by: None,
            key: None,
            gateway_number: None,
            state: RefundState::Requested,
            attempts: 0,
            last_code: None,
            created_at: now,
            tried_at: None,
            next_try_at: Some(now),
            settled_at: None,
        }
    }

    /// The refund of a payment that is not kept: always the same one, however often the payment is heard of.
    pub fn id_of_surplus(payment: PaymentId) -> RefundId {
        derived(&[b"surplus ", &payment.to_bytes()])
    }

    /// The refund that the gateway made by itself under this number: always the same one, however often it is booked.
    pub fn id_of_external(payment: PaymentId, gateway_number: &str) -> RefundId {
        derived(&[b"external ", &payment.to_bytes(), gateway_number.as_bytes()])
    }
}

fn derived(parts: &[&[u8]]) -> RefundId {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    RefundId::from_bytes(bytes)
}

/// A line of a payment's or a refund's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// When.
    pub at: Timestamp,
    /// Who or what: `buyer`, `operator`, `notification`, `query`, `return`, `expiry`, `worker`, `points`.
    pub actor: String,
    /// What: `begun`, `settled`, `flagged`, `asked`, `unclear`, `postponed`, ….
    pub event: String,
    /// The state before; `None` for the first.
    pub from: Option<String>,
    /// The state after.
    pub to: String,
    /// The gateway's code or the number of its trade.
    pub code: Option<String>,
    /// More, for people; no secrets.
    pub detail: Option<String>,
}

impl LogEntry {
    /// A line about a change from one state to another, or about something that changed nothing.
    pub fn new(at: Timestamp, actor: &str, event: &str, from: Option<&str>, to: &str) -> Self {
        Self {
            at,
            actor: actor.to_owned(),
            event: event.to_owned(),
            from: from.map(str::to_owned),
            to: to.to_owned(),
            code: None,
            detail: None,
        }
    }

    /// With the gateway's word.
    #[must_use]
    pub fn code(mut self, code: Option<impl Into<String>>) -> Self {
        self.code = code.map(Into::into);
        self
    }

    /// With more for people.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}

/// A verified notification, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotification {
    /// The gateway's id of the change.
    pub id: String,
    /// The number it is about.
    pub number: String,
    /// The status in the gateway's word.
    pub status: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Its parameters, masked.
    pub masked: String,
    /// When it was first heard.
    pub received_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_what_the_gateway_takes_and_lead_back() {
        let id = PaymentId::from_bytes([0xab; 16]);
        let number = id.number();
        assert!(number.len() <= 64 && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        assert_eq!(PaymentId::from_number(&number), Some(id));
        assert_eq!(RefundId::from_number(&number), None);
        assert_eq!(PaymentId::from_number(&number.to_uppercase()), None);
        assert_eq!(PaymentId::from_number("p"), None);
    }

    #[test]
    fn a_surplus_has_one_refund() {
        let (one, other) = (PaymentId::from_bytes([1; 16]), PaymentId::from_bytes([2; 16]));
        assert_eq!(Refund::id_of_surplus(one), Refund::id_of_surplus(one));
        assert_ne!(Refund::id_of_surplus(one), Refund::id_of_surplus(other));
        assert_eq!(Refund::id_of_external(one, "2026"), Refund::id_of_external(one, "2026"));
        assert_ne!(Refund::id_of_external(one, "2026"), Refund::id_of_external(one, "2027"));
        assert_ne!(Refund::id_of_external(one, "2026"), Refund::id_of_external(other, "2026"));
    }

    #[test]
    fn money_that_came_stays_recorded() {
        for state in PaymentState::ALL {
            assert!(!PaymentState::Succeeded.may_become(*state));
            assert!(!PaymentState::Surplus.may_become(*state));
            assert!(!PaymentState::Failed.may_become(*state));
        }
    }
}
