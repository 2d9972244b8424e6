//! Tickets and orders.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::connection::{Page, PageArgs, Position, connection};
use super::find::find_user;
use super::int::clamped;
pub use super::objects::{Order, PurchaseTicket};
use super::objects::{Payment, Refund, SaleObject, User};
use super::scalars::{DateTime, Money};
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, orders_fault, store_fault};
use crate::kernel::{SaleId, TicketId, UserId};
use crate::model::orders::{ListKey, OrderPage, OrderState, Refusal};
use crate::model::rights::Right;
use crate::orders;
use crate::payments::Action;

/// The status of a ticket.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurchaseTicketStatus {
    /// The ticket has been accepted but not decided yet.
    Queued,
    /// The ticket became an order.
    Confirmed,
    /// The ticket did not become an order; `refusal` explains why.
    Refused,
}

/// Why a ticket did not become an order. Values are stable, so programs may rely on them.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Refusal")]
pub enum PurchaseRefusalCode {
    /// No units were left.
    SoldOut,
    /// The buyer already has an order in this sale.
    AlreadyBought,
    /// The sale had ended.
    SaleEnded,
    /// The ticket was withdrawn before it was decided, because of a fault or because its idempotency key belonged to
    /// another purchase. The buyer can try again with a new key.
    Voided,
}

/// Why a ticket did not become an order.
#[derive(SimpleObject, Debug, Clone)]
pub struct PurchaseRefusal {
    /// The error code.
    code: PurchaseRefusalCode,
    /// A human-readable explanation.
    message: &'static str,
}

impl From<Refusal> for PurchaseRefusal {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal {
            Refusal::SoldOut => "This sale sold out before your purchase was decided.",
            Refusal::AlreadyBought => "You already have an order in this sale.",
            Refusal::SaleEnded => "The sale had ended.",
            Refusal::Voided => "This purchase could not be completed. Please try again.",
        };
        Self { code: refusal.into(), message }
    }
}

impl PurchaseTicket {
    /// The current status.
    pub fn status_now(&self) -> PurchaseTicketStatus {
        match &self.0.decision {
            None => PurchaseTicketStatus::Queued,
            Some(order) if order.state.refusal().is_some() => PurchaseTicketStatus::Refused,
            Some(_) => PurchaseTicketStatus::Confirmed,
        }
    }
}

/// A purchase that was accepted for processing. It ends in exactly one outcome: an order or a refusal.
#[Object]
impl PurchaseTicket {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The sale.
    async fn sale(&self, ctx: &Context<'_>) -> Result<SaleObject> {
        sale_of(ctx, self.0.id.sale).await
    }

    /// The number of units requested.
    async fn quantity(&self) -> i32 {
        clamped(self.0.quantity)
    }

    /// The current status.
    async fn status(&self) -> PurchaseTicketStatus {
        self.status_now()
    }

    /// How many tickets of this sale will be decided before this one, as far as this node knows. It is 0 when the
    /// ticket is next, never increases, and is null once the ticket is decided or while the number is unknown.
    async fn tickets_ahead(&self, ctx: &Context<'_>) -> Option<i32> {
        let waits = self.0.decision.is_none();
        waits.then(|| ctx.services().orders.hub().ahead_of(self.0.id)).flatten().map(clamped)
    }

    /// Why the ticket did not become an order. Null unless the ticket is refused.
    async fn refusal(&self) -> Option<PurchaseRefusal> {
        self.0.decision.as_ref().and_then(|order| order.state.refusal()).map(Into::into)
    }

    /// The resulting order. Null unless the ticket is confirmed.
    async fn order(&self) -> Option<Order> {
        self.0.decision.clone().filter(|order| order.state.refusal().is_none()).map(Order)
    }

    /// When the purchase was admitted.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the ticket was decided. Null while it is queued.
    async fn decided_at(&self) -> Option<DateTime> {
        self.0.decision.as_ref().map(|order| DateTime(order.decided_at))
    }

    /// 1 while the ticket is queued, 2 once it is decided. When two versions of a ticket differ, keep the one with the higher `version`.
    async fn version(&self) -> i32 {
        clamped(self.0.version())
    }
}

/// The status of an order.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// The units are reserved, and the order must be paid before `payBefore`.
    AwaitingPayment,
    /// The order is paid.
    Paid,
    /// A refund is in progress.
    Refunding,
    /// The money has been returned. This status is final.
    Refunded,
    /// The buyer cancelled the order before it was paid. This status is final.
    Cancelled,
    /// The order was not paid in time. This status is final.
    Expired,
}

impl OrderStatus {
    /// The status of an order that was not refused.
    const fn of(state: OrderState) -> Option<Self> {
        match state {
            OrderState::AwaitingPayment => Some(Self::AwaitingPayment),
            OrderState::Paid => Some(Self::Paid),
            OrderState::Refunding => Some(Self::Refunding),
            OrderState::Refunded => Some(Self::Refunded),
            OrderState::Cancelled => Some(Self::Cancelled),
            OrderState::Expired => Some(Self::Expired),
            OrderState::RefusedSoldOut
            | OrderState::RefusedAlreadyBought
            | OrderState::RefusedSaleEnded
            | OrderState::Voided => None,
        }
    }

    /// As the slice knows it.
    pub const fn state(self) -> OrderState {
        match self {
            Self::AwaitingPayment => OrderState::AwaitingPayment,
            Self::Paid => OrderState::Paid,
            Self::Refunding => OrderState::Refunding,
            Self::Refunded => OrderState::Refunded,
            Self::Cancelled => OrderState::Cancelled,
            Self::Expired => OrderState::Expired,
        }
    }

    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::AwaitingPayment, Self::Paid, Self::Refunding, Self::Refunded, Self::Cancelled, Self::Expired];
}

/// The actions that a buyer can take on an order.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Action")]
pub enum OrderActionCode {
    /// Cancel the order with `orderCancel`.
    Cancel,
    /// Pay with Alipay, using `orderPay` with `ALIPAY`.
    PayAlipay,
    /// Pay with points, using `orderPay` with `POINTS`, if the buyer has enough.
    PayPoints,
    /// Request a refund with `orderRefund`.
    Refund,
}

connection! {
    /// A page of orders, newest first.
    OrderConnection, OrderEdge, Order
}

/// An order: a purchase for which units were available.
#[Object]
impl Order {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.0.ticket.order().to_string())
    }

    /// The human-readable order number, which is unique.
    async fn number(&self) -> String {
        self.0.number()
    }

    /// The buyer. Null unless the viewer has a role of the staff.
    async fn buyer(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        ctx.require(Right::SeeBuyers).ok()?;
        find_user(ctx, self.0.buyer).await.transpose()
    }

    /// The sale in which the order was placed.
    async fn sale(&self, ctx: &Context<'_>) -> Result<SaleObject> {
        sale_of(ctx, self.0.sale()).await
    }

    /// The name of the product at the time of purchase.
    async fn product_name(&self) -> &str {
        &self.0.product_name
    }

    /// The number of units bought.
    async fn quantity(&self) -> i32 {
        clamped(self.0.quantity)
    }

    /// The price per unit at the time of purchase.
    async fn unit_price(&self) -> Money {
        Money(self.0.unit_price)
    }

    /// The total price of all units.
    async fn total(&self) -> Money {
        Money(self.0.total())
    }

    /// The total price in loyalty points. Null if the order can't be paid with points.
    async fn points_total(&self) -> Option<i32> {
        self.0.points_total().map(clamped)
    }

    /// The current status.
    async fn status(&self) -> Result<OrderStatus> {
        OrderStatus::of(self.0.state)
            .ok_or_else(|| Code::InternalServerError.error("Something went wrong on our side."))
    }

    /// When the purchase was admitted.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// The payment deadline. An order that is not paid by then expires.
    async fn pay_before(&self) -> DateTime {
        DateTime(self.0.pay_before)
    }

    /// When the order was paid.
    async fn paid_at(&self) -> Option<DateTime> {
        self.0.paid_at.map(DateTime)
    }

    /// When the order was cancelled, expired or refunded.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime)
    }

    /// All payment attempts, oldest first. At most one of them is `SUCCEEDED`.
    async fn payments(&self, ctx: &Context<'_>) -> Result<Vec<Payment>> {
        let found = ctx.services().payments.payments_of(self.0.ticket.order()).await;
        Ok(found.map_err(|error| orders_fault(&error))?.into_iter().map(Payment).collect())
    }

    /// All refunds of this order, oldest first.
    async fn refunds(&self, ctx: &Context<'_>) -> Result<Vec<Refund>> {
        let found = ctx.services().payments.refunds_of(self.0.ticket.order()).await;
        Ok(found.map_err(|error| orders_fault(&error))?.into_iter().map(Refund).collect())
    }

    /// The actions that the buyer can take at this moment. All others would be rejected.
    async fn available_actions(&self, ctx: &Context<'_>) -> Result<Vec<OrderActionCode>> {
        let actions = ctx.services().payments.actions(&self.0).await.map_err(|error| orders_fault(&error))?;
        Ok(actions.into_iter().map(Into::into).collect())
    }

    /// Increases with each change. When two versions of an order differ, keep the one with the higher `version`.
    async fn version(&self) -> i32 {
        clamped(self.0.version)
    }
}

async fn sale_of(ctx: &Context<'_>, id: SaleId) -> Result<SaleObject> {
    let offer = ctx.services().sales.find_offer(id).await.map_err(|error| store_fault(&error))?;
    // Sales are never removed.
    offer
        .map(|offer| SaleObject::single(ctx.services(), offer))
        .ok_or_else(|| Code::InternalServerError.error("Something went wrong on our side."))
}

/// The wanted page of a buyer's orders, newest first.
pub async fn list_orders(
    ctx: &Context<'_>,
    buyer: UserId,
    statuses: Option<Vec<OrderStatus>>,
    args: &PageArgs,
) -> Result<OrderConnection> {
    let services = ctx.services();
    let request = args.check::<28>(&services.config.graphql)?;
    let key = |position: Position<28>| ListKey { at: position.at, ticket: TicketId::from_bytes(position.id) };
    let page = OrderPage {
        states: statuses.as_deref().unwrap_or(&OrderStatus::ALL).iter().map(|status| status.state()).collect(),
        after: request.after.map(key),
        before: request.before.map(key),
        limit: request.size,
        from_end: request.from_end,
    };
    let listed = services.orders.list_of_buyer(buyer, page).await.map_err(|error| orders_fault(&error))?;
    let cursor = |order: &orders::Order| Position { at: order.created_at, id: order.ticket.to_bytes() }.encode();
    Ok(OrderConnection(Page {
        edges: listed.orders.into_iter().map(|order| (cursor(&order), Order(Arc::new(order)))).collect(),
        has_previous: if request.from_end { listed.more } else { request.after.is_some() },
        has_next: if request.from_end { request.before.is_some() } else { listed.more },
        total: listed.total,
    }))
}
