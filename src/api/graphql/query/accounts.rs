//! Who is signed in.

use async_graphql::{Context, Object};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::types::accounts::Viewer;

/// Queries about accounts.
#[derive(Default)]
pub struct AccountsQuery;

#[Object]
impl AccountsQuery {
    /// The signed-in user. Null if nobody is signed in.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        ctx.viewer().map(|viewer| Viewer { id: viewer.id })
    }
}
