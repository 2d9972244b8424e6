//! Whatever the plan responds, the executor would have responded in the same bytes.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use async_trait::async_trait;
use proptest::prelude::*;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};

use super::*;
use crate::api::graphql::context::{RequestInfo, TokenIn};
use crate::api::graphql::edge::documents::cache::{Documents, SharedFields};
use crate::api::graphql::edge::documents::trusted::{self, Manifest};
use crate::api::graphql::edge::execution::engine::Engine;
use crate::api::graphql::edge::execution::shortcut::Planned;
use crate::api::graphql::edge::request::params::{Params, Source};
use crate::api::graphql::edge::response::answer::Answer;
use crate::api::graphql::edge::testing::limits;
use crate::api::graphql::schema;
use crate::app::App;
use crate::catalog::{Catalog, CatalogError, PriceInput, ProductInput};
use crate::config::{Config, Secret};
use crate::kernel::{Clock, Currency, ManualClock, ProductId, Rng};
use crate::model::accounts::Role;
use crate::model::catalog::Product;
use crate::sales::{SaleInput, SessionInput};

struct Shop {
    app: App,
    viewers: [Option<Viewer>; 3],
    sales: Vec<SaleId>,
    session: SessionId,
    _folder: tempfile::TempDir,
}

/// The same requests to a server with the plan, and to one without.
struct Both {
    planned: Documents,
    executed: Documents,
    engine: Arc<dyn Engine>,
}

struct Down;

#[async_trait]
impl Catalog for Down {
    async fn find_many(
        &self,
        _: &[ProductId],
    ) -> Result<std::collections::HashMap<ProductId, Arc<Product>>, CatalogError> {
        Err(CatalogError("down".into()))
    }
}

impl Shop {
    /// Two sessions with five sales in all states, of two products.
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default_embedded();
        config.store.url = Secret::new(format!("sqlite://{}/shop.db", folder.path().display()));
        config.accounts.hash_memory = crate::config::Size(8 * 1024);
        let time = ManualClock::at(Clock::system().now());
        let app = App::build(config, time.clock(), Rng::system()).await.unwrap();
        let operator = app.accounts().create_operator("operator", "password123", "Operator").await.unwrap().unwrap();
        let price = |amount: &str| PriceInput { amount: amount.parse().unwrap(), currency: Currency::Cny };
        let product = |name: &str, title: Option<&str>| ProductInput {
            name: name.into(),
            title: title.map(str::to_owned),
            description: Some("\"quoted\" \\ \u{1F600} <b>".into()),
            image_url: title.map(|_| "/pictures/lamp.webp".into()),
            price: price("129.00"),
        };
        let lamp = app.sales().product_create(operator.id, product("Lamp \"é\"", Some("Bright"))).await.unwrap();
        let desk = app.sales().product_create(operator.id, product("桌子", None)).await.unwrap();
        let (now, hour) = (time.clock().now(), Duration::from_secs(3_600));
        let slot =
            |name: Option<&str>, starts_at| SessionInput { name: name.map(str::to_owned), starts_at, ends_at: None };
        let running = app.sales().session_create(operator.id, slot(Some("Ten o'clock"), now)).await.unwrap();
        let next = app.sales().session_create(operator.id, slot(None, now.plus(hour))).await.unwrap();
        let mut sales = Vec::new();
        for (index, (session, product)) in
            [(&running, &lamp), (&running, &desk), (&running, &lamp), (&next, &desk), (&next, &lamp)]
                .into_iter()
                .enumerate()
        {
            let input = SaleInput {
                session_id: session.id,
                product_id: product.id,
                price: price("9.90"),
                points_price: (index % 2 == 0).then_some(300),
                stock: 5,
                limit_per_buyer: 2,
                pay_within_seconds: 60,
                returns_on_refund: index == 1,
            };
            sales.push(app.sales().sale_create(operator.id, input).await.unwrap().sale.id);
        }
        // The last one stays a draft.
        for sale in &sales[..4] {
            app.sales().sale_publish(operator.id, *sale).await.unwrap();
        }
        app.sales().sale_pause(operator.id, sales[1]).await.unwrap();
        app.sales().sale_end(operator.id, sales[2]).await.unwrap();
        let viewers = [
            None,
            Some(Viewer::new(crate::kernel::UserId::from_bytes([7; 16]), Role::Buyer)),
            Some(Viewer::new(operator.id, Role::Operator)),
        ];
        Self { app, viewers, sales, session: running.id, _folder: folder }
    }
}

impl Both {
    fn of(services: Services) -> Self {
        let services = Arc::new(services);
        let shortcut = Arc::new(SaleShortcut(services.clone()));
        let engine: Arc<dyn Engine> = Arc::new(schema::build(services.clone()));
        let documents = |shortcut: Option<Arc<dyn Shortcut>>| {
            Documents::new(
                &*engine,
                limits(),
                SharedFields::default(),
                shortcut,
                &Manifest::default(),
                &services.config.graphql,
            )
        };
        let (planned, executed) = (documents(Some(shortcut)), documents(None));
        Self { planned, executed, engine }
    }

    /// The response that the plan gives; `None` when it leaves the request to the executor.
    async fn planned(&self, query: &str, variables: &Value, viewer: Option<Viewer>) -> Option<String> {
        let mut prepared = self.planned.prepare(params(query, variables), true).ok()?;
        Some(match prepared.shortcut(&info(viewer)).ok()??.await {
            Planned::Done(body) => String::from_utf8(body.to_vec()).unwrap(),
            Planned::Failed(response) => text(response),
        })
    }

    async fn executed(&self, query: &str, variables: &Value, viewer: Option<Viewer>) -> String {
        let refused =
            |refusal: crate::api::graphql::edge::response::refusal::Refusal| panic!("{query}: {}", refusal.message());
        let prepared = self.executed.prepare(params(query, variables), true).unwrap_or_else(refused);
        text(self.engine.execute(prepared.executable().data(info(viewer))).await)
    }

    /// The plan responds, and the executor would have responded the same.
    async fn agree(&self, query: &str, variables: Value, viewer: Option<Viewer>) -> Value {
        let planned = self.planned(query, &variables, viewer).await.unwrap_or_else(|| panic!("not planned: {query}"));
        assert_eq!(planned, self.executed(query, &variables, viewer).await, "{query} {variables}");
        serde_json::from_str(&planned).unwrap()
    }
}

fn params(query: &str, variables: &Value) -> Params {
    let variables = (!variables.is_null()).then(|| to_raw_value(variables).unwrap());
    Params { document: Source::Text(query.to_owned()), variables, ..Params::default() }
}

fn info(viewer: Option<Viewer>) -> RequestInfo {
    RequestInfo {
        viewer,
        token: None,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        request_id: "test".into(),
        known_version: None,
        device: None,
        token_in: TokenIn::Answer,
    }
}

fn text(response: async_graphql::Response) -> String {
    let bytes = match Answer::new(response, "r") {
        Ok(answer) => answer.body,
        Err(refusal) => refusal.body(),
    };
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_front_ends_documents_are_planned() {
    let shop = Shop::open().await;
    let both = Both::of(shop.app.services());
    let manifest = trusted::compiled_in();
    let named = |name: &str| {
        let query = format!("query {name}");
        let of_name = |text: &&String| text.starts_with(&format!("{query} ")) || text.starts_with(&format!("{query}("));
        manifest.values().find(of_name).unwrap_or_else(|| panic!("{name} is not a document of the front ends"))
    };
    for viewer in shop.viewers {
        let sales = both.agree(named("Sales"), json!({}), viewer).await;
        assert_eq!(sales["data"]["sales"]["nodes"].as_array().unwrap().len(), if sees_drafts(viewer) { 5 } else { 4 });
        both.agree(named("SaleSessions"), json!({}), viewer).await;
        both.agree(named("Shop"), Value::Null, viewer).await;
    }
    // What the page of a sale shows of an order is not planned, and nobody who is not signed in has one.
    both.agree(named("Home"), json!({}), None).await;
    assert_eq!(both.planned(named("Home"), &json!({}), shop.viewers[1]).await, None);
    both.agree(named("Sale"), json!({ "id": shop.sales[0].to_string() }), None).await;
    assert_eq!(both.planned(named("Sale"), &json!({ "id": shop.sales[0].to_string() }), shop.viewers[1]).await, None);
}

#[tokio::test]
async fn arguments_mean_what_they_mean_to_the_executor() {
    let shop = Shop::open().await;
    let both = Both::of(shop.app.services());
    let list = "query($s: ID, $t: [SaleStatus!], $a: String, $b: String) { \
        sales(sessionId: $s, statuses: $t, first: 2, after: $a, before: $b) { totalCount nodes { id } edges { cursor } \
        pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";
    let first = both.agree(list, json!({}), None).await;
    let cursor = &first["data"]["sales"]["pageInfo"]["endCursor"];
    for variables in [
        Value::Null,
        json!({ "a": cursor }),
        json!({ "b": cursor }),
        json!({ "a": null, "s": null, "t": null }),
        json!({ "s": shop.session.to_string() }),
        json!({ "s": "nonsense" }),
        json!({ "t": ["OPEN", "PAUSED"] }),
        json!({ "t": [] }),
    ] {
        both.agree(list, variables, None).await;
    }
    for unclear in [
        json!({ "a": "nonsense" }),
        json!({ "a": 5 }),
        json!({ "s": 5 }),
        json!({ "t": "OPEN" }),
        json!({ "t": ["NONE"] }),
        json!({ "t": [null] }),
        json!({ "more": 1 }),
    ] {
        assert_eq!(both.planned(list, &unclear, None).await, None, "{unclear}");
    }
    let with_default = "query($t: [SaleStatus!] = [ENDED]) { sales(statuses: $t, last: 3) { nodes { id status } } }";
    for variables in [json!({}), json!({ "t": ["OPEN"] }), json!({ "t": null })] {
        both.agree(with_default, variables, None).await;
    }
    let days =
        "query($d: Date, $u: Date) { saleSessions(on: $d, until: $u, first: 5) { totalCount nodes { id status } } }";
    for variables in [json!({}), json!({ "d": "2026-01-01" }), json!({ "d": "2026-11-30", "u": "2026-12-20" })] {
        both.agree(days, variables, None).await;
    }
    for unclear in [json!({ "d": "2026-1-1" }), json!({ "d": "2026-01-02", "u": "2026-01-01" }), json!({ "d": 1 })] {
        assert_eq!(both.planned(days, &unclear, None).await, None, "{unclear}");
    }
    for one in ["nonsense".to_owned(), shop.sales[4].to_string(), shop.sales[2].to_string()] {
        let query = "query($id: ID!) { __typename sale(id: $id) { id status session { id name } } }";
        both.agree(query, json!({ "id": one }), None).await;
        both.agree(query, json!({ "id": one }), shop.viewers[2]).await;
    }
}

#[tokio::test]
async fn what_can_not_be_read_is_null_with_its_error() {
    let shop = Shop::open().await;
    let both = Both::of(Services { catalog: Arc::new(Down), ..shop.app.services() });
    let query =
        "{ x: sales(first: 3) { edges { node { id p: product { name } originalPrice { amount } } } nodes { id } } }";
    let answer = both.agree(query, Value::Null, None).await;
    assert_eq!(answer["errors"].as_array().unwrap().len(), 6);
    assert_eq!(answer["errors"][0]["path"], json!(["x", "edges", 0, "node", "p"]));
    let tickets = "{ sales(first: 3) { nodes { viewerTicket { id status } } } }";
    let both = Both::of(shop.app.services());
    both.agree(tickets, Value::Null, shop.viewers[1]).await;
}

#[tokio::test]
async fn what_is_not_known_is_left_to_the_executor() {
    let shop = Shop::open().await;
    let both = Both::of(shop.app.services());
    for query in [
        "{ nodes(ids: []) { id } }",
        "{ serverTime node(id: \"user_x\") { id } }",
        "{ sales(first: 1) { nodes { gateUpToDate } } }",
        "{ saleSessions { nodes { sales { nodes { id } } } } }",
        "query($n: Int) { sales(first: $n) { nodes { id } } }",
        "query($i: Boolean = true) { sales { nodes { id @include(if: $i) } } }",
        "{ sales(first: 1, last: 1) { nodes { id } } }",
        "{ sales(first: 101) { nodes { id } } }",
        "subscription { viewerOrderUpdated { id } }",
    ] {
        assert_eq!(both.planned(query, &json!({}), None).await, None, "{query}");
    }
    // Whoever wants to know what it costs is told by the executor.
    let params = Params { cost: true, ..params("{ sales { nodes { id } } }", &Value::Null) };
    let mut prepared = both.planned.prepare(params, true).unwrap_or_else(|refusal| panic!("{}", refusal.message()));
    assert!(prepared.shortcut(&info(None)).unwrap_or_default().is_none());
}

const SALE: [&str; 18] = [
    "id",
    "status",
    "stockTotal",
    "stockRemaining",
    "unitsHeld",
    "limitPerBuyer",
    "payWithinSeconds",
    "startsAt",
    "endsAt",
    "version",
    "pointsPrice",
    "returnsOnRefund",
    "price { currencyCode amount __typename }",
    "originalPrice { amount }",
    "product { id name title description imageUrl version createdAt updatedAt price { amount } __typename }",
    "session { id name startsAt endsAt status __typename }",
    "viewerTicket { id quantity status createdAt version }",
    "__typename",
];

/// Some of the fields, in any order, some under another name, some in a fragment.
fn selection(fields: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::collection::vec((prop::bool::weighted(0.2), prop::sample::select(fields)), 1..8).prop_map(|fields| {
        let fields = fields.into_iter().enumerate();
        let named =
            fields.map(|(index, (alias, field))| if alias { format!("a{index}: {field}") } else { field.to_owned() });
        format!("{{ {} }}", named.collect::<Vec<_>>().join(" "))
    })
}

fn documents() -> impl Strategy<Value = String> {
    let list = |name: &'static str, item: &'static [&'static str]| {
        (selection(item), selection(item), 0..4).prop_map(move |(nodes, edges, kind)| match kind {
            0 => format!("{name} {{ nodes {nodes} totalCount __typename }}"),
            1 => format!("{name} {{ pageInfo {{ endCursor __typename }} edges {{ cursor node {edges} __typename }} }}"),
            2 => format!("{name} {{ nodes {nodes} edges {{ node {edges} }} pageInfo {{ hasNextPage startCursor }} }}"),
            _ => format!("{name} {{ ... on SaleConnection {{ nodes {nodes} }} }}"),
        })
    };
    let sessions = &["id", "name", "startsAt", "endsAt", "status", "__typename"];
    let root = prop_oneof![
        3 => list("sales(first: 4)", &SALE),
        1 => list("sales(statuses: [OPEN, ENDED])", &SALE),
        1 => list("saleSessions", sessions).prop_map(|list| list.replace("SaleConnection", "SaleSessionConnection")),
        1 => Just("serverTime".to_owned()),
        1 => Just("__typename".to_owned()),
        1 => selection(&["name", "timeZone", "paymentMethods", "signUpOpen", "welcomePoints", "supportUrl", "__typename"])
            .prop_map(|fields| format!("shop {fields}")),
    ];
    prop::collection::vec(root, 1..4).prop_map(|roots| {
        let named = |(index, root): (usize, String)| format!("r{index}: {root}");
        format!("{{ {} }}", roots.into_iter().enumerate().map(named).collect::<Vec<_>>().join(" "))
    })
}

#[test]
fn any_document_gets_the_executors_bytes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let shop = runtime.block_on(Shop::open());
    let both = Both::of(shop.app.services());
    let mut runner = proptest::test_runner::TestRunner::default();
    let cases = (documents(), 0..3_usize);
    let outcome = runner.run(&cases, |(document, viewer)| {
        let viewer = shop.viewers[viewer];
        let (ours, theirs) = runtime.block_on(async {
            (both.planned(&document, &Value::Null, viewer).await, both.executed(&document, &Value::Null, viewer).await)
        });
        prop_assert!(ours.is_some(), "not planned: {}", document);
        prop_assert_eq!(ours.unwrap(), theirs, "{}", document);
        Ok(())
    });
    outcome.unwrap();
}
