//! How operators prepare sessions and sales.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};

use super::act::operator_act;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::loaders::ProductLoader;
use crate::api::graphql::types::sales::{SaleObject, SaleSessionObject};
use crate::api::graphql::types::scalars::{DateTime, MoneyInput};
use crate::kernel::{ProductId, SaleId, SessionId};
use crate::model::rights::Right;
use crate::sales::{SaleChange, SaleInput, SessionInput};

/// A new sale session.
#[derive(InputObject)]
pub struct SaleSessionCreateInput {
    /// The name that shoppers see: at most 200 characters on one line.
    pub name: Option<String>,
    /// When the session starts.
    pub starts_at: DateTime,
    /// When the session ends, exclusive: at most seven days after its start. Defaults to two hours after the start.
    pub ends_at: Option<DateTime>,
}

/// A new sale, which starts as a draft.
#[derive(InputObject)]
pub struct SaleCreateInput {
    /// The session in which the sale runs.
    pub session_id: ID,
    /// The product.
    pub product_id: ID,
    /// The price per unit, above zero.
    pub price: MoneyInput,
    /// The price per unit in loyalty points, from 1 to 1000000000; multiplied by `limitPerBuyer`, at most 2147483647.
    /// If absent, the sale does not accept points.
    pub points_price: Option<i32>,
    /// The number of units, from 1 to 10000000.
    pub stock: i32,
    /// The maximum number of units per buyer, from 1 to 1000.
    #[graphql(default = 1)]
    pub limit_per_buyer: i32,
    /// How many seconds a buyer has to pay an order, from 1 to 604800.
    #[graphql(default = 900)]
    pub pay_within_seconds: i32,
    /// Whether refunded units go back on sale.
    #[graphql(default = true)]
    pub returns_on_refund: bool,
}

/// The changes to a draft. Fields that are absent stay unchanged.
#[derive(InputObject)]
pub struct SaleUpdateInput {
    /// The sale.
    pub sale_id: ID,
    /// The version that the changes are based on. The update is rejected if a newer one exists. If absent, the version is not checked.
    pub version: Option<i32>,
    /// The session in which the sale runs.
    pub session_id: Option<ID>,
    /// The product.
    pub product_id: Option<ID>,
    /// The price per unit, above zero.
    pub price: Option<MoneyInput>,
    /// The price per unit in loyalty points, from 1 to 1000000000; multiplied by `limitPerBuyer`, at most 2147483647.
    /// If null, the sale does not accept points.
    pub points_price: MaybeUndefined<i32>,
    /// The number of units, from 1 to 10000000.
    pub stock: Option<i32>,
    /// The maximum number of units per buyer, from 1 to 1000.
    pub limit_per_buyer: Option<i32>,
    /// How many seconds a buyer has to pay an order, from 1 to 604800.
    pub pay_within_seconds: Option<i32>,
    /// Whether refunded units go back on sale.
    pub returns_on_refund: Option<bool>,
}

operator_act! {
    /// Why a session was not created.
    codes SaleSessionCreateErrorCode {
        /// The name is too long or contains control characters.
        NameInvalid,
        /// The end of the session is not after its start.
        WindowInvalid,
        /// The session is longer than seven days.
        WindowTooLong,
    }
    /// Why a session was not created.
    error SaleSessionCreateUserError;
    /// The result of creating a session.
    payload SaleSessionCreatePayload {
        /// The new session. Null when there are user errors.
        session: SaleSessionObject
    }
}

operator_act! {
    /// Why a sale was not created.
    codes SaleCreateErrorCode {
        /// No such session exists.
        SessionNotFound,
        /// No such product exists.
        ProductNotFound,
        /// The price is not a plain decimal number.
        PriceInvalid,
        /// The price has more decimal places than its currency.
        PriceScaleInvalid,
        /// The price is zero, negative or too high.
        PriceOutOfRange,
        /// The price in points is zero, negative or too high, or an order of `limitPerBuyer` units would cost more
        /// than 2147483647 points.
        PointsPriceInvalid,
        /// The stock is out of range.
        StockInvalid,
        /// The limit per buyer is out of range.
        LimitPerBuyerInvalid,
        /// The payment period is out of range.
        PayWithinInvalid,
    }
    /// Why a sale was not created.
    error SaleCreateUserError;
    /// The result of creating a sale.
    payload SaleCreatePayload {
        /// The new sale. Null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// Why a sale was not updated.
    codes SaleUpdateErrorCode {
        /// No such sale exists.
        SaleNotFound,
        /// The sale has been changed since the given version.
        VersionConflict,
        /// The sale is no longer a draft.
        SaleAlreadyPublished,
        /// The sale has ended.
        SaleEnded,
        /// No such session exists.
        SessionNotFound,
        /// No such product exists.
        ProductNotFound,
        /// The price is not a plain decimal number.
        PriceInvalid,
        /// The price has more decimal places than its currency.
        PriceScaleInvalid,
        /// The price is zero, negative or too high.
        PriceOutOfRange,
        /// The price in points is zero, negative or too high, or an order of `limitPerBuyer` units would cost more
        /// than 2147483647 points.
        PointsPriceInvalid,
        /// The stock is out of range.
        StockInvalid,
        /// The limit per buyer is out of range.
        LimitPerBuyerInvalid,
        /// The payment period is out of range.
        PayWithinInvalid,
    }
    /// Why a sale was not updated.
    error SaleUpdateUserError;
    /// The result of updating a sale.
    payload SaleUpdatePayload {
        /// The sale after the update. Null when there are user errors.
        sale: SaleObject
    }
}

/// The sale's id; what does not parse gets an id that no sale has: malformed and unknown ids are answered alike.
pub(super) fn sale_id(id: &ID) -> SaleId {
    id.parse().unwrap_or(SaleId::from_bytes([0; 16]))
}

fn session_id(id: &ID) -> SessionId {
    id.parse().unwrap_or(SessionId::from_bytes([0; 16]))
}

fn product_id(id: &ID) -> ProductId {
    id.parse().unwrap_or(ProductId::from_bytes([0; 16]))
}

/// Mutations of sessions and drafts.
#[derive(Default)]
pub struct SalesMutation;

#[Object]
impl SalesMutation {
    /// Creates a sale session. Operators only.
    async fn sale_session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new session.")] input: SaleSessionCreateInput,
    ) -> Result<SaleSessionCreatePayload> {
        let operator = ctx.require(Right::RunSales)?;
        let services = ctx.services();
        let SaleSessionCreateInput { name, starts_at, ends_at } = input;
        let input = SessionInput { name, starts_at: starts_at.0, ends_at: ends_at.map(|at| at.0) };
        let acted = services.sales.session_create(operator.id, input).await;
        let object = |session| SaleSessionObject::new(session, ProductLoader::new(&services.catalog));
        SaleSessionCreatePayload::of(acted.map(object))
    }

    /// Creates a sale as a draft. Operators only. All problems with the input are reported together.
    async fn sale_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new sale.")] input: SaleCreateInput,
    ) -> Result<SaleCreatePayload> {
        let operator = ctx.require(Right::RunSales)?;
        let services = ctx.services();
        let input = SaleInput {
            session_id: session_id(&input.session_id),
            product_id: product_id(&input.product_id),
            price: input.price.into(),
            points_price: input.points_price.map(i64::from),
            stock: input.stock.into(),
            limit_per_buyer: input.limit_per_buyer.into(),
            pay_within_seconds: input.pay_within_seconds.into(),
            returns_on_refund: input.returns_on_refund,
        };
        let acted = services.sales.sale_create(operator.id, input).await;
        SaleCreatePayload::of(acted.map(|offer| SaleObject::single(services, offer)))
    }

    /// Updates a draft. Operators only. All problems with the input are reported together.
    async fn sale_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The changes.")] input: SaleUpdateInput,
    ) -> Result<SaleUpdatePayload> {
        let operator = ctx.require(Right::RunSales)?;
        let services = ctx.services();
        let points_price: Option<Option<i32>> = input.points_price.into();
        let change = SaleChange {
            version: input.version.map(i64::from),
            session_id: input.session_id.as_ref().map(session_id),
            product_id: input.product_id.as_ref().map(product_id),
            price: input.price.map(Into::into),
            points_price: points_price.map(|points| points.map(i64::from)),
            stock: input.stock.map(i64::from),
            limit_per_buyer: input.limit_per_buyer.map(i64::from),
            pay_within_seconds: input.pay_within_seconds.map(i64::from),
            returns_on_refund: input.returns_on_refund,
        };
        let acted = services.sales.sale_update(operator.id, sale_id(&input.sale_id), change).await;
        SaleUpdatePayload::of(acted.map(|offer| SaleObject::single(services, offer)))
    }
}
