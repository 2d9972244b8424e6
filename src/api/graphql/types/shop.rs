//! Public information about the shop.

use async_graphql::{Context, Enum, Object};

use super::int::clamped;
use super::payments::PaymentMethod;
use super::scalars::{DateTime, Url};
use crate::api::graphql::context::ContextExt as _;
use crate::model::sales::ShopState;

/// Whether the shop sells.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShopStatus {
    /// Sales can be bought from during their sessions.
    Open,
    /// An operator has stopped all sales until further notice. Their status is `PAUSED`, and purchases are rejected with
    /// `SALE_PAUSED`.
    Paused,
}

impl From<ShopState> for ShopStatus {
    fn from(shop: ShopState) -> Self {
        if shop.paused { Self::Paused } else { Self::Open }
    }
}

/// Public information about the shop.
pub struct Shop;

/// Public information about the shop.
#[Object]
impl Shop {
    /// The shop's name, for page titles.
    async fn name<'a>(&self, ctx: &'a Context<'_>) -> &'a str {
        &ctx.services().config.shop.name
    }

    /// The shop's time zone: an IANA name such as `Asia/Shanghai`.
    async fn time_zone<'a>(&self, ctx: &'a Context<'_>) -> &'a str {
        &ctx.services().config.sales.time_zone
    }

    /// The payment methods that the shop supports. A sale without a price in points does not accept points.
    async fn payment_methods(&self, ctx: &Context<'_>) -> Vec<PaymentMethod> {
        let alipay = ctx.services().config.payments.has_alipay();
        alipay.then_some(PaymentMethod::Alipay).into_iter().chain([PaymentMethod::Points]).collect()
    }

    /// Whether new users can sign up.
    async fn sign_up_open(&self, ctx: &Context<'_>) -> bool {
        ctx.services().config.accounts.sign_up_open
    }

    /// The number of points granted at sign-up. 0 if there are none.
    async fn welcome_points(&self, ctx: &Context<'_>) -> i32 {
        clamped(u64::try_from(ctx.services().live.now().points.welcome).unwrap_or_default())
    }

    /// Whether the shop sells, or an operator has stopped all sales.
    async fn status(&self, ctx: &Context<'_>) -> ShopStatus {
        ctx.services().sales.snapshot().shop().into()
    }

    /// When the status last changed.
    async fn status_since(&self, ctx: &Context<'_>) -> DateTime {
        DateTime(ctx.services().sales.snapshot().shop().since)
    }

    /// The address of the shop's support. Null if there is none.
    async fn support_url(&self, ctx: &Context<'_>) -> Option<Url> {
        let url = &ctx.services().config.shop.support_url;
        (!url.is_empty()).then(|| Url(url.clone()))
    }
}
