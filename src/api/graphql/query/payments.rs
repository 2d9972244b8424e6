//! Money that came and went, for operators.

use async_graphql::{Context, ID, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::orders_fault;
use crate::api::graphql::types::bills::{BillDifferenceConnection, list_differences};
use crate::api::graphql::types::connection::PageArgs;
use crate::api::graphql::types::money_lists::{
    PaymentRecordConnection, PaymentsWanted, RefundRecordConnection, StuckPayments, Within, list_payments,
    list_refunds, list_stuck,
};
use crate::api::graphql::types::orders::Order;
use crate::api::graphql::types::payments::{
    PaymentLookup, PaymentMethod, PaymentRecord, PaymentRefundCause, PaymentStatus, RefundRecord, RefundStatus,
};
use crate::api::graphql::types::scalars::DateTime;
use crate::kernel::RefundId;

/// Queries of payments.
#[derive(Default)]
pub struct PaymentsQuery;

#[Object]
impl PaymentsQuery {
    /// Operators: the payments and refunds of an order with their logs, by anything that a buyer can read out: the order's id or
    /// number, the id or number of a payment or a refund, or the number of Alipay's trade. Null when there is none. Looking is audited.
    /// `payments` finds them by the buyer and the day.
    async fn payment_lookup(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The order's id or number, the id or number of a payment or a refund, or Alipay's number of the trade."
        )]
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

    /// Operators: payments, newest first. Looking is audited.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those that stand so; all when absent.")] statuses: Option<Vec<PaymentStatus>>,
        #[graphql(desc = "Only those paid so; all when absent.")] methods: Option<Vec<PaymentMethod>>,
        #[graphql(desc = "Only marked ones, or only others; all when absent.")] flagged: Option<bool>,
        #[graphql(desc = "Only those of the buyer with this username, in any case.")] buyer: Option<String>,
        #[graphql(desc = "Begun at or after.")] from: Option<DateTime>,
        #[graphql(desc = "Begun before.")] until: Option<DateTime>,
        #[graphql(desc = "This many from the beginning.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<PaymentRecordConnection> {
        audited(ctx, "payment.list").await?;
        let wanted = PaymentsWanted { statuses, methods, flagged, buyer, within: Within { from, until } };
        list_payments(ctx, wanted, &PageArgs { first, after, last, before }).await
    }

    /// Operators: refunds, newest first. Looking is audited.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn refunds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only those that stand so; all when absent.")] statuses: Option<Vec<RefundStatus>>,
        #[graphql(desc = "Only for these reasons; for all when absent.")] causes: Option<Vec<PaymentRefundCause>>,
        #[graphql(desc = "Asked for at or after.")] from: Option<DateTime>,
        #[graphql(desc = "Asked for before.")] until: Option<DateTime>,
        #[graphql(desc = "This many from the beginning.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<RefundRecordConnection> {
        audited(ctx, "refund.list").await?;
        list_refunds(ctx, statuses, causes, Within { from, until }, &PageArgs { first, after, last, before }).await
    }

    /// Operators: payments and refunds that somebody should look at. Looking is audited.
    async fn stuck_payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How many of each at most; the page size when absent.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this page: its `pageInfo.endCursor`.")] after: Option<String>,
    ) -> Result<StuckPayments> {
        audited(ctx, "payment.stuck").await?;
        list_stuck(ctx, first, after.as_deref()).await
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
        audited(ctx, "bill.differences").await?;
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

/// For operators only, and written down that one looked at a list.
async fn audited(ctx: &Context<'_>, act: &'static str) -> Result<()> {
    let operator = ctx.require_operator()?;
    let looked = ctx.services().orders.audit_look(operator.id, act, String::new()).await;
    looked.map_err(|error| orders_fault(&error))
}
