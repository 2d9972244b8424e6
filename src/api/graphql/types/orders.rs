//! Tickets and orders.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result, SimpleObject};

use super::accounts::{User, find_user};
use super::connection::{Page, PageArgs, Position, connection};
use super::int::clamped;
use super::payments::{Payment, Refund};
use super::sales::SaleObject;
use super::scalars::{DateTime, Money};
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, orders_fault, store_fault};
use crate::kernel::{SaleId, TicketId, UserId};
use crate::orders::{self, Action, ListKey, OrderPage, OrderState, Refusal};

/// How far a ticket is.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum PurchaseTicketStatus {
    /// Accepted, not decided.
    Queued,
    /// It became an order.
    Confirmed,
    /// It became none; `refusal` says why.
    Refused,
}

/// Why a ticket became no order. Stable: programs may rely on it.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Refusal")]
pub enum PurchaseRefusalCode {
    /// No unit was left.
    SoldOut,
    /// The buyer has an order in this sale already.
    AlreadyBought,
    /// The sale was over.
    SaleEnded,
    /// Taken back before it was decided, because of a fault or because its key belonged to another purchase. Buying again with a
    /// new key is possible.
    Voided,
}

/// Why a ticket became no order.
#[derive(SimpleObject, Debug, Clone)]
pub struct PurchaseRefusal {
    /// The reason.
    code: PurchaseRefusalCode,
    /// The reason as a sentence for people.
    message: &'static str,
}

impl From<Refusal> for PurchaseRefusal {
    fn from(refusal: Refusal) -> Self {
        let message = match refusal {
            Refusal::SoldOut => "Sold out: the last unit went to somebody before you.",
            Refusal::AlreadyBought => "You have an order in this sale already.",
            Refusal::SaleEnded => "The sale was over.",
            Refusal::Voided => "This purchase could not be completed. You may try again.",
        };
        Self { code: refusal.into(), message }
    }
}

/// An accepted purchase. It ends in exactly one outcome: an order, or a refusal.
pub struct PurchaseTicket(pub orders::Ticket);

impl PurchaseTicket {
    /// How far it is.
    pub fn status_now(&self) -> PurchaseTicketStatus {
        match &self.0.decision {
            None => PurchaseTicketStatus::Queued,
            Some(order) if order.state.refusal().is_some() => PurchaseTicketStatus::Refused,
            Some(_) => PurchaseTicketStatus::Confirmed,
        }
    }
}

/// An accepted purchase. It ends in exactly one outcome: an order, or a refusal.
#[Object]
impl PurchaseTicket {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The sale it is in.
    async fn sale(&self, ctx: &Context<'_>) -> Result<SaleObject> {
        sale_of(ctx, self.0.id.sale).await
    }

    /// Units asked for.
    async fn quantity(&self) -> i32 {
        clamped(self.0.quantity)
    }

    /// How far it is.
    async fn status(&self) -> PurchaseTicketStatus {
        self.status_now()
    }

    /// Accepted purchases of this sale that are to be decided before this one, as far as this node has heard; 0 when it is next.
    /// Null once it is decided, and when it is not known. It only falls.
    async fn tickets_ahead(&self, ctx: &Context<'_>) -> Option<i32> {
        let waits = self.0.decision.is_none();
        waits.then(|| ctx.services().orders.hub().ahead_of(self.0.id)).flatten().map(clamped)
    }

    /// Why it became no order; null unless it was refused.
    async fn refusal(&self) -> Option<PurchaseRefusal> {
        self.0.decision.as_ref().and_then(|order| order.state.refusal()).map(Into::into)
    }

    /// The order it became; null unless it was confirmed.
    async fn order(&self) -> Option<Order> {
        self.0.decision.clone().filter(|order| order.state.refusal().is_none()).map(Order)
    }

    /// When it was admitted.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When it was decided; null while it is queued.
    async fn decided_at(&self) -> Option<DateTime> {
        self.0.decision.as_ref().map(|order| DateTime(order.decided_at))
    }

    /// 1 while it is queued, 2 once it is decided. Of two pictures of a ticket the one with the higher version is newer.
    async fn version(&self) -> i32 {
        clamped(self.0.version())
    }
}

/// Where an order stands.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderStatus {
    /// Has its units; to be paid before `payBefore`.
    AwaitingPayment,
    /// Paid.
    Paid,
    /// The money is on its way back.
    Refunding,
    /// The money went back. Final.
    Refunded,
    /// Cancelled by the buyer before it was paid. Final.
    Cancelled,
    /// Not paid in time. Final.
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

/// What a buyer can do with an order.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Action")]
pub enum OrderActionCode {
    /// Cancel it: `orderCancel`.
    Cancel,
    /// Pay at Alipay: `orderPay` with `ALIPAY`.
    PayAlipay,
    /// Pay with points, if the buyer has enough: `orderPay` with `POINTS`.
    PayPoints,
    /// Get the money back: `orderRefund`.
    Refund,
}

connection! {
    /// A page of orders, newest first.
    OrderConnection, OrderEdge, Order
}

/// A purchase that got its units.
#[derive(Clone)]
pub struct Order(pub Arc<orders::Order>);

/// A purchase that got its units.
#[Object]
impl Order {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.0.ticket.order().to_string())
    }

    /// The number that people call it by; unique.
    async fn number(&self) -> String {
        self.0.number()
    }

    /// Operators: whose it is; null for others.
    async fn buyer(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        ctx.require_operator().ok()?;
        find_user(ctx, self.0.buyer).await.transpose()
    }

    /// The sale it was bought in.
    async fn sale(&self, ctx: &Context<'_>) -> Result<SaleObject> {
        sale_of(ctx, self.0.sale()).await
    }

    /// The product's name when it was bought.
    async fn product_name(&self) -> &str {
        &self.0.product_name
    }

    /// Units bought.
    async fn quantity(&self) -> i32 {
        clamped(self.0.quantity)
    }

    /// Price of one unit when it was bought.
    async fn unit_price(&self) -> Money {
        Money(self.0.unit_price)
    }

    /// What is to be paid for all units.
    async fn total(&self) -> Money {
        Money(self.0.total())
    }

    /// What is to be paid in loyalty points instead; null when the order can't be paid with points.
    async fn points_total(&self) -> Option<i32> {
        self.0.points_total().map(clamped)
    }

    /// Where it stands.
    async fn status(&self) -> Result<OrderStatus> {
        OrderStatus::of(self.0.state)
            .ok_or_else(|| Code::InternalServerError.error("Something went wrong on our side."))
    }

    /// When its purchase was admitted.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// It expires if it is not paid by then.
    async fn pay_before(&self) -> DateTime {
        DateTime(self.0.pay_before)
    }

    /// When it was paid.
    async fn paid_at(&self) -> Option<DateTime> {
        self.0.paid_at.map(DateTime)
    }

    /// When it was cancelled, expired or refunded.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closed_at.map(DateTime)
    }

    /// All attempts to pay it, the oldest first. At most one of them is `SUCCEEDED`.
    async fn payments(&self, ctx: &Context<'_>) -> Result<Vec<Payment>> {
        let found = ctx.services().orders.payments_of(self.0.ticket.order()).await;
        Ok(found.map_err(|error| orders_fault(&error))?.into_iter().map(Payment).collect())
    }

    /// All money of it that goes or went back, the oldest first.
    async fn refunds(&self, ctx: &Context<'_>) -> Result<Vec<Refund>> {
        let found = ctx.services().orders.refunds_of(self.0.ticket.order()).await;
        Ok(found.map_err(|error| orders_fault(&error))?.into_iter().map(Refund).collect())
    }

    /// What its buyer can do with it at this moment. What is not in the list would be refused.
    async fn available_actions(&self, ctx: &Context<'_>) -> Result<Vec<OrderActionCode>> {
        let actions = ctx.services().orders.actions(&self.0).await.map_err(|error| orders_fault(&error))?;
        Ok(actions.into_iter().map(Into::into).collect())
    }

    /// Grows with each change. Of two pictures of an order the one with the higher version is newer.
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
