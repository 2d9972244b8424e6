//! Discrepancies between the payment gateway's bills and the records, for operators.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::accounts::User;
use super::connection::{Page, PageArgs, Position, connection};
use super::scalars::DateTime;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{accounts_fault, orders_fault};
use crate::kernel::BillDifferenceId;
use crate::model::bills::{Item, ItemKey, ItemPage, Kind};

/// The kinds of discrepancy between a bill and the shop's records.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Kind")]
pub enum BillDifferenceKind {
    /// The bill lists a number that the shop has no record of.
    MissingHere,
    /// The shop has recorded a payment or refund as completed that the bill does not list.
    MissingThere,
    /// Both have the transaction, but the amounts differ, or the bill lists it twice.
    Amount,
    /// The bill lists the payment or refund, but the shop has not recorded it as completed.
    Status,
}

connection! {
    /// A page of discrepancies between bills and the shop's records, oldest first.
    BillDifferenceConnection, BillDifferenceEdge, BillDifference
}

/// A discrepancy between the payment gateway's daily bill and the shop's records. It stays open until a later
/// comparison no longer finds it or an operator closes it.
#[derive(Clone)]
pub struct BillDifference(pub Item);

/// A discrepancy between the payment gateway's daily bill and the shop's records. It stays open until a later
/// comparison no longer finds it or an operator closes it.
#[Object]
impl BillDifference {
    /// The opaque ID. It identifies this exact discrepancy: if the values differ in another way later, that is a new
    /// discrepancy with another ID.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The day that the bill covers, in the gateway's time zone (UTC+8), such as `2026-11-23`.
    async fn day(&self) -> &str {
        &self.0.day
    }

    /// What kind of discrepancy it is.
    async fn kind(&self) -> BillDifferenceKind {
        self.0.kind.into()
    }

    /// The payment or refund number at the gateway. To find the shop's own record, pass it to `paymentLookup` or `refundLookup`.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// The gateway's number of the refunded payment, if the bill lists a refund that the shop has not recorded.
    /// `billDifferenceBook` records such a refund. Null for all other discrepancies.
    async fn refund_of_payment(&self) -> Option<&str> {
        self.0.refund.as_ref().map(|refund| refund.payment.as_str())
    }

    /// A description of what the shop has recorded.
    async fn ours(&self) -> &str {
        &self.0.ours
    }

    /// A description of what the bill contains.
    async fn theirs(&self) -> &str {
        &self.0.theirs
    }

    /// When the discrepancy was found.
    async fn found_at(&self) -> DateTime {
        DateTime(self.0.found_at)
    }

    /// When a later comparison no longer found the discrepancy. Null if that has not happened.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.0.resolved_at.map(DateTime)
    }

    /// When an operator closed it. Null if no operator has.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closure.as_ref().map(|closure| DateTime(closure.at))
    }

    /// The operator who closed it. Null if no operator has.
    async fn closed_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let closure = self.0.closure.as_ref()?;
        let found = ctx.services().accounts.user(closure.by).await.map_err(|error| accounts_fault(&error));
        found.map(|user| user.map(User)).transpose()
    }

    /// The reason that the operator gave for closing it.
    async fn close_reason(&self) -> Option<&str> {
        self.0.closure.as_ref().map(|closure| closure.reason.as_str())
    }
}

/// A page of the differences.
pub async fn list_differences(ctx: &Context<'_>, open: bool, args: &PageArgs) -> Result<BillDifferenceConnection> {
    let services = ctx.services();
    let request = args.check::<16>(&services.config.graphql)?;
    let key = |position: Position<16>| ItemKey { at: position.at, id: BillDifferenceId::from_bytes(position.id) };
    let page = ItemPage {
        open,
        after: request.after.map(key),
        before: request.before.map(key),
        limit: request.size,
        from_end: request.from_end,
    };
    let listed = services.payments.differences(page).await.map_err(|error| orders_fault(&error))?;
    let cursor = |item: &Item| Position { at: item.found_at, id: item.id.to_bytes() }.encode();
    Ok(BillDifferenceConnection(Page {
        edges: listed.items.into_iter().map(|item| (cursor(&item), BillDifference(item))).collect(),
        has_previous: if request.from_end { listed.more } else { request.after.is_some() },
        has_next: if request.from_end { request.before.is_some() } else { listed.more },
        total: listed.total,
    }))
}
