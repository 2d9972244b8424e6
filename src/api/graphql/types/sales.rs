//! Sale sessions and sales.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};

use super::catalog::ProductObject;
use super::connection::{PageArgs, Position, connection};
use super::int::clamped;
use super::objects::PurchaseTicket;
pub use super::objects::SaleObject;
use super::outcome::SaleOutcome;
use super::scalars::{DateTime, Money};
use crate::api::graphql::context::{ContextExt as _, Services};
use crate::api::graphql::error::{orders_fault, store_fault};
use crate::api::graphql::loaders::ProductLoader;
use crate::model::catalog::Product;
use crate::model::rights::Right;
use crate::model::sales::Session;
use crate::model::snapshot::Offer;
use crate::sales;

/// The status of a session.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "sales::SessionStatus")]
pub enum SaleSessionStatus {
    /// The session has not started.
    Upcoming,
    /// The session is in progress.
    Running,
    /// It has ended.
    Ended,
}

/// The status of a sale.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "sales::SaleStatus")]
pub enum SaleStatus {
    /// The sale is a draft, visible only to operators.
    Draft,
    /// The session of the sale has not started.
    Upcoming,
    /// The sale is open.
    Open,
    /// The sale is paused.
    Paused,
    /// The session is in progress, but no units are available. Units of cancelled and expired orders may become available again.
    SoldOut,
    /// It has ended.
    Ended,
}

connection! {
    /// A page of sale sessions, sorted by start.
    SaleSessionConnection, SaleSessionEdge, SaleSessionObject
}

connection! {
    /// A page of sales, sorted by the start of their session and then by their creation.
    SaleConnection, SaleEdge, SaleObject
}

/// A time slot in which sales run.
#[derive(Clone)]
pub struct SaleSessionObject {
    session: Arc<Session>,
    products: Arc<ProductLoader>,
}

impl SaleSessionObject {
    /// The session; `products` is shared by everything below one root field.
    pub fn new(session: Arc<Session>, products: Arc<ProductLoader>) -> Self {
        Self { session, products }
    }

    /// Its place in lists.
    pub fn position(session: &Session) -> Position<16> {
        Position { at: session.starts_at, id: session.id.to_bytes() }
    }
}

/// A time slot in which sales run.
#[Object(name = "SaleSession")]
impl SaleSessionObject {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.session.id.to_string())
    }

    /// The name that shoppers see.
    async fn name(&self) -> Option<&str> {
        self.session.name.as_deref()
    }

    /// When the session starts.
    async fn starts_at(&self) -> DateTime {
        DateTime(self.session.starts_at)
    }

    /// When the session ends, exclusive.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.session.ends_at)
    }

    /// The current status.
    async fn status(&self, ctx: &Context<'_>) -> SaleSessionStatus {
        self.session.status(ctx.services().clock.now()).into()
    }

    /// The sales of the session, in order of creation.
    async fn sales(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<SaleConnection> {
        let snapshot = ctx.services().sales.snapshot();
        let args = PageArgs { first, after, last, before };
        list_sales(ctx, snapshot.offers_of(self.session.id), None, &args, &self.products)
    }
}

impl SaleObject {
    /// The sale; `products` is shared by everything below one root field.
    pub fn new(offer: Offer, products: Arc<ProductLoader>) -> Self {
        Self { offer, products }
    }

    /// A sale alone below its root field.
    pub fn single(services: &Services, offer: Offer) -> Self {
        Self::new(offer, ProductLoader::new(&services.catalog))
    }

    async fn load_product(&self) -> Option<Result<Arc<Product>>> {
        self.products.load(self.offer.sale.product_id).await.transpose()
    }
}

/// One product in one session, at a special price and with limited stock.
#[Object(name = "Sale")]
impl SaleObject {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.offer.sale.id.to_string())
    }

    /// The session in which the sale runs.
    async fn session(&self) -> SaleSessionObject {
        SaleSessionObject::new(self.offer.session.clone(), self.products.clone())
    }

    /// The product. Null, with an error, if the catalog is unavailable; the other fields are not affected.
    async fn product(&self) -> Option<Result<ProductObject>> {
        self.load_product().await.map(|loaded| loaded.map(ProductObject))
    }

    /// The price per unit.
    async fn price(&self) -> Money {
        Money(self.offer.sale.price)
    }

    /// The product's regular price. Null, with an error, if the catalog is unavailable.
    async fn original_price(&self) -> Option<Result<Money>> {
        self.load_product().await.map(|loaded| loaded.map(|product| Money(product.price)))
    }

    /// The price per unit in loyalty points. Null if the sale does not accept points.
    async fn points_price(&self) -> Option<i32> {
        self.offer.sale.points_price.map(clamped)
    }

    /// The total number of units.
    async fn stock_total(&self, ctx: &Context<'_>) -> i32 {
        clamped(ctx.services().stock(&self.offer).total)
    }

    /// The number of available units, as far as this node knows.
    async fn stock_remaining(&self, ctx: &Context<'_>) -> i32 {
        clamped(ctx.services().stock(&self.offer).left)
    }

    /// The number of units in unpaid orders, as far as this node knows. If those orders are not paid, the units become available again.
    async fn units_held(&self, ctx: &Context<'_>) -> i32 {
        clamped(ctx.services().stock(&self.offer).held)
    }

    /// The maximum number of units per buyer.
    async fn limit_per_buyer(&self) -> i32 {
        clamped(self.offer.sale.limit_per_buyer)
    }

    /// How many seconds a buyer has to pay an order.
    async fn pay_within_seconds(&self) -> i32 {
        clamped(self.offer.sale.pay_within.as_secs())
    }

    /// When the sale opens.
    async fn starts_at(&self) -> DateTime {
        DateTime(self.offer.session.starts_at)
    }

    /// When the sale ends, exclusive.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.offer.session.ends_at)
    }

    /// The current status.
    async fn status(&self, ctx: &Context<'_>) -> SaleStatus {
        status(ctx.services(), &self.offer).into()
    }

    /// Increases with each change that an operator makes to the sale.
    async fn version(&self) -> i32 {
        clamped(self.offer.sale.version)
    }

    /// Whether the admission gate has the current terms of the sale. It is false while an operator's change (ending
    /// or pausing the sale, or adding units) has not reached the gate, because the gate is unreachable or being
    /// rebuilt. The change is still in effect and is delivered automatically. Null for everyone except operators and observers, for
    /// drafts, and for sales that ended long ago.
    async fn gate_up_to_date(&self, ctx: &Context<'_>) -> Option<bool> {
        if ctx.may(Right::SeeShop) { ctx.services().sales.gate_is_up_to_date(&self.offer).await } else { None }
    }

    /// Whether refunded units go back on sale.
    async fn returns_on_refund(&self) -> bool {
        self.offer.sale.returns_on_refund
    }

    /// The result of the sale. Null until the sale has ended and every purchase is decided.
    async fn outcome(&self, ctx: &Context<'_>) -> Result<Option<SaleOutcome>> {
        let found = ctx.services().sales.outcome(&self.offer).await;
        let sale = self.offer.sale.id;
        found.map(|outcome| outcome.map(|outcome| SaleOutcome { sale, outcome })).map_err(|error| store_fault(&error))
    }

    /// The viewer's active ticket in this sale, or else the latest one. Null if there is none.
    async fn viewer_ticket(&self, ctx: &Context<'_>) -> Option<Result<PurchaseTicket>> {
        let viewer = ctx.viewer()?;
        let found = ctx.services().orders.ticket_in_sale(viewer.id, self.offer.sale.id).await;
        found.map(|ticket| ticket.map(PurchaseTicket)).map_err(|error| orders_fault(&error)).transpose()
    }
}

/// Where the sale stands now.
pub fn status(services: &Services, offer: &Offer) -> sales::SaleStatus {
    offer.sale.status(&offer.session, services.stock(offer).left, services.clock.now())
}

/// Whether the sender of the request may see the sale at all.
pub fn visible(ctx: &Context<'_>, offer: &Offer) -> bool {
    !offer.is_draft() || ctx.may(Right::SeeShop)
}

/// The wanted page of those of the offers that the sender may see and that have one of the statuses.
pub fn list_sales(
    ctx: &Context<'_>,
    offers: &[Offer],
    statuses: Option<&[SaleStatus]>,
    args: &PageArgs,
    products: &Arc<ProductLoader>,
) -> Result<SaleConnection> {
    let services = ctx.services();
    let wanted = |offer: &&Offer| {
        visible(ctx, offer) && statuses.is_none_or(|wanted| wanted.contains(&status(services, offer).into()))
    };
    let listed: Vec<&Offer> = offers.iter().filter(wanted).collect();
    let request = args.check(&services.config.graphql)?;
    let page = request.of(&listed, |offer| Position { at: offer.session.starts_at, id: offer.sale.id.to_bytes() });
    products.want(page.edges.iter().map(|(_, offer)| offer.sale.product_id));
    Ok(SaleConnection(page.map(|offer| SaleObject::new(offer.clone(), products.clone()))))
}
