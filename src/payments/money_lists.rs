//! Lists of payments and refunds for operators: all of them, newest first, and those that need attention, oldest first.

use super::Payments;
use crate::model::lists::{MoneyKey, MoneyList, MoneyPage, PaymentFilter, RefundFilter};
use crate::model::payments::{Payment, Refund};
use crate::orders::OrdersError;
use crate::store;

/// The maximum number of items that are counted, which limits the cost of a total however long the shop has been open.
pub const COUNTED_MAX: usize = 1_000;

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

impl Payments {
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
