//! Pages of the lists of payments and refunds.

use super::payments::{Method, Payment, PaymentState, Refund, RefundCause, RefundState};
use crate::kernel::{Timestamp, UserId};

/// A position in a list of payments or refunds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MoneyKey {
    /// When it was started or requested.
    pub at: Timestamp,
    /// The bytes of its ID.
    pub id: [u8; 16],
}

impl MoneyKey {
    /// Before all payments and refunds.
    pub const START: Self = Self { at: Timestamp::from_millis(0), id: [0; 16] };

    /// The position of the payment.
    pub const fn of_payment(payment: &Payment) -> Self {
        Self { at: payment.created_at, id: payment.id.to_bytes() }
    }

    /// The position of the refund.
    pub const fn of_refund(refund: &Refund) -> Self {
        Self { at: refund.created_at, id: refund.id.to_bytes() }
    }
}

/// A page of a list, the newest first: `limit` items older than `after` or newer than `before`, those nearest to it.
#[derive(Debug, Clone, Default)]
pub struct MoneyPage {
    /// Only those begun at or after.
    pub from: Option<Timestamp>,
    /// Only those begun before.
    pub until: Option<Timestamp>,
    /// Only older ones.
    pub after: Option<MoneyKey>,
    /// Only newer ones.
    pub before: Option<MoneyKey>,
    /// How many at most.
    pub limit: usize,
    /// Count from the oldest end.
    pub from_end: bool,
}

impl MoneyPage {
    /// The first and the last moment that can be in it. One of each, so that an index is gone through from where the page begins.
    pub fn bounds(&self) -> (Timestamp, Timestamp) {
        let lowest = self.from.into_iter().chain(self.before.map(|key| key.at)).max();
        let until = self.until.map(|until| Timestamp::from_millis(until.as_millis().saturating_sub(1)));
        let highest = until.into_iter().chain(self.after.map(|key| key.at)).min();
        let (first, last) = (Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX));
        (lowest.unwrap_or(first), highest.unwrap_or(last))
    }
}

/// The conditions for payments, all of which must be met.
#[derive(Debug, Clone)]
pub struct PaymentFilter {
    /// Only these statuses.
    pub states: Vec<PaymentState>,
    /// Only these methods.
    pub methods: Vec<Method>,
    /// Only payments with a flag, or only those without.
    pub flagged: Option<bool>,
    /// Only payments of this buyer.
    pub buyer: Option<UserId>,
}

/// The conditions for refunds, all of which must be met.
#[derive(Debug, Clone)]
pub struct RefundFilter {
    /// Only these statuses.
    pub states: Vec<RefundState>,
    /// Only these causes.
    pub causes: Vec<RefundCause>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoneyList<T> {
    /// The page, the newest first.
    pub items: Vec<T>,
    /// Whether there is more beyond it, in the direction that was asked for.
    pub more: bool,
}

impl<T> MoneyList<T> {
    /// The page out of items that were looked for by parts: of each part up to one more than the page has.
    pub fn of(mut found: Vec<T>, page: &MoneyPage, key: impl Fn(&T) -> MoneyKey) -> Self {
        found.sort_unstable_by_key(key);
        if !page.from_end {
            found.reverse();
        }
        let more = found.len() > page.limit;
        found.truncate(page.limit);
        if page.from_end {
            found.reverse();
        }
        Self { items: found, more }
    }
}
