//! An order's money, for operators.

use async_graphql::{Context, ID, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::orders_fault;
use crate::api::graphql::types::bills::{BillDifferenceConnection, list_differences};
use crate::api::graphql::types::connection::PageArgs;
use crate::api::graphql::types::orders::Order;
use crate::api::graphql::types::payments::{PaymentLookup, PaymentRecord, RefundRecord, StuckPayments};
use crate::kernel::RefundId;

/// Queries of payments.
#[derive(Default)]
pub struct PaymentsQuery;

#[Object]
impl PaymentsQuery {
    /// The payments and refunds of an order with their logs. It can be found by order ID or number, payment ID or
    /// number, or Alipay transaction number. Null if there is no match. Operators only; each query is audited.
    async fn payment_lookup(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An order ID or number, a payment ID or number, or an Alipay transaction number.")] id: ID,
    ) -> Result<Option<PaymentLookup>> {
        let operator = ctx.require_operator()?;
        let orders = &ctx.services().orders;
        let fault = |error| orders_fault(&error);
        let order = orders.order_of_reference(&id).await.map_err(fault)?;
        let Some(id) = order else { return Ok(None) };
        let Some(order) = orders.order(id).await.map_err(fault)? else { return Ok(None) };
        orders.audit_look(operator.id, "payment.lookup", id.to_string()).await.map_err(fault)?;
        let payments = orders.payments_of(id).await.map_err(fault)?;
        let refunds = orders.refunds_of(id).await.map_err(fault)?;
        Ok(Some(PaymentLookup {
            order: Order(order),
            payments: payments.into_iter().map(PaymentRecord).collect(),
            refunds: refunds.into_iter().map(RefundRecord).collect(),
        }))
    }

    /// Payments and refunds that need attention. Operators only; each query is audited.
    async fn stuck_payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The maximum number of payments and of refunds to return. Defaults to the default page size."
        )]
        first: Option<i32>,
    ) -> Result<StuckPayments> {
        let operator = ctx.require_operator()?;
        let services = ctx.services();
        let limits = &services.config.graphql;
        let first = first.map_or(limits.page_default, |first| first.max(0) as usize).min(limits.page_max);
        let fault = |error| orders_fault(&error);
        services.orders.audit_look(operator.id, "payment.stuck", String::new()).await.map_err(fault)?;
        let (payments, refunds) = services.orders.stuck(first).await.map_err(fault)?;
        Ok(StuckPayments {
            payments: payments.into_iter().map(PaymentRecord).collect(),
            refunds: refunds.into_iter().map(RefundRecord).collect(),
        })
    }

    /// Discrepancies between the payment gateway's bills and the shop's records, oldest first. Open ones fail
    /// `doorbuster payments audit`. Operators only; each query is audited.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn bill_differences(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default = true,
            desc = "Return only open discrepancies. If false, resolved and closed ones are included."
        )]
        open: bool,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<BillDifferenceConnection> {
        let operator = ctx.require_operator()?;
        let looked = ctx.services().orders.audit_look(operator.id, "bill.differences", String::new()).await;
        looked.map_err(|error| orders_fault(&error))?;
        list_differences(ctx, open, &PageArgs { first, after, last, before }).await
    }

    /// A refund, by its ID or its number at the gateway. Null if there is no match. Operators only; each query is audited.
    async fn refund_lookup(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refund's ID, or its number at the gateway.")] id: ID,
    ) -> Result<Option<RefundRecord>> {
        let operator = ctx.require_operator()?;
        let Some(id) = id.parse::<RefundId>().ok().or_else(|| RefundId::from_number(&id)) else { return Ok(None) };
        let orders = &ctx.services().orders;
        orders.audit_look(operator.id, "refund.lookup", id.to_string()).await.map_err(|error| orders_fault(&error))?;
        let found = orders.any_refund(id).await.map_err(|error| orders_fault(&error))?;
        Ok(found.map(RefundRecord))
    }
}
