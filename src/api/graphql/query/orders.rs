//! One's own tickets and orders.

use async_graphql::{Context, ID, Object, Result};

use crate::api::graphql::types::find::{find_order, find_ticket};
use crate::api::graphql::types::orders::{Order, PurchaseTicket};
use crate::kernel::{OrderId, TicketId};

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
