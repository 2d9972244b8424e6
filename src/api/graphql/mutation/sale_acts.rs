//! What operators do to a sale once it is prepared: publish, pause, resume, end, add stock.

use async_graphql::{Context, ID, InputObject, Object, Result};

use super::act::operator_act;
use super::sales::sale_id;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::types::sales::SaleObject;
use crate::catalog::ActError;
use crate::kernel::UserId;
use crate::model::rights::Right;
use crate::model::snapshot::Offer;
use crate::sales::{Act, Grounds, Sales, StockAdd};

/// The sale to publish.
#[derive(InputObject)]
pub struct SalePublishInput {
    /// The sale.
    pub sale_id: ID,
    /// The reason, for the audit log: 1 to 500 characters on one line.
    pub reason: Option<String>,
    /// The version of the sale that was looked at. If the sale has another version by now, nothing is changed. If absent, it is not
    /// compared.
    pub version: Option<i32>,
}

/// The sale to pause.
#[derive(InputObject)]
pub struct SalePauseInput {
    /// The sale.
    pub sale_id: ID,
    /// The reason, for the audit log: 1 to 500 characters on one line.
    pub reason: Option<String>,
    /// The version of the sale that was looked at. If the sale has another version by now, nothing is changed. If absent, it is not
    /// compared.
    pub version: Option<i32>,
}

/// The sale to resume.
#[derive(InputObject)]
pub struct SaleResumeInput {
    /// The sale.
    pub sale_id: ID,
    /// The reason, for the audit log: 1 to 500 characters on one line.
    pub reason: Option<String>,
    /// The version of the sale that was looked at. If the sale has another version by now, nothing is changed. If absent, it is not
    /// compared.
    pub version: Option<i32>,
}

/// The sale to end.
#[derive(InputObject)]
pub struct SaleEndInput {
    /// The sale.
    pub sale_id: ID,
    /// The reason, for the audit log: 1 to 500 characters on one line.
    pub reason: Option<String>,
    /// The version of the sale that was looked at. If the sale has another version by now, nothing is changed. If absent, it is not
    /// compared.
    pub version: Option<i32>,
}

/// The units to add to a sale.
#[derive(InputObject)]
pub struct SaleStockAddInput {
    /// The sale.
    pub sale_id: ID,
    /// The number of units to add, at least 1. The resulting total must not exceed 10000000.
    pub units: i32,
    /// An idempotency key: 8 to 64 characters of `A-Z a-z 0-9 _ -`. Within one sale, repeating a request with the
    /// same key adds the units only once.
    pub idempotency_key: String,
    /// The reason, for the audit log: 1 to 500 characters on one line.
    pub reason: Option<String>,
}

operator_act! {
    /// Why a sale was not published.
    codes SalePublishErrorCode {
        /// No such sale exists.
        SaleNotFound,
        /// The sale is no longer a draft.
        SaleAlreadyPublished,
        /// The sale has ended.
        SaleEnded,
        /// The session of the sale is over.
        SessionEnded,
        /// The reason is empty, too long, or contains control characters.
        ReasonInvalid,
        /// The sale was changed in the meantime.
        VersionConflict,
    }
    /// Why a sale was not published.
    error SalePublishUserError;
    /// The result of publishing a sale.
    payload SalePublishPayload {
        /// The sale after the change. Null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why a sale was not paused.
    codes SalePauseErrorCode {
        /// No such sale exists.
        SaleNotFound,
        /// The sale is still a draft.
        SaleNotPublished,
        /// The sale is already paused.
        SaleAlreadyPaused,
        /// The sale has ended.
        SaleEnded,
        /// The session of the sale is over.
        SessionEnded,
        /// The reason is empty, too long, or contains control characters.
        ReasonInvalid,
        /// The sale was changed in the meantime.
        VersionConflict,
    }
    /// Why a sale was not paused.
    error SalePauseUserError;
    /// The result of pausing a sale.
    payload SalePausePayload {
        /// The sale after the change. Null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why a sale was not resumed.
    codes SaleResumeErrorCode {
        /// No such sale exists.
        SaleNotFound,
        /// The sale is still a draft.
        SaleNotPublished,
        /// The sale is not paused.
        SaleNotPaused,
        /// The sale has ended.
        SaleEnded,
        /// The session of the sale is over.
        SessionEnded,
        /// The reason is empty, too long, or contains control characters.
        ReasonInvalid,
        /// The sale was changed in the meantime.
        VersionConflict,
    }
    /// Why a sale was not resumed.
    error SaleResumeUserError;
    /// The result of resuming a sale.
    payload SaleResumePayload {
        /// The sale after the change. Null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why a sale was not ended.
    codes SaleEndErrorCode {
        /// No such sale exists.
        SaleNotFound,
        /// The sale is still a draft.
        SaleNotPublished,
        /// The sale has already ended.
        SaleEnded,
        /// The reason is empty, too long, or contains control characters.
        ReasonInvalid,
        /// The sale was changed in the meantime.
        VersionConflict,
    }
    /// Why a sale was not ended.
    error SaleEndUserError;
    /// The result of ending a sale.
    payload SaleEndPayload {
        /// The sale after the change. Null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why no units were added.
    codes SaleStockAddErrorCode {
        /// No such sale exists.
        SaleNotFound,
        /// The number of units, or the resulting total, is out of range.
        UnitsInvalid,
        /// The idempotency key is too short, too long, or contains invalid characters.
        IdempotencyKeyInvalid,
        /// The idempotency key was already used with another number of units.
        IdempotencyKeyReused,
        /// The sale is still a draft. Update its stock instead.
        SaleNotPublished,
        /// The sale has ended.
        SaleEnded,
        /// The session of the sale is over.
        SessionEnded,
        /// The reason is empty, too long, or contains control characters.
        ReasonInvalid,
    }
    /// Why no units were added.
    error SaleStockAddUserError;
    /// The result of adding units.
    payload SaleStockAddPayload {
        /// The sale after the change. Null when there are user errors.
        sale: SaleObject
    }
}

/// Applies an action to a sale on behalf of the signed-in operator and returns the updated sale. Fails for everybody else.
async fn acted<'a, F>(
    ctx: &'a Context<'_>,
    act: impl FnOnce(&'a Sales, UserId) -> F,
) -> Result<Result<SaleObject, ActError>>
where
    F: Future<Output = Result<Offer, ActError>>,
{
    let operator = ctx.require(Right::RunSales)?;
    let services = ctx.services();
    let done = act(&services.sales, operator.id).await;
    Ok(done.map(|offer| SaleObject::single(services, offer)))
}

fn grounds(reason: Option<String>, version: Option<i32>) -> Grounds {
    Grounds { reason, version: version.map(i64::from) }
}

/// Publishes, pauses, resumes or ends.
async fn turned(ctx: &Context<'_>, id: &ID, act: Act, grounds: Grounds) -> Result<Result<SaleObject, ActError>> {
    let id = sale_id(id);
    acted(ctx, |sales, operator| sales.sale_act(operator, id, act, grounds)).await
}

/// Mutations of prepared sales.
#[derive(Default)]
pub struct SaleActsMutation;

#[Object]
impl SaleActsMutation {
    /// Publishes a draft, so that it opens during its session. Operators only.
    async fn sale_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale.")] input: SalePublishInput,
    ) -> Result<SalePublishPayload> {
        let SalePublishInput { sale_id: id, reason, version } = input;
        SalePublishPayload::of(turned(ctx, &id, Act::Publish, grounds(reason, version)).await?)
    }

    /// Pauses a sale until it is resumed. Operators only.
    async fn sale_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale.")] input: SalePauseInput,
    ) -> Result<SalePausePayload> {
        let SalePauseInput { sale_id: id, reason, version } = input;
        SalePausePayload::of(turned(ctx, &id, Act::Pause, grounds(reason, version)).await?)
    }

    /// Resumes a paused sale. Operators only.
    async fn sale_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale.")] input: SaleResumeInput,
    ) -> Result<SaleResumePayload> {
        let SaleResumeInput { sale_id: id, reason, version } = input;
        SaleResumePayload::of(turned(ctx, &id, Act::Resume, grounds(reason, version)).await?)
    }

    /// Ends a sale permanently. Existing orders can still be paid until they expire. Operators only.
    async fn sale_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale.")] input: SaleEndInput,
    ) -> Result<SaleEndPayload> {
        let SaleEndInput { sale_id: id, reason, version } = input;
        SaleEndPayload::of(turned(ctx, &id, Act::End, grounds(reason, version)).await?)
    }

    /// Adds units to a published sale. They are available immediately. Operators only.
    async fn sale_stock_add(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The sale, and the number of units to add.")] input: SaleStockAddInput,
    ) -> Result<SaleStockAddPayload> {
        let SaleStockAddInput { sale_id: id, units, idempotency_key, reason } = input;
        let add = StockAdd { sale: sale_id(&id), units: units.into(), idempotency_key };
        let grounds = grounds(reason, None);
        SaleStockAddPayload::of(acted(ctx, |sales, operator| sales.sale_stock_add_for(operator, add, grounds)).await?)
    }
}
