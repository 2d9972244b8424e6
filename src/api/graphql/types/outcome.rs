//! What came of a sale.

use async_graphql::Object;

use super::int::clamped;
use super::scalars::DateTime;
use crate::sales::Outcome;

/// The result of a sale. `unitsTotal` is the sum of `unitsSold`, `unitsRefunded`, `unitsUnpaid` and `unitsUnsold`.
pub struct SaleOutcome(pub Outcome);

/// The result of a sale. `unitsTotal` is the sum of `unitsSold`, `unitsRefunded`, `unitsUnpaid` and `unitsUnsold`.
#[Object]
impl SaleOutcome {
    /// The number of accepted purchases. Each resulted in an order or a rejection.
    async fn tickets(&self) -> i32 {
        clamped(self.0.tickets)
    }

    /// The number of orders.
    async fn orders(&self) -> i32 {
        clamped(self.0.orders)
    }

    /// The total number of units, including units that were added.
    async fn units_total(&self) -> i32 {
        clamped(self.0.total)
    }

    /// The number of units in paid orders, including orders that are being refunded.
    async fn units_sold(&self) -> i32 {
        clamped(self.0.sold)
    }

    /// The number of units in refunded orders that did not go back on sale.
    async fn units_refunded(&self) -> i32 {
        clamped(self.0.refunded)
    }

    /// The number of units in orders that can still be paid.
    async fn units_unpaid(&self) -> i32 {
        clamped(self.0.unpaid)
    }

    /// The number of units that were not sold.
    async fn units_unsold(&self) -> i32 {
        clamped(self.0.unsold)
    }

    /// Whether no order can still be paid and no refund is in progress. While false, the numbers may change.
    async fn settled(&self) -> bool {
        self.0.settled
    }

    /// When the numbers were determined. They are determined again every few seconds, or every minute once settled.
    async fn as_of(&self) -> DateTime {
        DateTime(self.0.as_of)
    }
}
