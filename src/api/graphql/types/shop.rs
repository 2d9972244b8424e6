//! The shop as a whole.

use async_graphql::{Context, Object};

use super::int::clamped;
use super::payments::PaymentMethod;
use super::scalars::Url;
use crate::api::graphql::context::ContextExt as _;

/// The shop as a whole.
pub struct Shop;

/// The shop as a whole.
#[Object]
impl Shop {
    /// Its name, for titles.
    async fn name<'a>(&self, ctx: &'a Context<'_>) -> &'a str {
        &ctx.services().config.shop.name
    }

    /// The time zone in which its days and hours are meant: an IANA name such as `Asia/Shanghai`.
    async fn time_zone<'a>(&self, ctx: &'a Context<'_>) -> &'a str {
        &ctx.services().config.sales.time_zone
    }

    /// How orders can be paid at all. A sale without a price in points takes no points all the same.
    async fn payment_methods(&self, ctx: &Context<'_>) -> Vec<PaymentMethod> {
        let alipay = ctx.services().config.payments.has_alipay();
        alipay.then_some(PaymentMethod::Alipay).into_iter().chain([PaymentMethod::Points]).collect()
    }

    /// Whether anybody may sign up.
    async fn sign_up_open(&self, ctx: &Context<'_>) -> bool {
        ctx.services().config.accounts.sign_up_open
    }

    /// Points that a new account begins with; 0: none.
    async fn welcome_points(&self, ctx: &Context<'_>) -> i32 {
        clamped(u64::try_from(ctx.services().config.points.welcome).unwrap_or_default())
    }

    /// Where shoppers find help; null: nowhere.
    async fn support_url(&self, ctx: &Context<'_>) -> Option<Url> {
        let url = &ctx.services().config.shop.support_url;
        (!url.is_empty()).then(|| Url(url.clone()))
    }
}
