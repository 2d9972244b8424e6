//! Lists of payments and refunds for operators: all of them, newest first, and those that need attention, oldest first.

use super::{Orders, OrdersError};
use crate::kernel::{Timestamp, UserId};
use crate::payments::{Method, Payment, PaymentState, Refund, RefundCause, RefundState};
use crate::store;

/// The maximum number of items that are counted, which limits the cost of a total however long the shop has been open.
pub const COUNTED_MAX: usize = 1_000;

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

/// A page of payments and refunds that need an operator's attention.
#[derive(Debug, Clone)]
pub struct Stuck {
    /// Flagged payments and those pending for too long, oldest first.
    pub payments: Vec<Payment>,
    /// Refunds that have been pending for too long, oldest first.
    pub refunds: Vec<Refund>,
    /// Whether either list has more items.
    pub more: bool,
}

impl Orders {
    /// A page of all payments.
    pub async fn list_payments(
        &self,
        filter: PaymentFilter,
        page: MoneyPage,
    ) -> Result<MoneyList<Payment>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::money_lists::payments(conn, &filter, &page).await)?)
    }

    /// How many payments there are, counted to [`COUNTED_MAX`]; of the page its moments count, not its place.
    pub async fn count_payments(&self, filter: PaymentFilter, page: MoneyPage) -> Result<usize, OrdersError> {
        let all = MoneyPage { after: None, before: None, limit: COUNTED_MAX, ..page };
        Ok(store::read!(&self.0.db, |conn| sql::money_lists::count_payments(conn, &filter, &all).await)?)
    }

    /// A page of all refunds.
    pub async fn list_refunds(&self, filter: RefundFilter, page: MoneyPage) -> Result<MoneyList<Refund>, OrdersError> {
        Ok(store::read!(&self.0.db, |conn| sql::money_lists::refunds(conn, &filter, &page).await)?)
    }

    /// How many refunds there are, counted to [`COUNTED_MAX`]; of the page its moments count, not its place.
    pub async fn count_refunds(&self, filter: RefundFilter, page: MoneyPage) -> Result<usize, OrdersError> {
        let all = MoneyPage { after: None, before: None, limit: COUNTED_MAX, ..page };
        Ok(store::read!(&self.0.db, |conn| sql::money_lists::count_refunds(conn, &filter, &all).await)?)
    }

    /// What needs an operator's attention after these positions, the first `max` of each: flagged payments, payments pending for too long,
    /// and refunds pending for too long.
    pub async fn stuck(
        &self,
        after_payment: MoneyKey,
        after_refund: MoneyKey,
        max: usize,
    ) -> Result<Stuck, OrdersError> {
        let since = self.0.clock.now().minus(*self.0.payments.now().stuck_after);
        let (mut payments, mut refunds) = store::read!(&self.0.db, |conn| {
            let payments = sql::payments::stuck(conn, since, after_payment, max + 1).await?;
            Ok((payments, sql::refunds::stuck(conn, since, after_refund, max + 1).await?))
        })?;
        let more = payments.len() > max || refunds.len() > max;
        payments.truncate(max);
        refunds.truncate(max);
        Ok(Stuck { payments, refunds, more })
    }
}

#[cfg(test)]
mod tests;
