//! The catalog edited in SQL beside running nodes: seen by queries and by subscribers, on the node that applies the edit and on others.

use std::time::Duration;

use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, SimpleAsyncConnection as _};
use doorbuster::demo::socket::{Event, Socket, payload};
use doorbuster::kernel::SaleId;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::nodes::{Cluster, buy};
use crate::support::servers::{attempt, execute};
use crate::support::{PATIENCE, Shop, Terms, until};

/// Edits are looked for often, and nothing else repairs what they leave undone.
const SETTINGS: &str = "[sales]\npoll_every = \"100ms\"\nreread_every = \"1h\"\n[orders]\nreconcile_every = \"1h\"\n";

/// Edits are only heard of.
const LISTENING: &str = "[sales]\npoll_every = \"1h\"\nreread_every = \"1h\"\n[orders]\nreconcile_every = \"1h\"\n";

/// Edits that no trigger saw are looked for often.
const COMPARING: &str =
    "[sales]\npoll_every = \"100ms\"\nreread_every = \"200ms\"\n[orders]\nreconcile_every = \"1h\"\n";

/// What shoppers read of a sale.
async fn read(shop: &Shop, sale: &str) -> Value {
    let query = "query($s: ID!) { sale(id: $s) { status limitPerBuyer stockTotal stockRemaining price { amount } \
                 product { name } } }";
    shop.data(None, query, json!({ "s": sale })).await["sale"].clone()
}

/// The sale's id in the database: as a literal of this dialect.
fn literal(sale: &str, is_file: bool) -> String {
    let sale: SaleId = sale.parse().unwrap();
    let hex = data_encoding::HEXLOWER.encode(&sale.to_bytes());
    if is_file { format!("x'{hex}'") } else { format!("'{hex}'") }
}

async fn metric(shop: &Shop, line: &str) -> bool {
    let url = format!("http://{}/metrics", shop.address());
    reqwest::get(&url).await.unwrap().text().await.unwrap().lines().any(|found| found.starts_with(line))
}

/// The file of a running server, edited by another program.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_may_be_edited_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.db").display().to_string();
    let shop = Shop::open_on(&format!("sqlite://{path}"), folder, SETTINGS).await;
    let sale = shop.sale(&Terms { stock: 1, ..Terms::default() }).await;
    let id = literal(&sale, true);
    let mut editor = diesel::SqliteConnection::establish(&path).unwrap();
    editor.batch_execute("PRAGMA busy_timeout = 10000").unwrap();

    let buyer = shop.buyer("first").await;
    let ticket = buy(&shop, &buyer, &sale, "key-first").await;
    shop.decided(&buyer, &ticket).await;
    let late = shop.buyer("late").await;
    assert_eq!(shop.buy(&late, &sale, "key-late1", 1).await, Err("SOLD_OUT".into()));
    editor.batch_execute(&format!("UPDATE sales SET stock_total = 3, limit_per_buyer = 2 WHERE id = {id}")).unwrap();
    editor.batch_execute("UPDATE products SET name = 'Lamp, blue'").unwrap();
    until("seen", async || {
        let seen = read(&shop, &sale).await;
        seen["stockRemaining"] == 2 && seen["limitPerBuyer"] == 2 && seen["product"]["name"] == "Lamp, blue"
    })
    .await;
    until("sold", async || shop.buy(&late, &sale, "key-late2", 2).await.is_ok()).await;

    let refusal = editor.batch_execute(&format!("UPDATE sales SET price_minor = 1 WHERE id = {id}")).unwrap_err();
    assert!(refusal.to_string().contains("pause it first"), "{refusal}");
    editor.batch_execute(&format!("UPDATE sales SET status = 'PAUSED' WHERE id = {id}")).unwrap();
    until("paused", async || read(&shop, &sale).await["status"] == "PAUSED").await;
    let other = shop.buyer("other").await;
    until("gate", async || shop.buy(&other, &sale, "key-other", 1).await == Err("SALE_PAUSED".into())).await;
    assert!(metric(&shop, "doorbuster_catalog_edits_total{source=\"sql\"} 3").await);

    // While no server runs.
    let folder = shop.stop().await;
    editor.batch_execute(&format!("UPDATE sales SET price_minor = 100, status = 'PUBLISHED' WHERE id = {id}")).unwrap();
    let shop = Shop::open_on(&format!("sqlite://{path}"), folder, SETTINGS).await;
    until("applied", async || {
        let seen = read(&shop, &sale).await;
        seen["price"]["amount"] == "1.00" && seen["status"] != "PAUSED"
    })
    .await;
    until("noted", async || {
        let query = "query($s: ID!) { catalogEdits(saleId: $s) { nodes { kind table appliedAt before } } }";
        let edits = shop.data(Some(&shop.operator), query, json!({ "s": sale })).await["catalogEdits"]["nodes"].clone();
        edits.as_array().unwrap().len() == 3 && edits[0]["appliedAt"].is_string()
    })
    .await;
}

/// A subscription to the stock of a sale, and the newest value that was pushed.
struct Follower(Socket);

impl Follower {
    async fn open(shop: &Shop, token: &str, sale: &str) -> Self {
        let mut socket = Socket::open(shop.address(), token, PATIENCE).await.unwrap();
        let document = "subscription($s: [ID!]!) { it: saleStockChanged(saleIds: $s) { stockRemaining } }";
        socket.subscribe_as(1, document, &json!({ "s": [sale] })).await.unwrap();
        Self(socket)
    }

    /// Waits until this many units are pushed as free.
    async fn until(&mut self, remaining: i64) {
        let pushed = async {
            loop {
                let event = self.0.next().await.unwrap();
                let Event::Next(_, raw) = event else { panic!("it has no end") };
                let seen: Value = payload(&raw).unwrap().unwrap();
                if seen["stockRemaining"] == remaining {
                    return;
                }
            }
        };
        timeout(PATIENCE, pushed).await.unwrap_or_else(|_| panic!("{remaining} was not pushed"));
    }
}

/// Two nodes, of which one applies the edits. Both show them, both sell by them, and both push them.
#[tokio::test(flavor = "multi_thread")]
async fn edits_in_the_database_reach_every_node() {
    let cluster = Cluster::fresh(SETTINGS).await;
    let nodes = [cluster.node("one").await, cluster.node("two").await];
    let sale = nodes[0].sale(&Terms { stock: 1, ..Terms::default() }).await;
    let id = literal(&sale, false);
    let everywhere = async |what: &str, condition: &dyn Fn(&Value) -> bool| {
        for node in &nodes {
            until(what, async || condition(&read(node, &sale).await)).await;
        }
    };
    let buyer = nodes[0].buyer("first").await;
    let ticket = buy(&nodes[0], &buyer, &sale, "key-first").await;
    nodes[0].decided(&buyer, &ticket).await;
    let mut followers =
        [Follower::open(&nodes[0], &buyer, &sale).await, Follower::open(&nodes[1], &buyer, &sale).await];

    execute(&cluster.0.url(), &format!("UPDATE sales SET stock_total = 4, limit_per_buyer = 3 WHERE id = {id}")).await;
    for follower in &mut followers {
        follower.until(3).await;
    }
    everywhere("edited", &|seen| seen["stockTotal"] == 4 && seen["limitPerBuyer"] == 3).await;
    execute(&cluster.0.url(), "UPDATE products SET name = 'Lamp, blue'").await;
    everywhere("renamed", &|seen| seen["product"]["name"] == "Lamp, blue").await;
    let two = nodes[1].buyer("second").await;
    until("sold by the gate's new terms", async || nodes[1].buy(&two, &sale, "key-second", 2).await.is_ok()).await;

    // Open, then rolled back: nobody sees it; open, then committed: it is seen.
    let mut editor = AsyncPgConnection::establish(&cluster.0.url()).await.unwrap();
    editor.batch_execute("BEGIN; UPDATE products SET name = 'Never'; ROLLBACK").await.unwrap();
    editor.batch_execute("BEGIN; UPDATE products SET name = 'Lamp, red'").await.unwrap();
    execute(&cluster.0.url(), &format!("UPDATE sales SET limit_per_buyer = 2 WHERE id = {id}")).await;
    everywhere("the later edit is not held up", &|seen| {
        seen["limitPerBuyer"] == 2 && seen["product"]["name"] == "Lamp, blue"
    })
    .await;
    editor.batch_execute("COMMIT").await.unwrap();
    everywhere("committed", &|seen| seen["product"]["name"] == "Lamp, red").await;

    let refusal = attempt(&cluster.0.url(), &format!("UPDATE sales SET price_minor = 100 WHERE id = {id}")).await;
    let refusal = refusal.unwrap_err().to_string();
    assert!(refusal.contains("not changed under its buyers"), "{refusal}");
    assert_eq!(nodes[1].act("pause", &sale).await, None);
    execute(&cluster.0.url(), &format!("UPDATE sales SET price_minor = 100 WHERE id = {id}")).await;
    everywhere("priced", &|seen| seen["price"]["amount"] == "1.00").await;
    assert_eq!(nodes[1].act("resume", &sale).await, None);
    let third = nodes[0].buyer("third").await;
    let ticket = buy(&nodes[0], &third, &sale, "key-third").await;
    assert_eq!(nodes[0].decided(&third, &ticket).await["order"]["total"]["amount"], "1.00");

    let past = "UPDATE sale_sessions SET ends_at = (extract(epoch FROM now()) * 1000)::BIGINT";
    execute(&cluster.0.url(), past).await;
    everywhere("over", &|seen| seen["status"] == "ENDED").await;
}

/// The database tells of an edit at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_is_heard_of_without_polling() {
    let cluster = Cluster::fresh(LISTENING).await;
    let one = cluster.node("one").await;
    let sale = one.sale(&Terms::default()).await;
    // The worker may not listen yet, and nothing else would find an edit that it missed.
    let mut number = 0;
    until("heard of", async || {
        number += 1;
        execute(&cluster.0.url(), &format!("UPDATE products SET name = 'Lamp {number}'")).await;
        let heard = async {
            until("seen", async || read(&one, &sale).await["product"]["name"] == format!("Lamp {number}")).await
        };
        timeout(Duration::from_secs(2), heard).await.is_ok()
    })
    .await;
    // The connection is closed by the server: another one is made.
    let listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                     WHERE datname = current_database() AND query LIKE '%pg_notify%' AND pid <> pg_backend_pid()";
    execute(&cluster.0.url(), listeners).await;
    until("heard of again", async || {
        number += 1;
        execute(&cluster.0.url(), &format!("UPDATE products SET name = 'Lamp {number}'")).await;
        let heard = async {
            until("seen", async || read(&one, &sale).await["product"]["name"] == format!("Lamp {number}")).await
        };
        timeout(Duration::from_secs(2), heard).await.is_ok()
    })
    .await;
}

/// The triggers are off for this editor; the nodes find out by comparing.
#[tokio::test(flavor = "multi_thread")]
async fn an_edit_past_the_triggers_is_found() {
    let cluster = Cluster::fresh(COMPARING).await;
    let nodes = [cluster.node("one").await, cluster.node("two").await];
    let sale = nodes[0].sale(&Terms::default()).await;
    let edit = format!(
        "SET session_replication_role = replica; UPDATE sales SET limit_per_buyer = 7 WHERE id = {}",
        literal(&sale, false)
    );
    execute(&cluster.0.url(), &edit).await;
    for node in &nodes {
        until("found", async || read(node, &sale).await["limitPerBuyer"] == 7).await;
    }
    let buyer = nodes[1].buyer("many").await;
    until("sold", async || nodes[1].buy(&buyer, &sale, "key-many1", 5).await.is_ok()).await;
    let query = "{ catalogEdits { nodes { byRole } } }";
    let edits = nodes[1].data(Some(&nodes[1].operator), query, json!({})).await;
    assert_eq!(edits["catalogEdits"]["nodes"], json!([{ "byRole": "unknown" }]));
    let counted = "doorbuster_catalog_edits_total{source=\"unknown\"} 1";
    assert!(metric(&nodes[0], counted).await || metric(&nodes[1], counted).await);
}
