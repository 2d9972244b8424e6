//! What operators read of edits in SQL.

use async_graphql::{Context, ID, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::store_fault;
use crate::api::graphql::types::connection::{PageArgs, Position};
use crate::api::graphql::types::edits::{CatalogEdit, CatalogEditConnection};
use crate::kernel::Listed;
use crate::model::edits::{Edit, EditedRow};
use crate::model::rights::Right;

/// Queries of operators about edits in SQL.
#[derive(Default)]
pub struct EditsQuery;

#[Object]
impl EditsQuery {
    /// Operators and observers: edits of products, sessions and sales that somebody made in SQL, newest first.
    async fn catalog_edits(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only edits of this sale.")] sale_id: Option<ID>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<CatalogEditConnection> {
        ctx.require(Right::SeeShop)?;
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check::<8>(&services.config.graphql)?;
        let wanted = request.wanted(ctx, |place| i64::from_be_bytes(place.id));
        let cursor = |edit: &Edit| Position { at: edit.at, id: edit.id.to_be_bytes() }.encode();
        let listed = match sale_id.map(|id| id.parse()) {
            // No sale: nothing was done to it.
            Some(Err(_)) => Listed::none(),
            sale => {
                let row = sale.and_then(Result::ok).map(EditedRow::Sale);
                services.sales.list_edits(row, wanted).await.map_err(|error| store_fault(&error))?
            }
        };
        Ok(CatalogEditConnection(request.page(listed, cursor, CatalogEdit)))
    }
}
