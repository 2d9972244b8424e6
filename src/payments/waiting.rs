//! How much money waits for a person.

use super::Payments;
use crate::model::lists::MoneyKey;
use crate::orders::OrdersError;
use crate::store;

/// Stuck payments and refunds are counted up to so many of each.
const COUNTED_MAX: usize = 100;

impl Payments {
    /// Payments and refunds that need an operator's attention, up to [`COUNTED_MAX`] of each, and open discrepancies of bills.
    pub async fn money_waiting(&self) -> Result<(u64, u64), OrdersError> {
        let stuck = self.stuck(MoneyKey::START, MoneyKey::START, COUNTED_MAX).await?;
        let open = store::read!(&self.0.db, |conn| sql::bills::open_by_kind(conn).await)?;
        let bills = open.iter().map(|(_, count)| count.unsigned_abs()).sum();
        Ok(((stuck.payments.len() + stuck.refunds.len()) as u64, bills))
    }
}
