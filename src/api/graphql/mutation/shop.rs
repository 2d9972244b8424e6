//! Stopping all sales, and letting the shop sell again.

use async_graphql::{Context, InputObject, Object, Result};

use super::act::operator_act;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::types::shop::Shop;
use crate::model::rights::Right;

/// The reason for stopping all sales.
#[derive(InputObject)]
pub struct ShopPauseInput {
    /// For the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

/// The reason for letting the shop sell again.
#[derive(InputObject)]
pub struct ShopResumeInput {
    /// For the audit log: 1 to 500 characters on one line.
    pub reason: String,
}

operator_act! {
    /// Why all sales were not stopped.
    codes ShopPauseErrorCode {
        /// The reason is missing, too long, or contains control characters.
        ReasonInvalid,
        /// All sales are stopped already.
        ShopAlreadyPaused,
    }
    /// Why all sales were not stopped.
    error ShopPauseUserError;
    /// The result of stopping all sales.
    payload ShopPausePayload {
        /// The shop after the change. Null when there are user errors.
        shop: Shop
    }
}

operator_act! {
    /// Why the shop does not sell again.
    codes ShopResumeErrorCode {
        /// The reason is missing, too long, or contains control characters.
        ReasonInvalid,
        /// The shop is not stopped.
        ShopNotPaused,
    }
    /// Why the shop does not sell again.
    error ShopResumeUserError;
    /// The result of letting the shop sell again.
    payload ShopResumePayload {
        /// The shop after the change. Null when there are user errors.
        shop: Shop
    }
}

/// Mutations of the shop as a whole.
#[derive(Default)]
pub struct ShopMutation;

#[Object]
impl ShopMutation {
    /// Stops all sales until further notice, on all nodes; also those that are published in the meantime. Existing
    /// orders can still be paid. Operators only; audited.
    async fn shop_pause(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reason for stopping all sales.")] input: ShopPauseInput,
    ) -> Result<ShopPausePayload> {
        let operator = ctx.require(Right::StopShop)?;
        let acted = ctx.services().sales.shop_pause(operator.id, input.reason).await;
        ShopPausePayload::of(acted.map(|_| Shop))
    }

    /// Lets the shop sell again. Sales that were paused individually stay paused. Operators only; audited.
    async fn shop_resume(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reason for letting the shop sell again.")] input: ShopResumeInput,
    ) -> Result<ShopResumePayload> {
        let operator = ctx.require(Right::StopShop)?;
        let acted = ctx.services().sales.shop_resume(operator.id, input.reason).await;
        ShopResumePayload::of(acted.map(|_| Shop))
    }
}
