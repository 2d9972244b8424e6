//! Sale sessions and sales.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result};

use super::catalog::ProductObject;
use super::connection::{PageArgs, Position, connection};
use super::int::clamped;
use super::orders::PurchaseTicket;
use super::scalars::{DateTime, Money};
use crate::accounts::Role;
use crate::api::graphql::context::{ContextExt as _, Services};
use crate::api::graphql::error::orders_fault;
use crate::api::graphql::loaders::ProductLoader;
use crate::catalog::Product;
use crate::sales::{self, Offer, Session};

/// Where a session stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "sales::SessionStatus")]
pub enum SaleSessionStatus {
    /// It has not begun.
    Upcoming,
    /// It is now.
    Running,
    /// It is over.
    Ended,
}

/// Where a sale stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "sales::SaleStatus")]
pub enum SaleStatus {
    /// It is being prepared; only operators see it.
    Draft,
    /// Its session has not begun.
    Upcoming,
    /// It can be bought from now.
    Open,
    /// It was stopped for now.
    Paused,
    /// Its session is running, but no unit is left at the moment. Cancelled units may come back.
    SoldOut,
    /// It is over.
    Ended,
}

connection! {
    /// A page of a list of sale sessions, by start.
    SaleSessionConnection, SaleSessionEdge, SaleSessionObject
}

connection! {
    /// A page of a list of sales, by their session's start and their own creation.
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
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.session.id.to_string())
    }

    /// What shoppers call it.
    async fn name(&self) -> Option<&str> {
        self.session.name.as_deref()
    }

    /// Its first moment.
    async fn starts_at(&self) -> DateTime {
        DateTime(self.session.starts_at)
    }

    /// The first moment after it.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.session.ends_at)
    }

    /// Where it stands now.
    async fn status(&self, ctx: &Context<'_>) -> SaleSessionStatus {
        self.session.status(ctx.services().clock.now()).into()
    }

    /// Its sales, in the order of their creation.
    async fn sales(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the beginning.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<SaleConnection> {
        let snapshot = ctx.services().sales.snapshot();
        let args = PageArgs { first, after, last, before };
        list_sales(ctx, snapshot.offers_of(self.session.id), None, &args, &self.products)
    }
}

/// One product in one session, at a special price and with little stock.
#[derive(Clone)]
pub struct SaleObject {
    offer: Offer,
    products: Arc<ProductLoader>,
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

/// One product in one session, at a special price and with little stock.
#[Object(name = "Sale")]
impl SaleObject {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.offer.sale.id.to_string())
    }

    /// When it sells.
    async fn session(&self) -> SaleSessionObject {
        SaleSessionObject::new(self.offer.session.clone(), self.products.clone())
    }

    /// What it sells. Null with an error entry when the catalog can't answer; the rest of the sale still can.
    async fn product(&self) -> Option<Result<ProductObject>> {
        self.load_product().await.map(|loaded| loaded.map(ProductObject))
    }

    /// The price of one unit.
    async fn price(&self) -> Money {
        Money(self.offer.sale.price)
    }

    /// The product's ordinary price. Null with an error entry when the catalog can't answer.
    async fn original_price(&self) -> Option<Result<Money>> {
        self.load_product().await.map(|loaded| loaded.map(|product| Money(product.price)))
    }

    /// The price of one unit in loyalty points; null when it is not sold for points.
    async fn points_price(&self) -> Option<i32> {
        self.offer.sale.points_price.map(clamped)
    }

    /// Units in all.
    async fn stock_total(&self, ctx: &Context<'_>) -> i32 {
        clamped(ctx.services().stock(&self.offer).total)
    }

    /// Units free at this moment, as far as this node has heard.
    async fn stock_remaining(&self, ctx: &Context<'_>) -> i32 {
        clamped(ctx.services().stock(&self.offer).left)
    }

    /// Units in orders that wait for their payment, as far as this node has heard: those that are not paid come back.
    async fn units_held(&self, ctx: &Context<'_>) -> i32 {
        clamped(ctx.services().stock(&self.offer).held)
    }

    /// Units one buyer may hold.
    async fn limit_per_buyer(&self) -> i32 {
        clamped(self.offer.sale.limit_per_buyer)
    }

    /// How long an order waits for its payment.
    async fn pay_within_seconds(&self) -> i32 {
        clamped(self.offer.sale.pay_within.as_secs())
    }

    /// The first moment at which it can be bought from.
    async fn starts_at(&self) -> DateTime {
        DateTime(self.offer.session.starts_at)
    }

    /// The first moment at which it can't any more.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.offer.session.ends_at)
    }

    /// Where it stands now.
    async fn status(&self, ctx: &Context<'_>) -> SaleStatus {
        status(ctx.services(), &self.offer).into()
    }

    /// Grows with each operator act on the sale.
    async fn version(&self) -> i32 {
        clamped(self.offer.sale.version)
    }

    /// For operators: whether purchases are admitted by the sale as it reads here. False while an act on the sale (its end, a pause,
    /// added units) has not reached the admission gate, because the gate can't be reached or is being rebuilt. The act stands all the
    /// same and is delivered by itself. Null for everybody else, and where nothing is admitted: a draft, or a sale that was over long
    /// ago.
    async fn gate_up_to_date(&self, ctx: &Context<'_>) -> Option<bool> {
        let operator = ctx.viewer().is_some_and(|viewer| viewer.role == Role::Operator);
        if operator { ctx.services().sales.gate_is_up_to_date(&self.offer).await } else { None }
    }

    /// Whether refunded units are sold again.
    async fn returns_on_refund(&self) -> bool {
        self.offer.sale.returns_on_refund
    }

    /// The signed-in buyer's ticket in this sale: the one that counts now, else the latest. Null when there is none.
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
    !offer.is_draft() || ctx.viewer().is_some_and(|viewer| viewer.role == Role::Operator)
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
