//! Edits of the catalog that somebody made in SQL.

use async_graphql::{Context, Enum, ID, Object, Result};

use super::connection::connection;
use super::scalars::DateTime;
use crate::api::graphql::query::node::{Node, find_for_operator};
use crate::model::edits::{Edit, EditOp};

connection! {
    /// A page of edits of the catalog in SQL, newest first.
    CatalogEditConnection, CatalogEditEdge, CatalogEdit
}

/// What was done to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub enum CatalogEditKind {
    /// The row was added.
    Insert,
    /// The row was changed.
    Update,
    /// The row was removed.
    Delete,
}

/// An edit of one row of the catalog that somebody made in SQL.
#[derive(Clone)]
pub struct CatalogEdit(pub Edit);

/// An edit of one row of the catalog that somebody made in SQL.
#[Object]
impl CatalogEdit {
    /// The opaque id.
    async fn id(&self) -> ID {
        ID(format!("edit_{}", self.0.id))
    }

    /// The table: `products`, `sale_sessions` or `sales`.
    async fn table(&self) -> &str {
        self.0.row.table()
    }

    /// The ID of the edited object.
    async fn subject(&self) -> ID {
        ID(self.0.row.public_id())
    }

    /// The edited object, if it still exists.
    async fn subject_node(&self, ctx: &Context<'_>) -> Option<Result<Node>> {
        find_for_operator(ctx, &self.0.row.public_id()).await.transpose()
    }

    /// What was done.
    async fn kind(&self) -> CatalogEditKind {
        match self.0.op {
            EditOp::Insert => CatalogEditKind::Insert,
            EditOp::Update => CatalogEditKind::Update,
            EditOp::Delete => CatalogEditKind::Delete,
        }
    }

    /// The row before, as JSON. Null if it was added.
    async fn before(&self) -> Option<&str> {
        self.0.before.as_deref()
    }

    /// The row after, as JSON. Null if it was removed.
    async fn after(&self) -> Option<&str> {
        self.0.after.as_deref()
    }

    /// The database role of the editor. `unknown` if no trigger recorded the edit, which was then found by comparing. Null if the database
    /// is a file.
    async fn by_role(&self) -> Option<&str> {
        self.0.by_role.as_deref()
    }

    /// The name of the editor's program, as it was given to the database. Null if it is unknown.
    async fn by_program(&self) -> Option<&str> {
        self.0.by_app.as_deref().filter(|name| !name.is_empty())
    }

    /// The network address of the editor. Null if it is unknown.
    async fn by_address(&self) -> Option<&str> {
        self.0.by_addr.as_deref()
    }

    /// When the edit was made, by the clock of the database.
    async fn at(&self) -> DateTime {
        DateTime(self.0.at)
    }

    /// When the edit was applied to the whole shop. Null if it was not applied yet.
    async fn applied_at(&self) -> Option<DateTime> {
        self.0.handled_at.map(DateTime)
    }
}
