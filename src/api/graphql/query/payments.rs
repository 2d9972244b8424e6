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
use crate::model::rights::Right;

/// Queries of payments.
#[derive(Default)]
pub struct PaymentsQuery;

#[Object]
impl PaymentsQuery {
    /// The payments and refunds of an order with their logs. It can be found by order ID or number, payment or refund ID
    /// or number, or Alipay transaction number. Null if there is no match. `payments` lists payments by buyer and day.
    /// Staff only; each query is audited.
    async fn payment_lookup(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An order ID or number, a payment or refund ID or number, or an Alipay transaction number.")]
        id: ID,
    ) -> Result<Option<PaymentLookup>> {
        let operator = ctx.require(Right::SeeBuyers)?;
        let payments = &ctx.services().payments;
        let fault = |error| orders_fault(&error);
        let order = payments.order_of_reference(&id).await.map_err(fault)?;
        let Some(id) = order else { return Ok(None) };
        let Some(order) = payments.order(id).await.map_err(fault)? else { return Ok(None) };
        payments.audit_look(operator.id, "payment.lookup", id.to_string()).await.map_err(fault)?;
        let attempts = payments.payments_of(id).await.map_err(fault)?;
        let refunds = payments.refunds_of(id).await.map_err(fault)?;
        Ok(Some(PaymentLookup {
            order: Order(order),
            payments: attempts.into_iter().map(PaymentRecord).collect(),
            refunds: refunds.into_iter().map(RefundRecord).collect(),
        }))
    }

    /// Payments, newest first. Staff only; each query is audited.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Return only payments with these statuses. Defaults to all statuses.")] statuses: Option<
            Vec<PaymentStatus>,
        >,
        #[graphql(desc = "Return only payments with these methods. Defaults to all methods.")] methods: Option<
            Vec<PaymentMethod>,
        >,
        #[graphql(desc = "Return only payments with a flag (true) or without one (false). Defaults to both.")]
        flagged: Option<bool>,
        #[graphql(desc = "Return only payments of the buyer with this username, in any case.")] buyer: Option<String>,
        #[graphql(desc = "Return only payments that started at this time or later.")] from: Option<DateTime>,
        #[graphql(desc = "Return only payments that started before this time.")] until: Option<DateTime>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<PaymentRecordConnection> {
        audited(ctx, Right::SeeBuyers, "payment.list").await?;
        let wanted = PaymentsWanted { statuses, methods, flagged, buyer, within: Within { from, until } };
        list_payments(ctx, wanted, &PageArgs { first, after, last, before }).await
    }

    /// Refunds, newest first. Staff only; each query is audited.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn refunds(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Return only refunds with these statuses. Defaults to all statuses.")] statuses: Option<
            Vec<RefundStatus>,
        >,
        #[graphql(desc = "Return only refunds with these causes. Defaults to all causes.")] causes: Option<
            Vec<PaymentRefundCause>,
        >,
        #[graphql(desc = "Return only refunds that were requested at this time or later.")] from: Option<DateTime>,
        #[graphql(desc = "Return only refunds that were requested before this time.")] until: Option<DateTime>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<RefundRecordConnection> {
        audited(ctx, Right::SeeBuyers, "refund.list").await?;
        list_refunds(ctx, statuses, causes, Within { from, until }, &PageArgs { first, after, last, before }).await
    }

    /// Payments and refunds that need attention. Staff only; each query is audited.
    async fn stuck_payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The maximum number of payments and of refunds to return. Defaults to the default page size."
        )]
        first: Option<i32>,
        #[graphql(desc = "Return items after this cursor: the `pageInfo.endCursor` of the previous page.")]
        after: Option<String>,
    ) -> Result<StuckPayments> {
        audited(ctx, Right::SeeBuyers, "payment.stuck").await?;
        list_stuck(ctx, first, after.as_deref()).await
    }

    /// Discrepancies between the payment gateway's bills and the shop's records, oldest first. Open ones fail
    /// `doorbuster payments audit`. Operators and observers only; each query is audited.
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
        audited(ctx, Right::SeeShop, "bill.differences").await?;
        list_differences(ctx, open, &PageArgs { first, after, last, before }).await
    }

    /// A refund, by its ID or its number at the gateway. Null if there is no match. Staff only; each query is audited.
    async fn refund_lookup(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The refund's ID, or its number at the gateway.")] id: ID,
    ) -> Result<Option<RefundRecord>> {
        let operator = ctx.require(Right::SeeBuyers)?;
        let Some(id) = id.parse::<RefundId>().ok().or_else(|| RefundId::from_number(&id)) else { return Ok(None) };
        let payments = &ctx.services().payments;
        payments
            .audit_look(operator.id, "refund.lookup", id.to_string())
            .await
            .map_err(|error| orders_fault(&error))?;
        let found = payments.any_refund(id).await.map_err(|error| orders_fault(&error))?;
        Ok(found.map(RefundRecord))
    }
}

/// For those with this right only, and written down that one looked at a list.
async fn audited(ctx: &Context<'_>, right: Right, act: &'static str) -> Result<()> {
    let operator = ctx.require(right)?;
    let looked = ctx.services().payments.audit_look(operator.id, act, String::new()).await;
    looked.map_err(|error| orders_fault(&error))
}
