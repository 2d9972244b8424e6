//! Reports of sales, for operators.

use async_graphql::{Context, ID, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, store_fault};
use crate::api::graphql::types::sale_report::SaleReport;
use crate::model::rights::Right;
use crate::sales::ReportError;

/// Seconds after which a report may be asked for again: it takes one or two.
const RETRY_AFTER: u32 = 2;

/// Queries of reports.
#[derive(Default)]
pub struct ReportQuery;

#[Object]
impl ReportQuery {
    /// What became of every unit and every accepted purchase of a sale, and whether it adds up, like `doorbuster sale report`. Operators
    /// only. Null if the sale does not exist. Fails with `UNAVAILABLE` while the node prepares `sales.reports_max` reports.
    async fn sale_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale.")] sale_id: ID,
    ) -> Result<Option<SaleReport>> {
        ctx.require(Right::SeeShop)?;
        let Ok(id) = sale_id.parse() else { return Ok(None) };
        match ctx.services().sales.report(id).await {
            Ok(report) => Ok(report.map(SaleReport)),
            Err(ReportError::Busy) => {
                let message = "Other reports are being prepared. Please try again shortly.";
                Err(Code::Unavailable.retry(message, RETRY_AFTER))
            }
            Err(ReportError::Store(error)) => Err(store_fault(&error)),
        }
    }
}
