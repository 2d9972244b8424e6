//! Objects by ID, as the viewer may see them.

use std::sync::Arc;

use async_graphql::{Context, Result};

use super::objects::User;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{accounts_fault, orders_fault};
use crate::kernel::{OrderId, TicketId, UserId};
use crate::orders;

/// A user, by ID.
pub async fn find_user(ctx: &Context<'_>, id: UserId) -> Result<Option<User>> {
    let found = ctx.services().accounts.user(id).await.map_err(|error| accounts_fault(&error))?;
    Ok(found.map(User))
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
