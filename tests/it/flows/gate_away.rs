//! Two nodes on real servers, and Redis cut off from both while operators act: once it is back, every node sells by what they said.

use std::time::Duration;

use doorbuster::demo::socket::{Event, Socket, payload};
use doorbuster::demo::wire;
use doorbuster::kernel::{Clock, SaleId};
use doorbuster::model::facts::Facts;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::nodes::{Cluster, buy};
use crate::support::proxy::{Network, Proxy};
use crate::support::servers::{execute, redis};
use crate::support::{PATIENCE, Shop, Terms, until};

/// No round of reconciliation after the first: what reaches the gate came by itself.
const NO_RECONCILIATION: &str = "[orders]\nreconcile_every = \"1h\"\n";

/// Nobody reconciles, and nobody takes acts to the gate. Goes on in the section of the node.
const NO_JOBS: &str = "roles = [\"api\", \"writer\", \"timeouts\", \"relay\"]\n";

/// Two nodes that reach Redis through a proxy.
struct Stage {
    cluster: Cluster,
    redis: Proxy,
    nodes: [Shop; 2],
}

impl Stage {
    async fn open(settings: &'static str) -> Self {
        let cluster = Cluster::fresh(settings).await;
        let redis = Proxy::before(&redis()).await;
        let one = cluster.node_with("one", &redis.url()).await;
        let two = cluster.node_with("two", &redis.url()).await;
        Self { cluster, redis, nodes: [one, two] }
    }

    /// A sale that both nodes sell; with a ticket that a buyer has in it.
    async fn sale(&self, terms: &Terms, name: &str) -> (String, String, String) {
        let [one, two] = &self.nodes;
        let sale = one.sale(terms).await;
        let buyer = one.buyer(name).await;
        let ticket = buy(one, &buyer, &sale, "key-before").await;
        assert_eq!(buy(two, &buyer, &sale, "key-before").await, ticket);
        (sale, buyer, ticket)
    }

    async fn sql(&self, statements: &str) {
        execute(&self.cluster.0.url(), statements).await;
    }

    /// What a stranger is told on each node.
    async fn strangers(&self, sale: &str, name: &str, quantity: i64) -> [Result<String, String>; 2] {
        let [one, two] = &self.nodes;
        let (first, second) = (one.buyer(&format!("{name}1")).await, two.buyer(&format!("{name}2")).await);
        [
            answered(one, &first, sale, quantity).await.map(|_| "ticket".to_owned()),
            answered(two, &second, sale, quantity).await.map(|_| "ticket".to_owned()),
        ]
    }

    async fn epochs(&self) -> Vec<u32> {
        let facts = Facts::read(self.nodes[0].app.db()).await.unwrap();
        facts.sales.iter().map(|sale| sale.epoch).collect()
    }
}

/// What a buyer is told once the node's connections for admissions are back, which may be after its others.
async fn answered(shop: &Shop, buyer: &str, sale: &str, quantity: i64) -> Result<String, String> {
    let query = "mutation($i: SalePurchaseInput!) { salePurchase(input: $i) { ticket { id } } }";
    let input = json!({ "saleId": sale, "idempotencyKey": "key-after", "quantity": quantity });
    until("admissions are possible", async || {
        let answer = shop.ask(Some(buyer), query, json!({ "i": input })).await;
        answer["errors"][0]["extensions"]["code"] != "UNAVAILABLE"
    })
    .await;
    shop.buy(buyer, sale, "key-after", quantity).await
}

fn refused(code: &str) -> [Result<String, String>; 2] {
    [Err(code.to_owned()), Err(code.to_owned())]
}

/// An act on a sale; what its operator reads of it.
async fn act(shop: &Shop, name: &str, input: Value) -> Value {
    let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
    let query = format!(
        "mutation($i: {kind}!) {{ {name}(input: $i) {{ sale {{ status stockTotal gateUpToDate }} userErrors {{ code }} }} }}"
    );
    let payload = shop.data(Some(&shop.operator), &query, json!({ "i": input })).await[name].clone();
    assert_eq!(payload["userErrors"], json!([]));
    payload["sale"].clone()
}

async fn gate_up_to_date(shop: &Shop, token: Option<&str>, sale: &str) -> Value {
    let query = "query($s: ID!) { sale(id: $s) { gateUpToDate } }";
    shop.data(token, query, json!({ "s": sale })).await["sale"]["gateUpToDate"].clone()
}

/// In the form of the database's UUID.
fn uuid(sale: &str) -> String {
    let sale: SaleId = sale.parse().unwrap();
    data_encoding::HEXLOWER.encode(&sale.to_bytes())
}

/// The outbox alone takes acts to the gate, as long as that takes; their operator can see it.
#[tokio::test(flavor = "multi_thread")]
async fn acts_reach_the_gate_when_it_is_back() {
    let stage = Stage::open(NO_RECONCILIATION).await;
    let one = &stage.nodes[0];
    let many = Terms { stock: 50, ..Terms::default() };
    let (ended, early, ticket) = stage.sale(&many, "ended").await;
    let (paused, _, _) = stage.sale(&many, "paused").await;
    let (stocked, _, _) = stage.sale(&Terms { stock: 1, ..Terms::default() }, "stocked").await;
    assert_eq!(stage.strangers(&stocked, "sold", 1).await, refused("SOLD_OUT"));
    let before = stage.epochs().await;

    stage.redis.set(Network::Cut);
    let told = act(one, "saleEnd", json!({ "saleId": ended })).await;
    assert_eq!((&told["status"], &told["gateUpToDate"]), (&json!("ENDED"), &json!(false)));
    let told = act(one, "salePause", json!({ "saleId": paused })).await;
    assert_eq!((&told["status"], &told["gateUpToDate"]), (&json!("PAUSED"), &json!(false)));
    let add = json!({ "saleId": stocked, "units": 2, "idempotencyKey": "two-more-units" });
    let told = act(one, "saleStockAdd", add).await;
    assert_eq!((&told["stockTotal"], &told["gateUpToDate"]), (&json!(3), &json!(false)));
    assert_eq!(gate_up_to_date(one, Some(&early), &ended).await, Value::Null, "a matter of operators");

    stage.redis.set(Network::Fine);
    for sale in [&ended, &paused, &stocked] {
        for node in &stage.nodes {
            until("up to date", async || gate_up_to_date(node, Some(&node.operator), sale).await == true).await;
        }
    }
    assert_eq!(stage.strangers(&ended, "late", 1).await, refused("SALE_ENDED"));
    assert_eq!(stage.strangers(&paused, "halted", 1).await, refused("SALE_PAUSED"));
    assert_eq!(stage.strangers(&stocked, "lucky", 1).await, [Ok("ticket".into()), Ok("ticket".into())]);
    assert_eq!(stage.strangers(&stocked, "unlucky", 1).await, refused("SOLD_OUT"));
    for node in &stage.nodes {
        assert_eq!(node.buy(&early, &ended, "key-before", 1).await.as_ref(), Ok(&ticket), "the key keeps its ticket");
    }
    assert_eq!(stage.epochs().await, before, "nothing was rebuilt");
}

/// An operator stops all sales on both nodes at once. The gate receives the change even if Redis is away at the time.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_shop_sells_nothing_on_any_node() {
    let stage = Stage::open(NO_RECONCILIATION).await;
    let one = &stage.nodes[0];
    let turn = async |name: &str| {
        let kind = format!("{}{}Input", name[..1].to_uppercase(), &name[1..]);
        let query = format!("mutation($i: {kind}!) {{ {name}(input: $i) {{ userErrors {{ code }} }} }}");
        let told = one.data(Some(&one.operator), &query, json!({ "i": { "reason": "Wrong prices" } })).await;
        assert_eq!(told[name]["userErrors"], json!([]));
    };
    let (first, _, _) = stage.sale(&Terms { stock: 50, ..Terms::default() }, "first").await;
    let (second, _, _) = stage.sale(&Terms { stock: 50, ..Terms::default() }, "second").await;
    let before = stage.epochs().await;
    turn("shopPause").await;
    for (sale, name) in [(&first, "late"), (&second, "later")] {
        assert_eq!(stage.strangers(sale, name, 1).await, refused("SALE_PAUSED"), "at once, on both nodes");
    }
    let status = async |node: &Shop| node.data(None, "{ shop { status } }", json!({})).await["shop"]["status"].clone();
    until("told", async || status(&stage.nodes[1]).await == "PAUSED").await;

    stage.redis.set(Network::Cut);
    turn("shopResume").await;
    stage.redis.set(Network::Fine);
    for sale in [&first, &second] {
        for node in &stage.nodes {
            until("up to date", async || gate_up_to_date(node, Some(&node.operator), sale).await == true).await;
        }
    }
    assert_eq!(stage.strangers(&first, "lucky", 1).await, [Ok("ticket".into()), Ok("ticket".into())]);
    assert_eq!(stage.strangers(&second, "happy", 1).await, [Ok("ticket".into()), Ok("ticket".into())]);
    assert_eq!(stage.epochs().await, before, "nothing was rebuilt");
}

/// The node that acted died right after the commit, before it told anybody: its event is found in the outbox.
#[tokio::test(flavor = "multi_thread")]
async fn an_act_outlives_the_node_that_did_it() {
    let stage = Stage::open(NO_RECONCILIATION).await;
    let (sale, _, _) = stage.sale(&Terms { stock: 1, ..Terms::default() }, "early").await;
    let event = json!({ "v": 1, "type": "gate-change", "sale": sale, "version": 3 });
    stage
        .sql(&format!(
            "BEGIN; UPDATE sales SET status = 'PAUSED', version = version + 1 WHERE id = '{}'; \
             INSERT INTO outbox (topic, key, payload, created_at, origin) \
             VALUES ('gate-changes', '{sale}', convert_to('{event}', 'UTF8'), 0, 'a node that is no more'); COMMIT",
            uuid(&sale)
        ))
        .await;
    // No node's snapshot knows of it: only the gate can refuse.
    let [one, _] = &stage.nodes;
    let buyer = one.buyer("late").await;
    until("paused", async || one.buy(&buyer, &sale, "key-after", 1).await == Err("SALE_PAUSED".into())).await;
}

/// What is edited by hand while Redis is away is repaired by reconciliation, for all that the gate keeps of a sale.
#[tokio::test(flavor = "multi_thread")]
async fn edits_reach_the_gate_when_it_is_back() {
    let stage = Stage::open("").await;
    let many = Terms { stock: 50, limit: 3, ..Terms::default() };
    let (limited, _, _) = stage.sale(&many, "limited").await;
    let (moved, _, _) = stage.sale(&many, "moved").await;
    let (postponed, _, _) = stage.sale(&many, "postponed").await;
    let (stocked, _, _) = stage.sale(&Terms { stock: 1, ..Terms::default() }, "stocked").await;
    // Only once the units that are out are decided do both sides count alike.
    until("decided", async || stage.nodes[0].stock(&stocked).await == 0).await;
    let before = stage.epochs().await;

    stage.redis.set(Network::Cut);
    let now = Clock::system().now();
    let session = |sale: &str| format!("id = (SELECT session_id FROM sales WHERE id = '{}')", uuid(sale));
    let hour = Duration::from_secs(3600);
    stage
        .sql(&format!(
            "UPDATE sales SET limit_per_buyer = 1, version = version + 1 WHERE id = '{}'; \
             UPDATE sale_sessions SET ends_at = {} WHERE {}; UPDATE sale_sessions SET starts_at = {} WHERE {}; \
             UPDATE sales SET stock_total = stock_total + 2, stock_left = stock_left + 2 WHERE id = '{}'",
            uuid(&limited),
            now.minus(Duration::from_secs(1)).as_millis(),
            session(&moved),
            now.plus(hour / 2).as_millis(),
            session(&postponed),
            uuid(&stocked),
        ))
        .await;
    stage.redis.set(Network::Fine);
    let query = "query($s: ID!) { sale(id: $s) { status limitPerBuyer } }";
    for node in &stage.nodes {
        until("read again", async || {
            let limit = node.data(None, query, json!({ "s": limited })).await["sale"]["limitPerBuyer"] == 1;
            limit && node.data(None, query, json!({ "s": moved })).await["sale"]["status"] == "ENDED"
        })
        .await;
    }
    assert_eq!(stage.strangers(&limited, "greedy", 2).await, refused("QUANTITY_INVALID"));
    assert_eq!(stage.strangers(&moved, "late", 1).await, refused("SALE_ENDED"));
    assert_eq!(stage.strangers(&postponed, "eager", 1).await, refused("SALE_NOT_STARTED"));
    assert_eq!(stage.strangers(&stocked, "lucky", 1).await, [Ok("ticket".into()), Ok("ticket".into())]);
    assert_eq!(stage.epochs().await, before, "nothing was rebuilt");
}

/// A ticket that was admitted after the end, because neither gate nor node had heard of it: its buyer is pushed the end, and the
/// unit is free again on both sides.
#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_from_after_the_end_is_refused_and_its_buyer_is_pushed_that() {
    let stage = Stage::open(NO_JOBS).await;
    let [one, two] = &stage.nodes;
    let (sale, _, _) = stage.sale(&Terms { stock: 2, ..Terms::default() }, "early").await;
    until("decided", async || one.stock(&sale).await == 1).await;
    let ended_at = Clock::system().now().minus(Duration::from_secs(60)).as_millis();
    stage
        .sql(&format!(
            "UPDATE sales SET status = 'ENDED', ended_at = {ended_at}, version = version + 1 WHERE id = '{}'",
            uuid(&sale)
        ))
        .await;
    for name in ["late1", "late2"] {
        // The second can be admitted only because the first one's unit came back.
        let buyer = one.buyer(name).await;
        let mut ticket = Err(String::new());
        until("admitted", async || {
            ticket = one.buy(&buyer, &sale, "key-after", 1).await;
            *ticket.as_ref().err().unwrap_or(&String::new()) != "SOLD_OUT"
        })
        .await;
        let mut socket = Socket::open(two.address(), &buyer, PATIENCE).await.unwrap();
        socket.subscribe_as(1, wire::FOLLOW, &json!({ "id": ticket.unwrap() })).await.unwrap();
        let refusal = loop {
            match timeout(PATIENCE, socket.next()).await.expect("nothing was pushed").unwrap() {
                Event::Next(_, raw) => {
                    let seen: Value = payload(&raw).unwrap().unwrap();
                    if seen["status"] != "QUEUED" {
                        break seen;
                    }
                }
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(refusal["refusal"]["code"], "SALE_ENDED", "{refusal}");
        assert!(refusal["order"].is_null());
    }
    assert_eq!(one.stock(&sale).await, 1);
}
