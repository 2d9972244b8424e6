//! Loyalty points.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::connection::{Page, PageArgs, Position, connection};
use super::find::find_order;
use super::int::clamped;
use super::objects::Order;
pub use super::objects::PointsAccount;
use super::scalars::DateTime;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::store_fault;
use crate::kernel::{TransferId, UserId};
use crate::model::points::{EntryKey, EntryPage, TransferKind};
use crate::points;

/// The kinds of ledger entry.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "TransferKind")]
pub enum PointsEntryKind {
    /// The points were granted at sign-up.
    Welcome,
    /// An operator granted the points.
    Grant,
    /// An order was paid with points.
    Payment,
    /// A payment with points was refunded.
    Refund,
}

connection! {
    /// A page of ledger entries of a points account, newest first.
    PointsEntryConnection, PointsEntryEdge, PointsEntry
}

/// A ledger entry of a points account. Entries are never changed or removed.
#[derive(Clone)]
pub struct PointsEntry(pub points::Entry);

/// A ledger entry of a points account. Entries are never changed or removed.
#[Object]
impl PointsEntry {
    /// The opaque ID.
    pub async fn id(&self) -> ID {
        ID(self.0.transfer.to_string())
    }

    /// The kind of entry.
    async fn kind(&self) -> PointsEntryKind {
        self.0.kind.into()
    }

    /// The change to the account. It is negative when points were deducted.
    async fn points(&self) -> i32 {
        clamped(self.0.points)
    }

    /// The operator's reason for a grant. Null for other kinds of entry.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The order that was paid or refunded. Null for other kinds of entry, and for users who may not see the order.
    async fn order(&self, ctx: &Context<'_>) -> Option<Result<Order>> {
        let id = self.0.subject.as_deref()?.parse().ok()?;
        find_order(ctx, id).await.map(|found| found.map(Order)).transpose()
    }

    /// When the entry was recorded.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.at)
    }
}

/// A user's loyalty points.
#[Object]
impl PointsAccount {
    /// The points that can be spent now. Balances of 2147483647 and above are reported as 2147483647.
    async fn balance(&self) -> i32 {
        clamped(self.0.available())
    }

    /// The points reserved for payments in progress, which are not part of `balance`. Amounts of 2147483647 and above
    /// are reported as 2147483647.
    async fn reserved(&self) -> i32 {
        clamped(self.0.reserved)
    }

    /// The ledger entries, newest first. They add up to the sum of `balance` and `reserved`.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<PointsEntryConnection> {
        list_entries(ctx, self.0.user, &PageArgs { first, after, last, before }).await
    }
}

async fn list_entries(ctx: &Context<'_>, user: UserId, args: &PageArgs) -> Result<PointsEntryConnection> {
    let services = ctx.services();
    let request = args.check::<16>(&services.config.graphql)?;
    let key = |position: Position<16>| EntryKey { at: position.at, transfer: TransferId::from_bytes(position.id) };
    let page = EntryPage {
        after: request.after.map(key),
        before: request.before.map(key),
        limit: request.size,
        from_end: request.from_end,
    };
    let listed = services.points.entries(user, page).await.map_err(|error| store_fault(&error))?;
    let cursor = |entry: &points::Entry| Position { at: entry.at, id: entry.transfer.to_bytes() }.encode();
    Ok(PointsEntryConnection(Page {
        edges: listed.entries.into_iter().map(|entry| (cursor(&entry), PointsEntry(entry))).collect(),
        has_previous: if request.from_end { listed.more } else { request.after.is_some() },
        has_next: if request.from_end { request.before.is_some() } else { listed.more },
        total: listed.total,
    }))
}

/// The account of a user.
pub async fn account_of(ctx: &Context<'_>, user: UserId) -> Result<PointsAccount> {
    ctx.services().points.account(user).await.map(PointsAccount).map_err(|error| store_fault(&error))
}
