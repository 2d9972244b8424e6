//! Differences between the payment gateway's bills and the books, for operators.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::accounts::User;
use super::connection::{Page, PageArgs, Position, connection};
use super::scalars::DateTime;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::{accounts_fault, orders_fault};
use crate::kernel::BillDifferenceId;
use crate::orders::looked_at::{Item, ItemKey, ItemPage};
use crate::payments::reconciliation::Kind;

/// In what a bill and the books differ.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Kind")]
pub enum BillDifferenceKind {
    /// The bill has a number that is not the shop's.
    MissingHere,
    /// The shop holds as paid, or as paid back, what the bill does not have.
    MissingThere,
    /// Both have it, with other amounts, or the bill has it twice.
    Amount,
    /// The bill has it, and here it is not paid, or not paid back.
    Status,
}

connection! {
    /// A page of differences between bills and books, the oldest first.
    BillDifferenceConnection, BillDifferenceEdge, BillDifference
}

/// Something in which the payment gateway's bill of a day and the books differ. It is open until a later comparison does not find it any
/// more, or an operator closes it.
#[derive(Clone)]
pub struct BillDifference(pub Item);

/// Something in which the payment gateway's bill of a day and the books differ. It is open until a later comparison does not find it any
/// more, or an operator closes it.
#[Object]
impl BillDifference {
    /// The opaque id. It stands for what was seen: what differs otherwise later has another id.
    pub async fn id(&self) -> ID {
        ID(self.0.id.to_string())
    }

    /// The bill's day in the gateway's zone (UTC+8), such as `2026-11-23`.
    async fn day(&self) -> &str {
        &self.0.day
    }

    /// In what they differ.
    async fn kind(&self) -> BillDifferenceKind {
        self.0.kind.into()
    }

    /// What the gateway knows the payment or the refund by; `paymentLookup` and `refundLookup` find those of the shop.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// When the bill's line is a refund that is not the shop's: what the gateway knows its payment by. `billDifferenceBook` writes such a
    /// refund into the books. Null for everything else.
    async fn refund_of_payment(&self) -> Option<&str> {
        self.0.refund.as_ref().map(|refund| refund.payment.as_str())
    }

    /// What the shop has, in words.
    async fn ours(&self) -> &str {
        &self.0.ours
    }

    /// What the bill has, in words.
    async fn theirs(&self) -> &str {
        &self.0.theirs
    }

    /// When it was found.
    async fn found_at(&self) -> DateTime {
        DateTime(self.0.found_at)
    }

    /// When a comparison did not find it any more; null: none has.
    async fn resolved_at(&self) -> Option<DateTime> {
        self.0.resolved_at.map(DateTime)
    }

    /// When an operator closed it; null: none has.
    async fn closed_at(&self) -> Option<DateTime> {
        self.0.closure.as_ref().map(|closure| DateTime(closure.at))
    }

    /// The operator who closed it.
    async fn closed_by(&self, ctx: &Context<'_>) -> Option<Result<User>> {
        let closure = self.0.closure.as_ref()?;
        let found = ctx.services().accounts.user(closure.by).await.map_err(|error| accounts_fault(&error));
        found.map(|user| user.map(User)).transpose()
    }

    /// Why, in the operator's words.
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
    let listed = services.orders.differences(page).await.map_err(|error| orders_fault(&error))?;
    let cursor = |item: &Item| Position { at: item.found_at, id: item.id.to_bytes() }.encode();
    Ok(BillDifferenceConnection(Page {
        edges: listed.items.into_iter().map(|item| (cursor(&item), BillDifference(item))).collect(),
        has_previous: if request.from_end { listed.more } else { request.after.is_some() },
        has_next: if request.from_end { request.before.is_some() } else { listed.more },
        total: listed.total,
    }))
}
