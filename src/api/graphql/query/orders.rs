//! One's own tickets and orders.

use std::sync::Arc;

use async_graphql::{Context, ID, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::orders_fault;
use crate::api::graphql::types::orders::{Order, PurchaseTicket};
use crate::kernel::{OrderId, TicketId};
use crate::orders;

/// Queries of orders.
#[derive(Default)]
pub struct OrdersQuery;

#[Object]
impl OrdersQuery {
    /// One of the viewer's orders. Null if nobody is signed in, if the order belongs to another buyer, or if it does not exist.
    async fn order(&self, ctx: &Context<'_>, #[graphql(desc = "The order.")] id: ID) -> Option<Result<Order>> {
        let id: OrderId = id.parse().ok()?;
        find_order(ctx, id).await.map(|found| found.map(Order)).transpose()
    }

    /// One of the viewer's tickets. Null if nobody is signed in, if the ticket belongs to another buyer, or if it does not exist.
    async fn purchase_ticket(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ticket.")] id: ID,
    ) -> Option<Result<PurchaseTicket>> {
        let id: TicketId = id.parse().ok()?;
        find_ticket(ctx, id).await.map(|found| found.map(PurchaseTicket)).transpose()
    }
}

/// The signed-in buyer's own order.
pub async fn find_order(ctx: &Context<'_>, id: OrderId) -> Result<Option<Arc<orders::Order>>> {
    let Some(viewer) = ctx.viewer() else { return Ok(None) };
    ctx.services().orders.order_of_buyer(viewer.id, id).await.map_err(|error| orders_fault(&error))
}

/// The signed-in buyer's own ticket.
pub async fn find_ticket(ctx: &Context<'_>, id: TicketId) -> Result<Option<orders::Ticket>> {
    let Some(viewer) = ctx.viewer() else { return Ok(None) };
    ctx.services().orders.ticket_of_buyer(viewer.id, id).await.map_err(|error| orders_fault(&error))
}
