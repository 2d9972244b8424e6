//! Sessions and sales, answered from the node's snapshot.

use async_graphql::{Context, ID, Object, Result};

use crate::api::graphql::context::ContextExt as _;
use crate::api::graphql::error::Code;
use crate::api::graphql::loaders::ProductLoader;
use crate::api::graphql::types::connection::PageArgs;
use crate::api::graphql::types::sales::{
    SaleConnection, SaleObject, SaleSessionConnection, SaleSessionObject, SaleStatus, list_sales, visible,
};
use crate::api::graphql::types::scalars::{Date, DateTime};

/// Queries about sessions and sales.
#[derive(Default)]
pub struct SalesQuery;

#[Object]
impl SalesQuery {
    /// The server's clock, to show countdowns by.
    async fn server_time(&self, ctx: &Context<'_>) -> DateTime {
        DateTime(ctx.services().clock.now())
    }

    /// The sessions of a day, by start: all that touch it, in the shop's time zone.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn sale_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day; today in the shop's time zone when absent.")] on: Option<Date>,
        #[graphql(desc = "This many from the beginning.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<SaleSessionConnection> {
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check(&services.config.graphql)?;
        let day = on.map_or_else(|| services.sales.today(), |on| on.0);
        let Some((begin, end)) = services.sales.bounds_of(day) else {
            return Err(Code::BadUserInput.error("`on` is beyond the calendar."));
        };
        let snapshot = services.sales.snapshot();
        let touching = snapshot.sessions().iter().filter(|session| session.starts_at < end && session.ends_at > begin);
        let listed: Vec<_> = touching.collect();
        let products = ProductLoader::new(&services.catalog);
        let page = request.of(&listed, |session| SaleSessionObject::position(session));
        Ok(SaleSessionConnection(page.map(|session| SaleSessionObject::new(session.clone(), products.clone()))))
    }

    /// Sales, by their session's start.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn sales(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only the sales of this session; all sessions when absent.")] session_id: Option<ID>,
        #[graphql(desc = "Only sales that stand so now; all when absent.")] statuses: Option<Vec<SaleStatus>>,
        #[graphql(desc = "This many from the beginning.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "This many from the end.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
    ) -> Result<SaleConnection> {
        let snapshot = ctx.services().sales.snapshot();
        let offers = match session_id {
            None => snapshot.offers(),
            Some(id) => id.parse().map_or(&[][..], |id| snapshot.offers_of(id)),
        };
        let products = ProductLoader::new(&ctx.services().catalog);
        let args = PageArgs { first, after, last, before };
        list_sales(ctx, offers, statuses.as_deref(), &args, &products)
    }

    /// A sale; null when there is none with this id.
    async fn sale(&self, ctx: &Context<'_>, #[graphql(desc = "The sale's id.")] id: ID) -> Option<SaleObject> {
        let snapshot = ctx.services().sales.snapshot();
        let offer = id.parse().ok().and_then(|id| snapshot.offer(id)).filter(|offer| visible(ctx, offer))?;
        Some(SaleObject::single(ctx.services(), offer.clone()))
    }
}
