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
    /// Operators: the payments and refunds of an order with their logs, by anything that a buyer can read out: the order's id or
    /// number, a payment's id or number, or the number of Alipay's trade. Null when there is none. Looking is audited.
    async fn payment_lookup(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order's id or number, a payment's id or number, or Alipay's number of the trade.")]
        id: ID,
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

    /// Operators: payments and refunds that somebody should look at. Looking is audited.
    async fn stuck_payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many of each at most; the page size when absent.")] first: Option<i32>,
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

    /// Operators: differences between the payment gateway's bills and the books, the oldest first. They fail `doorbuster payments audit`
    /// while they are open. Looking is audited.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn bill_differences(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = true, desc = "Only open ones. Else also those that are resolved or closed.")] open: bool,
        #[graphql(desc = "This many from the beginning.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<BillDifferenceConnection> {
        let operator = ctx.require_operator()?;
        let looked = ctx.services().orders.audit_look(operator.id, "bill.differences", String::new()).await;
        looked.map_err(|error| orders_fault(&error))?;
        list_differences(ctx, open, &PageArgs { first, after, last, before }).await
    }

    /// Operators: where a refund stands, by its id or by what the gateway knows it by. Null when there is none. Looking is audited.
    async fn refund_lookup(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refund's id, or what the gateway knows it by.")] id: ID,
    ) -> Result<Option<RefundRecord>> {
        let operator = ctx.require_operator()?;
        let Some(id) = id.parse::<RefundId>().ok().or_else(|| RefundId::from_number(&id)) else { return Ok(None) };
        let orders = &ctx.services().orders;
        orders.audit_look(operator.id, "refund.lookup", id.to_string()).await.map_err(|error| orders_fault(&error))?;
        let found = orders.any_refund(id).await.map_err(|error| orders_fault(&error))?;
        Ok(found.map(RefundRecord))
    }
}
