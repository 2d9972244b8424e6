//! The last minutes of the shop in numbers.

use async_graphql::{Context, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::Code;
use crate::api::graphql::types::pulse::ShopPulse;
use crate::control::pulse::KEPT;
use crate::model::rights::Right;

/// Queries of the shop in numbers.
#[derive(Default)]
pub struct PulseQuery;

#[Object]
impl PulseQuery {
    /// The last seconds of the shop in numbers, one frame for each, oldest first, for charts that have just been opened.
    /// Counts that arrived too late for `shopPulse` are included. Operators and observers only.
    async fn shop_pulses(
        &self,
        ctx: &Context<'_>,
        #[graphql(default = 300, desc = "The number of seconds to return, from 1 to 900.")] seconds: i32,
    ) -> Result<Vec<ShopPulse>> {
        ctx.require(Right::SeeShop)?;
        let seconds = usize::try_from(seconds).ok().filter(|seconds| (1..=KEPT).contains(seconds));
        let seconds =
            seconds.ok_or_else(|| Code::BadUserInput.error(format!("`seconds` must be from 1 to {KEPT}.")))?;
        Ok(ctx.services().control.pulse().last(seconds).into_iter().map(ShopPulse).collect())
    }
}
