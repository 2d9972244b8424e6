//! How operators prepare sessions and sales.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result};

use super::act::operator_act;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::loaders::ProductLoader;
use crate::api::graphql::types::sales::{SaleObject, SaleSessionObject};
use crate::api::graphql::types::scalars::{DateTime, MoneyInput};
use crate::kernel::{ProductId, SaleId, SessionId};
use crate::sales::{SaleChange, SaleInput, SessionInput};

/// A new sale session.
#[derive(InputObject)]
pub struct SaleSessionCreateInput {
    /// What shoppers call it: at most 200 characters on one line.
    pub name: Option<String>,
    /// Its first moment.
    pub starts_at: DateTime,
    /// The first moment after it, at most seven days later; two hours later when absent.
    pub ends_at: Option<DateTime>,
}

/// A new sale; it begins as a draft.
#[derive(InputObject)]
pub struct SaleCreateInput {
    /// The session in which it sells.
    pub session_id: ID,
    /// What it sells.
    pub product_id: ID,
    /// The price of one unit, above zero.
    pub price: MoneyInput,
    /// The price of one unit in loyalty points, 1 to 1000000000, and times `limitPerBuyer` at most 2147483647; absent when it is not
    /// sold for points.
    pub points_price: Option<i32>,
    /// Units, 1 to 10000000.
    pub stock: i32,
    /// Units one buyer may hold, 1 to 1000.
    #[graphql(default = 1)]
    pub limit_per_buyer: i32,
    /// How long an order waits for its payment, 1 to 604800 seconds.
    #[graphql(default = 900)]
    pub pay_within_seconds: i32,
    /// Whether refunded units are sold again.
    #[graphql(default = true)]
    pub returns_on_refund: bool,
}

/// An edit of a draft. What is absent stays as it is.
#[derive(InputObject)]
pub struct SaleUpdateInput {
    /// The sale.
    pub sale_id: ID,
    /// The version that the edit was made from: refused when there is a newer one. Absent: the edit is made in any case.
    pub version: Option<i32>,
    /// The session in which it sells.
    pub session_id: Option<ID>,
    /// What it sells.
    pub product_id: Option<ID>,
    /// The price of one unit, above zero.
    pub price: Option<MoneyInput>,
    /// The price of one unit in loyalty points, 1 to 1000000000, and times `limitPerBuyer` at most 2147483647; null to not sell for
    /// points.
    pub points_price: MaybeUndefined<i32>,
    /// Units, 1 to 10000000.
    pub stock: Option<i32>,
    /// Units one buyer may hold, 1 to 1000.
    pub limit_per_buyer: Option<i32>,
    /// How long an order waits for its payment, 1 to 604800 seconds.
    pub pay_within_seconds: Option<i32>,
    /// Whether refunded units are sold again.
    pub returns_on_refund: Option<bool>,
}

operator_act! {
    /// What is wrong with a new session.
    codes SaleSessionCreateErrorCode {
        /// The name is too long, or has control characters.
        NameInvalid,
        /// The session does not end after it starts.
        WindowInvalid,
        /// The session is longer than seven days.
        WindowTooLong,
    }
    /// Something that is wrong with a new session.
    error SaleSessionCreateUserError;
    /// What came of creating a session.
    payload SaleSessionCreatePayload {
        /// The new session; null when there are user errors.
        session: SaleSessionObject
    }
}

operator_act! {
    /// What is wrong with a new sale.
    codes SaleCreateErrorCode {
        /// There is no such session.
        SessionNotFound,
        /// There is no such product.
        ProductNotFound,
        /// The price is not a plain decimal number.
        PriceInvalid,
        /// The price has more decimal places than its currency.
        PriceScaleInvalid,
        /// The price is zero, below zero, or too large.
        PriceOutOfRange,
        /// The price in points is zero, below zero, or too large, or an order of `limitPerBuyer` units would cost more than 2147483647.
        PointsPriceInvalid,
        /// The stock is outside its limits.
        StockInvalid,
        /// The limit per buyer is outside its limits.
        LimitPerBuyerInvalid,
        /// The seconds to pay are outside their limits.
        PayWithinInvalid,
    }
    /// Something that is wrong with a new sale.
    error SaleCreateUserError;
    /// What came of creating a sale.
    payload SaleCreatePayload {
        /// The new sale; null when there are user errors.
        sale: SaleObject
    }
}

operator_act! {
    /// What is wrong with an edit of a sale.
    codes SaleUpdateErrorCode {
        /// There is no such sale.
        SaleNotFound,
        /// Somebody else changed the sale in the meantime.
        VersionConflict,
        /// The sale is not a draft any more.
        SaleAlreadyPublished,
        /// The sale was ended.
        SaleEnded,
        /// There is no such session.
        SessionNotFound,
        /// There is no such product.
        ProductNotFound,
        /// The price is not a plain decimal number.
        PriceInvalid,
        /// The price has more decimal places than its currency.
        PriceScaleInvalid,
        /// The price is zero, below zero, or too large.
        PriceOutOfRange,
        /// The price in points is zero, below zero, or too large, or an order of `limitPerBuyer` units would cost more than 2147483647.
        PointsPriceInvalid,
        /// The stock is outside its limits.
        StockInvalid,
        /// The limit per buyer is outside its limits.
        LimitPerBuyerInvalid,
        /// The seconds to pay are outside their limits.
        PayWithinInvalid,
    }
    /// Something that is wrong with an edit of a sale.
    error SaleUpdateUserError;
    /// What came of editing a sale.
    payload SaleUpdatePayload {
        /// The sale after the edit; null when there are user errors.
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
    /// Creates a sale session. For operators.
    async fn sale_session_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new session.")] input: SaleSessionCreateInput,
    ) -> Result<SaleSessionCreatePayload> {
        let operator = ctx.require_operator()?;
        let services = ctx.services();
        let SaleSessionCreateInput { name, starts_at, ends_at } = input;
        let input = SessionInput { name, starts_at: starts_at.0, ends_at: ends_at.map(|at| at.0) };
        let acted = services.sales.session_create(operator.id, input).await;
        let object = |session| SaleSessionObject::new(session, ProductLoader::new(&services.catalog));
        SaleSessionCreatePayload::of(acted.map(object))
    }

    /// Creates a sale, as a draft. For operators. Everything that is wrong with the input is reported at once.
    async fn sale_create(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The new sale.")] input: SaleCreateInput,
    ) -> Result<SaleCreatePayload> {
        let operator = ctx.require_operator()?;
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

    /// Edits a draft. For operators. Everything that is wrong with the edit is reported at once.
    async fn sale_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The edit.")] input: SaleUpdateInput,
    ) -> Result<SaleUpdatePayload> {
        let operator = ctx.require_operator()?;
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
