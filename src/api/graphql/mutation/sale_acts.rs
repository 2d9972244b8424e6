//! What operators do to a sale once it is prepared: publish, pause, resume, end, add stock.

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::act::operator_act;
use super::sales::sale_id;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::types::sales::SaleObject;
use crate::sales::StockAdd;

/// Which sale to publish.
#[derive(InputObject)]
pub struct SalePublishInput {
    /// The sale.
    pub sale_id: ID,
}

/// Which sale to pause.
#[derive(InputObject)]
pub struct SalePauseInput {
    /// The sale.
    pub sale_id: ID,
}

/// Which sale to resume.
#[derive(InputObject)]
pub struct SaleResumeInput {
    /// The sale.
    pub sale_id: ID,
}

/// Which sale to end.
#[derive(InputObject)]
pub struct SaleEndInput {
    /// The sale.
    pub sale_id: ID,
}

/// Units to add to a sale.
#[derive(InputObject)]
pub struct SaleStockAddInput {
    /// The sale.
    pub sale_id: ID,
    /// How many: at least 1, and at most 10000000 in all with those there already.
    pub units: i32,
    /// 8 to 64 of A-Z, a-z, 0-9, `_` and `-`. Within one sale the same key adds only once, however often it is sent.
    pub idempotency_key: String,
}

operator_act! {
    /// Why publishing a sale was refused.
    codes SalePublishErrorCode {
        /// There is no such sale.
        SaleNotFound,
        /// The sale is not a draft any more.
        SaleAlreadyPublished,
        /// The sale was ended.
        SaleEnded,
        /// The sale's session is over.
        SessionEnded,
    }
    /// Why publishing a sale was refused.
    error SalePublishUserError;
    /// What came of publishing a sale.
    payload SalePublishPayload {
        /// The sale afterwards; null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why pausing a sale was refused.
    codes SalePauseErrorCode {
        /// There is no such sale.
        SaleNotFound,
        /// The sale is still a draft.
        SaleNotPublished,
        /// The sale is paused already.
        SaleAlreadyPaused,
        /// The sale was ended.
        SaleEnded,
        /// The sale's session is over.
        SessionEnded,
    }
    /// Why pausing a sale was refused.
    error SalePauseUserError;
    /// What came of pausing a sale.
    payload SalePausePayload {
        /// The sale afterwards; null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why resuming a sale was refused.
    codes SaleResumeErrorCode {
        /// There is no such sale.
        SaleNotFound,
        /// The sale is still a draft.
        SaleNotPublished,
        /// The sale is not paused.
        SaleNotPaused,
        /// The sale was ended.
        SaleEnded,
        /// The sale's session is over.
        SessionEnded,
    }
    /// Why resuming a sale was refused.
    error SaleResumeUserError;
    /// What came of resuming a sale.
    payload SaleResumePayload {
        /// The sale afterwards; null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why ending a sale was refused.
    codes SaleEndErrorCode {
        /// There is no such sale.
        SaleNotFound,
        /// The sale is still a draft.
        SaleNotPublished,
        /// The sale was ended already.
        SaleEnded,
    }
    /// Why ending a sale was refused.
    error SaleEndUserError;
    /// What came of ending a sale.
    payload SaleEndPayload {
        /// The sale afterwards; null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why adding units was refused.
    codes SaleStockAddErrorCode {
        /// There is no such sale.
        SaleNotFound,
        /// The units are outside their limits, or the sum is.
        UnitsInvalid,
        /// The key is too short, too long, or has other characters.
        IdempotencyKeyInvalid,
        /// The key was used with another number of units.
        IdempotencyKeyReused,
        /// The sale is still a draft: change its stock instead.
        SaleNotPublished,
        /// The sale was ended.
        SaleEnded,
        /// The sale's session is over.
        SessionEnded,
    }
    /// Why adding units was refused.
    error SaleStockAddUserError;
    /// What came of adding units.
    payload SaleStockAddPayload {
        /// The sale afterwards; null when there are user errors.
        sale: SaleObject
    }
}

/// Mutations of prepared sales.
#[derive(Default)]
pub struct SaleActsMutation;

#[Object]
impl SaleActsMutation {
    /// Lets a draft sell in its session's window. For operators.
    async fn sale_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sale.")] input: SalePublishInput,
    ) -> Result<SalePublishPayload> {
        let operator = ctx.require_operator()?;
        let services = ctx.services();
        let acted = services.sales.sale_publish(operator.id, sale_id(&input.sale_id)).await;
        SalePublishPayload::of(acted.map(|offer| SaleObject::single(services, offer)))
    }

    /// Stops a sale for now. For operators.
    async fn sale_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sale.")] input: SalePauseInput,
    ) -> Result<SalePausePayload> {
        let operator = ctx.require_operator()?;
        let services = ctx.services();
        let acted = services.sales.sale_pause(operator.id, sale_id(&input.sale_id)).await;
        SalePausePayload::of(acted.map(|offer| SaleObject::single(services, offer)))
    }

    /// Lets a paused sale sell again. For operators.
    async fn sale_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sale.")] input: SaleResumeInput,
    ) -> Result<SaleResumePayload> {
        let operator = ctx.require_operator()?;
        let services = ctx.services();
        let acted = services.sales.sale_resume(operator.id, sale_id(&input.sale_id)).await;
        SaleResumePayload::of(acted.map(|offer| SaleObject::single(services, offer)))
    }

    /// Stops a sale for good. Orders that exist can still be paid in their time. For operators.
    async fn sale_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which sale.")] input: SaleEndInput,
    ) -> Result<SaleEndPayload> {
        let operator = ctx.require_operator()?;
        let services = ctx.services();
        let acted = services.sales.sale_end(operator.id, sale_id(&input.sale_id)).await;
        SaleEndPayload::of(acted.map(|offer| SaleObject::single(services, offer)))
    }

    /// Adds units to a published sale; they can be bought at once. For operators.
    async fn sale_stock_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What to add to which sale.")] input: SaleStockAddInput,
    ) -> Result<SaleStockAddPayload> {
        let operator = ctx.require_operator()?;
        let services = ctx.services();
        let SaleStockAddInput { sale_id: id, units, idempotency_key } = input;
        let add = StockAdd { sale: sale_id(&id), units: units.into(), idempotency_key };
        let acted = services.sales.sale_stock_add(operator.id, add).await;
        SaleStockAddPayload::of(acted.map(|offer| SaleObject::single(services, offer)))
    }
}
