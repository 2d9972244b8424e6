//! One's own ticket and order, as they change.

use std::sync::Arc;

use async_graphql::{Context, ID, Result, Subscription};
use futures_util::StreamExt as _;
use futures_util::stream::{self, Stream};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::edge::VersionReporter;
use crate::api::graphql::error::{Code, orders_fault};
use crate::api::graphql::types::orders::{Order, PurchaseTicket};
use crate::hub::buyers::Missed;
use crate::kernel::{OrderId, TicketId};
use crate::model::orders::Ticket;
use crate::orders;

/// Subscriptions of orders.
#[derive(Default)]
pub struct OrdersSubscription;

#[Subscription]
impl OrdersSubscription {
    /// One of the viewer's tickets. It sends the current state first and then the decision, and completes. A client
    /// that subscribes again after a disconnect misses nothing.
    async fn purchase_ticket_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The ticket.")] id: ID,
        #[graphql(desc = "The version that the client already has. Only newer versions are sent.")]
        after_version: Option<i32>,
    ) -> Result<impl Stream<Item = PurchaseTicket> + use<>> {
        let viewer = ctx.require_viewer()?;
        let orders = &ctx.services().orders;
        let id: TicketId = id.parse().map_err(|_| no_such("ticket"))?;
        // Attach first, read second: what changes in between is heard.
        let mut watch = orders.hub().watch(id);
        let present = orders.ticket_of_buyer(viewer.id, id).await.map_err(|error| orders_fault(&error))?;
        let present = present.ok_or_else(|| no_such("ticket"))?;
        let known = known_version(ctx, after_version);
        let queued = present.decision.is_none();
        let first = (present.version() > known).then_some(PurchaseTicket(present));
        let decision = async move {
            (queued && known < Ticket::DECIDED).then_some(())?;
            Some(PurchaseTicket(Ticket::decided(watch.newer_than(Ticket::QUEUED).await)))
        };
        Ok(first_then(first, decision).inspect(report(ctx, |ticket: &PurchaseTicket| ticket.0.version())))
    }

    /// One of the viewer's orders. It sends the current state first and then every change, and completes after the final status.
    async fn order_updated(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order.")] id: ID,
        #[graphql(desc = "The version that the client already has. Only newer versions are sent.")]
        after_version: Option<i32>,
    ) -> Result<impl Stream<Item = Order> + use<>> {
        let viewer = ctx.require_viewer()?;
        let orders = &ctx.services().orders;
        let id: OrderId = id.parse().map_err(|_| no_such("order"))?;
        let watch = orders.hub().watch(id.ticket());
        let present = orders.order_of_buyer(viewer.id, id).await.map_err(|error| orders_fault(&error))?;
        let present = present.ok_or_else(|| no_such("order"))?;
        let known = known_version(ctx, after_version);
        let start = Some((watch, known, Some(present)));
        Ok(stream::unfold(start, |state| async move {
            let (mut watch, known, present) = state?;
            let newest = match present.filter(|order| order.version > known || order.state.is_final()) {
                Some(order) => order,
                None => watch.newer_than(known).await,
            };
            let next = next_state(&newest, watch);
            (newest.version > known).then_some((Order(newest), next))
        })
        .inspect(report(ctx, |order: &Order| order.0.version)))
    }

    /// Changes to any of the viewer's orders from now on. The current state is not sent: query `viewer.orders` once
    /// the subscription has started. The subscription does not complete. It ends with an error when changes may have
    /// been missed; the client should then subscribe again and query the orders again.
    async fn viewer_order_updated(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = Result<Order>> + use<>> {
        let viewer = ctx.require_viewer()?;
        let services = ctx.services();
        let watch = services.orders.hub().watch_buyer(viewer.id, services.config.hub.orders_per_subscription);
        Ok(stream::unfold(Some(watch), |watch| async move {
            let mut watch = watch?;
            Some(match watch.next().await {
                Ok(order) => (Ok(Order(order)), Some(watch)),
                Err(Missed) => (Err(changes_missed()), None),
            })
        }))
    }
}

type Watching = Option<(crate::hub::OrderWatch, u32, Option<Arc<orders::Order>>)>;

fn next_state(sent: &orders::Order, watch: crate::hub::OrderWatch) -> Watching {
    (!sent.state.is_final()).then_some((watch, sent.version, None))
}

/// The version that the client has: from the argument, or from the event that it resumes from.
fn known_version(ctx: &Context<'_>, after: Option<i32>) -> u32 {
    // Below zero nothing is known.
    let after = after.and_then(|version| u32::try_from(version).ok());
    after.max(ctx.request().known_version).unwrap_or(0)
}

/// Tells the transport the version of each item, where it wants to know.
fn report<T>(ctx: &Context<'_>, version: fn(&T) -> u32) -> impl FnMut(&T) + use<T> {
    let versions = ctx.data_opt::<VersionReporter>().cloned();
    move |item| {
        if let Some(versions) = &versions {
            versions.set(version(item));
        }
    }
}

fn first_then<T>(first: Option<T>, then: impl Future<Output = Option<T>>) -> impl Stream<Item = T> {
    stream::iter(first).chain(stream::once(then).filter_map(|item| async move { item }))
}

fn changes_missed() -> async_graphql::Error {
    Code::Unavailable.retry("Some changes may have been missed. Subscribe again and reload the orders.", 1)
}

/// Malformed, wrong-type, unknown and another's are all the same.
fn no_such(what: &str) -> async_graphql::Error {
    Code::BadUserInput.error(format!("This {what} does not exist."))
}
