//! Relay's global object identification: any object by its id. The id alone says which type it is of.

use async_graphql::{Context, ID, Interface, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{Code, broker_fault, orders_fault, store_fault};
use crate::api::graphql::loaders::ProductLoader;
use crate::api::graphql::types::bills::BillDifference;
use crate::api::graphql::types::catalog::ProductObject;
use crate::api::graphql::types::failures::Failure;
use crate::api::graphql::types::find::{find_order, find_ticket, find_user};
use crate::api::graphql::types::objects::{AuditEntry, Order, Payment, PurchaseTicket, Refund, SaleObject, User};
use crate::api::graphql::types::points::PointsEntry;
use crate::api::graphql::types::sales::{SaleSessionObject, visible};
use crate::kernel::{
    AuditId, BillDifferenceId, FailureId, OrderId, PaymentId, ProductId, RefundId, SaleId, SessionId, TicketId,
    TransferId, UserId,
};
use crate::model::rights::Right;

/// An object with a globally unique ID.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "The opaque ID."))]
#[allow(clippy::large_enum_variant, reason = "lives for one field of one answer")]
pub enum Node {
    /// A product.
    Product(ProductObject),
    /// A session.
    Session(SaleSessionObject),
    /// A sale.
    Sale(SaleObject),
    /// A ticket.
    Ticket(PurchaseTicket),
    /// An order.
    Order(Order),
    /// A line of the viewer's points account.
    PointsEntry(PointsEntry),
    /// A user.
    User(User),
    /// A payment.
    Payment(Payment),
    /// A refund.
    Refund(Refund),
    /// A difference between a bill and the records, for operators.
    BillDifference(BillDifference),
    /// Something that an operator did or looked at, for operators.
    AuditEntry(AuditEntry),
    /// A message that could not be handled, for operators, while it waits.
    Failure(Failure),
}

/// Queries of any object.
#[derive(Default)]
pub struct NodeQuery;

#[Object]
impl NodeQuery {
    /// The object with this ID. Null if it does not exist or the viewer may not see it.
    async fn node(&self, ctx: &Context<'_>, #[graphql(desc = "The ID of the object.")] id: ID) -> Option<Result<Node>> {
        find(ctx, &id).await.transpose()
    }

    /// The objects with these IDs, in the same order. An entry is null if the object does not exist or the viewer may not see it.
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The IDs of the objects, at most as many as the maximum page size.")] ids: Vec<ID>,
    ) -> Result<Vec<Option<Node>>> {
        let max = ctx.services().config.graphql.page_max;
        if ids.len() > max {
            return Err(Code::BadUserInput.error(format!("At most {max} IDs can be requested at once.")));
        }
        let mut nodes = Vec::with_capacity(ids.len());
        for id in &ids {
            nodes.push(find(ctx, id).await?);
        }
        Ok(nodes)
    }
}

async fn find(ctx: &Context<'_>, id: &ID) -> Result<Option<Node>> {
    let services = ctx.services();
    let prefix = id.split('_').next().unwrap_or_default();
    Ok(match prefix {
        SaleId::PREFIX => {
            let Ok(sale) = id.parse() else { return Ok(None) };
            let offer = services.sales.find_offer(sale).await.map_err(|error| store_fault(&error))?;
            let offer = offer.filter(|offer| visible(ctx, offer));
            offer.map(|offer| Node::Sale(SaleObject::single(services, offer)))
        }
        SessionId::PREFIX => {
            let Ok(session) = id.parse() else { return Ok(None) };
            let found = services.sales.find_session(session).await.map_err(|error| store_fault(&error))?;
            found.map(|session| Node::Session(SaleSessionObject::new(session, ProductLoader::new(&services.catalog))))
        }
        ProductId::PREFIX => {
            let Ok(product) = id.parse() else { return Ok(None) };
            let found = services.sales.find_product(product).await.map_err(|error| store_fault(&error))?;
            found.map(|product| Node::Product(ProductObject(product)))
        }
        TicketId::PREFIX => {
            let Ok(ticket) = id.parse() else { return Ok(None) };
            find_ticket(ctx, ticket).await?.map(|ticket| Node::Ticket(PurchaseTicket(ticket)))
        }
        OrderId::PREFIX => {
            let Ok(order) = id.parse() else { return Ok(None) };
            find_order(ctx, order).await?.map(|order| Node::Order(Order(order)))
        }
        PaymentId::PREFIX => {
            let (Ok(payment), Some(viewer)) = (id.parse(), ctx.viewer()) else { return Ok(None) };
            let found = services.payments.payment_of_buyer(viewer.id, payment).await;
            found.map_err(|error| orders_fault(&error))?.map(|payment| Node::Payment(Payment(payment)))
        }
        RefundId::PREFIX => {
            let (Ok(refund), Some(viewer)) = (id.parse(), ctx.viewer()) else { return Ok(None) };
            let found = services.payments.refund_of_buyer(viewer.id, refund).await;
            found.map_err(|error| orders_fault(&error))?.map(|refund| Node::Refund(Refund(refund)))
        }
        BillDifferenceId::PREFIX => {
            let (Ok(difference), Ok(_)) = (id.parse(), ctx.require(Right::SeeShop)) else { return Ok(None) };
            let found = services.payments.difference(difference).await.map_err(|error| orders_fault(&error))?;
            found.map(|item| Node::BillDifference(BillDifference(item)))
        }
        AuditId::PREFIX => {
            let (Ok(entry), Ok(_)) = (id.parse(), ctx.require(Right::SeeShop)) else { return Ok(None) };
            let found = services.control.audit_entry(entry).await.map_err(|error| store_fault(&error))?;
            found.map(|entry| Node::AuditEntry(AuditEntry(entry)))
        }
        FailureId::PREFIX => {
            let (Ok(failure), Ok(_)) = (id.parse(), ctx.require(Right::SeeShop)) else { return Ok(None) };
            let found = services.control.failure(failure).await.map_err(|error| broker_fault(&error))?;
            found.map(|dead_letter| Node::Failure(Failure(dead_letter)))
        }
        UserId::PREFIX => {
            let (Ok(user), Some(viewer)) = (id.parse(), ctx.viewer()) else { return Ok(None) };
            if viewer.id != user {
                return Ok(None);
            }
            find_user(ctx, user).await?.map(Node::User)
        }
        TransferId::PREFIX => {
            let (Ok(transfer), Some(viewer)) = (id.parse(), ctx.viewer()) else { return Ok(None) };
            let found = services.points.entry(viewer.id, transfer).await.map_err(|error| store_fault(&error))?;
            found.map(|entry| Node::PointsEntry(PointsEntry(entry)))
        }
        _ => None,
    })
}

/// The object with this id as operators may see it: also what is a buyer's.
pub async fn find_for_operator(ctx: &Context<'_>, id: &str) -> Result<Option<Node>> {
    let services = ctx.services();
    let fault = |error| orders_fault(&error);
    ctx.require(Right::SeeShop)?;
    if let Ok(order) = id.parse::<OrderId>() {
        return Ok(services.payments.order(order).await.map_err(fault)?.map(|order| Node::Order(Order(order))));
    }
    if let Ok(payment) = id.parse::<PaymentId>() {
        return Ok(services
            .payments
            .payment(payment)
            .await
            .map_err(fault)?
            .map(|payment| Node::Payment(Payment(payment))));
    }
    if let Ok(refund) = id.parse::<RefundId>() {
        return Ok(services
            .payments
            .any_refund(refund)
            .await
            .map_err(fault)?
            .map(|refund| Node::Refund(Refund(refund))));
    }
    if let Ok(user) = id.parse::<UserId>() {
        return Ok(find_user(ctx, user).await?.map(Node::User));
    }
    find(ctx, &ID(id.to_owned())).await
}
