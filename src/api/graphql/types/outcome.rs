//! What came of a sale.

use async_graphql::{Context, Object, Result};

use super::int::clamped;
use super::scalars::DateTime;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::store_fault;
use crate::kernel::SaleId;
use crate::sales::Outcome;

/// The result of a sale. `unitsTotal` is the sum of `unitsSold`, `unitsRefunded`, `unitsUnpaid` and `unitsUnsold`.
pub struct SaleOutcome {
    /// The sale.
    pub sale: SaleId,
    /// The numbers.
    pub outcome: Outcome,
}

/// The result of a sale. `unitsTotal` is the sum of `unitsSold`, `unitsRefunded`, `unitsUnpaid` and `unitsUnsold`.
#[Object]
impl SaleOutcome {
    /// The number of accepted purchases. Each resulted in an order or a rejection.
    async fn tickets(&self) -> i32 {
        clamped(self.outcome.tickets)
    }

    /// The number of orders.
    async fn orders(&self) -> i32 {
        clamped(self.outcome.orders)
    }

    /// The total number of units, including units that were added.
    async fn units_total(&self) -> i32 {
        clamped(self.outcome.total)
    }

    /// The number of units in paid orders, including orders that are being refunded.
    async fn units_sold(&self) -> i32 {
        clamped(self.outcome.sold)
    }

    /// The number of units in refunded orders that did not go back on sale.
    async fn units_refunded(&self) -> i32 {
        clamped(self.outcome.refunded)
    }

    /// The number of units in orders that can still be paid.
    async fn units_unpaid(&self) -> i32 {
        clamped(self.outcome.unpaid)
    }

    /// The number of units that were not sold.
    async fn units_unsold(&self) -> i32 {
        clamped(self.outcome.unsold)
    }

    /// Whether no order can still be paid and no refund is in progress. While false, the numbers may change.
    async fn settled(&self) -> bool {
        self.outcome.settled
    }

    /// The SHA-256 of the report with every purchase, in hexadecimal. It commits the shop to that list: whoever gets the CSV file can
    /// verify it with `sha256sum`. Null until the sale is settled. A later refund changes it.
    async fn digest(&self, ctx: &Context<'_>) -> Option<Result<String>> {
        let digest = ctx.services().sales.outcome_digest(self.sale, &self.outcome).await;
        digest.map(|digest| digest.map(|digest| digest.to_string())).map_err(|error| store_fault(&error)).transpose()
    }

    /// When the numbers were determined. They are determined again every few seconds, or every minute once settled.
    async fn as_of(&self) -> DateTime {
        DateTime(self.outcome.as_of)
    }
}
