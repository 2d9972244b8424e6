//! Sessions and sales, answered from the node's snapshot.

use async_graphql::{Context, ID, Object, Result};

use crate::api::graphql::context::{ContextExt as _, Services};
use crate::api::graphql::error::Code;
use crate::api::graphql::loaders::ProductLoader;
use crate::api::graphql::types::connection::PageArgs;
use crate::api::graphql::types::sales::{
    SaleConnection, SaleObject, SaleSessionConnection, SaleSessionObject, SaleStatus, list_sales, visible,
};
use crate::api::graphql::types::scalars::{Date, DateTime};
use crate::api::graphql::types::shop::Shop;
use crate::kernel::Timestamp;

/// How many days after the first the last one may be, in a list of sessions.
const DAYS_MAX: i32 = 31;

/// Queries about sessions and sales.
#[derive(Default)]
pub struct SalesQuery;

#[Object]
impl SalesQuery {
    /// Public information about the shop.
    async fn shop(&self) -> Shop {
        Shop
    }

    /// The server's current time, for countdowns.
    async fn server_time(&self, ctx: &Context<'_>) -> DateTime {
        DateTime(ctx.services().clock.now())
    }

    /// The sessions that overlap a day or a range of days in the shop's time zone, sorted by start.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn sale_sessions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day. Defaults to today in the shop's time zone.")] on: Option<Date>,
        #[graphql(desc = "The last day, inclusive, at most 31 days after the first. Defaults to the first day.")]
        until: Option<Date>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
    ) -> Result<SaleSessionConnection> {
        let services = ctx.services();
        let request = PageArgs { first, after, last, before }.check(&services.config.graphql)?;
        let first_day = on.map_or_else(|| services.sales.today(), |on| on.0);
        let (begin, end) = bounds(services, first_day, until.map_or(first_day, |until| until.0))?;
        let snapshot = services.sales.snapshot();
        let touching = snapshot.sessions().iter().filter(|session| session.starts_at < end && session.ends_at > begin);
        let listed: Vec<_> = touching.collect();
        let products = ProductLoader::new(&services.catalog);
        let page = request.of(&listed, |session| SaleSessionObject::position(session));
        Ok(SaleSessionConnection(page.map(|session| SaleSessionObject::new(session.clone(), products.clone()))))
    }

    /// Sales, sorted by the start of their session.
    #[allow(clippy::too_many_arguments, reason = "the public field has these arguments")]
    async fn sales(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Filter by session. Defaults to all sessions.")] session_id: Option<ID>,
        #[graphql(desc = "Filter by current status. Defaults to all statuses.")] statuses: Option<Vec<SaleStatus>>,
        #[graphql(desc = "Return the first n items.")] first: Option<i32>,
        #[graphql(desc = "Return items after this cursor.")] after: Option<String>,
        #[graphql(desc = "Return the last n items.")] last: Option<i32>,
        #[graphql(desc = "Return items before this cursor.")] before: Option<String>,
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

    /// The sale with this ID. Null if it does not exist.
    async fn sale(&self, ctx: &Context<'_>, #[graphql(desc = "The ID of the sale.")] id: ID) -> Option<SaleObject> {
        let snapshot = ctx.services().sales.snapshot();
        let offer = id.parse().ok().and_then(|id| snapshot.offer(id)).filter(|offer| visible(ctx, offer))?;
        Some(SaleObject::single(ctx.services(), offer.clone()))
    }
}

/// First moment of the first day, and first moment after the last one.
pub(super) fn bounds(
    services: &Services,
    first: jiff::civil::Date,
    last: jiff::civil::Date,
) -> Result<(Timestamp, Timestamp)> {
    let days = (last - first).get_days();
    if !(0..=DAYS_MAX).contains(&days) {
        return Err(Code::BadUserInput.error(format!("`until` must be 0 to {DAYS_MAX} days after the first day.")));
    }
    let (begin, end) = (services.sales.bounds_of(first), services.sales.bounds_of(last));
    let bounds = begin.zip(end).map(|((begin, _), (_, end))| (begin, end));
    bounds.ok_or_else(|| Code::BadUserInput.error("The days are outside the supported calendar."))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use async_graphql::Request;
    use async_trait::async_trait;

    use crate::api::graphql::context::{RequestInfo, Services, TokenIn};
    use crate::api::graphql::schema;
    use crate::app::App;
    use crate::catalog::{Catalog, CatalogError, PriceInput, ProductInput};
    use crate::config::{Config, Secret};
    use crate::kernel::{Clock, Currency, ProductId, Rng};
    use crate::model::catalog::Product;
    use crate::sales::{SaleInput, SessionInput};

    /// A catalog that is down.
    struct Down;

    #[async_trait]
    impl Catalog for Down {
        async fn find_many(&self, _: &[ProductId]) -> Result<HashMap<ProductId, Arc<Product>>, CatalogError> {
            Err(CatalogError("down".into()))
        }
    }

    #[tokio::test]
    async fn a_sale_is_shown_without_its_product_when_the_catalog_fails() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default_embedded();
        config.store.url = Secret::new(format!("sqlite://{}/shop.db", folder.path().display()));
        config.accounts.hash_memory = crate::config::Size(8 * 1024);
        let app = App::build(config, Clock::system(), Rng::system()).await.unwrap();
        let operator = app.accounts().create_operator("operator", "password123", "Operator").await.unwrap().unwrap();
        let price = || PriceInput { amount: "9.90".parse().unwrap(), currency: Currency::Cny };
        let product =
            ProductInput { name: "Lamp".into(), title: None, description: None, image_url: None, price: price() };
        let product = app.sales().product_create(operator.id, product).await.unwrap();
        let now = app.services().clock.now();
        let session = SessionInput { name: None, starts_at: now, ends_at: None };
        let session = app.sales().session_create(operator.id, session).await.unwrap();
        let sale = SaleInput {
            session_id: session.id,
            product_id: product.id,
            price: price(),
            points_price: None,
            stock: 5,
            limit_per_buyer: 1,
            pay_within_seconds: 60,
            returns_on_refund: true,
        };
        let sale = app.sales().sale_create(operator.id, sale).await.unwrap();
        app.sales().sale_publish(operator.id, sale.sale.id).await.unwrap();
        let services = Services { catalog: Arc::new(Down), ..app.services() };
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (request_id, token_in) = ("test".into(), TokenIn::Answer);
        let (viewer, token, known_version, device) = (None, None, None, None);
        let info = RequestInfo { viewer, token, address, request_id, known_version, device, token_in };
        let query =
            format!("{{ sale(id: \"{}\") {{ price {{ amount }} stockTotal product {{ name }} }} }}", sale.sale.id);
        let answer = schema::build(Arc::new(services)).execute(Request::new(query).data(info)).await;
        let answer = serde_json::to_value(answer).unwrap();
        let shown = serde_json::json!({ "price": { "amount": "9.90" }, "stockTotal": 5, "product": null });
        assert_eq!(answer["data"]["sale"], shown, "{answer}");
        assert_eq!(answer["errors"][0]["path"], serde_json::json!(["sale", "product"]));
        assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAVAILABLE");
    }
}
