//! Loyalty points.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::connection::{Page, PageArgs, Position, connection};
use super::int::clamped;
use super::orders::Order;
use super::scalars::DateTime;
use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::store_fault;
use crate::api::graphql::query::orders::find_order;
use crate::kernel::{TransferId, UserId};
use crate::points::{self, EntryKey, EntryPage, TransferKind};

/// What moved points.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "TransferKind")]
pub enum PointsEntryKind {
    /// The gift at sign-up.
    Welcome,
    /// Given by an operator.
    Grant,
    /// An order was paid with points.
    Payment,
    /// A payment was given back.
    Refund,
}

connection! {
    /// A page of the lines of a points account, newest first.
    PointsEntryConnection, PointsEntryEdge, PointsEntry
}

/// A line of a points account. It is never changed or removed.
#[derive(Clone)]
pub struct PointsEntry(pub points::Entry);

/// A line of a points account. It is never changed or removed.
#[Object]
impl PointsEntry {
    /// The opaque id.
    pub async fn id(&self) -> ID {
        ID(self.0.transfer.to_string())
    }

    /// What moved the points.
    async fn kind(&self) -> PointsEntryKind {
        self.0.kind.into()
    }

    /// What the account gained; below zero when it lost.
    async fn points(&self) -> i32 {
        clamped(self.0.points)
    }

    /// Why they were granted, in the operator's words; null otherwise.
    async fn reason(&self) -> Option<&str> {
        self.0.reason.as_deref()
    }

    /// The order that was paid or given back; null otherwise, and for those who may not see it.
    async fn order(&self, ctx: &Context<'_>) -> Option<Result<Order>> {
        let id = self.0.subject.as_deref()?.parse().ok()?;
        find_order(ctx, id).await.map(|found| found.map(Order)).transpose()
    }

    /// When they were moved.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.at)
    }
}

/// Somebody's loyalty points.
pub struct PointsAccount(pub points::Account);

/// Somebody's loyalty points.
#[Object]
impl PointsAccount {
    /// Points that can be spent now. 2147483647 stands for that many and more.
    async fn balance(&self) -> i32 {
        clamped(self.0.available())
    }

    /// Points that are set aside for payments under way; not part of `balance`. 2147483647 stands for that many and more.
    async fn reserved(&self) -> i32 {
        clamped(self.0.reserved)
    }

    /// What moved the points, newest first. The sum of all lines is `balance` and `reserved` together.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn entries(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "This many from the beginning.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
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
