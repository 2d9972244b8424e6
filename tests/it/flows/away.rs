//! What goes on while something that a purchase needs is away, or fails in a way that nobody expected.

use std::time::Duration;

use doorbuster::api::health::Vitals as _;
use doorbuster::demo::socket::{Event, Socket, payload};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::nodes::{Cluster, buy};
use crate::support::proxy::{Network, Proxy};
use crate::support::servers::redis;
use crate::support::{PATIENCE, Shop, Terms, until};

/// Follows an order; returns once its present state was pushed.
async fn follow(shop: &Shop, token: &str, order: &str) -> Socket {
    let mut socket = Socket::open(shop.address(), token, PATIENCE).await.unwrap();
    let query = "subscription($id: ID!) { it: orderUpdated(id: $id) { status version } }";
    socket.subscribe_as(1, query, &json!({ "id": order })).await.unwrap();
    assert_eq!(pushed(&mut socket).await, "AWAITING_PAYMENT");
    socket
}

async fn pushed(socket: &mut Socket) -> String {
    match timeout(PATIENCE, socket.next()).await.expect("nothing was pushed").unwrap() {
        Event::Next(_, raw) => payload::<Value>(&raw).unwrap().unwrap()["status"].as_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

/// Why the node takes no traffic, if it does not.
fn unready(shop: &Shop) -> Vec<String> {
    shop.app.checks().into_iter().filter(|check| !check.ready).map(|check| check.name).collect()
}

/// A metric without labels.
fn metric(shop: &Shop, name: &str) -> f64 {
    let text = shop.app.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned));
    line.unwrap_or_else(|| panic!("no metric {name}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_nodes_stay_ready_push_results_and_update_the_gate_later() {
    let cluster = Cluster::fresh("").await;
    let proxy = Proxy::before(&redis()).await;
    let shop = cluster.node_with("one", &proxy.url()).await;
    let sale = shop.sale(&Terms { stock: 2, points_price: Some(1), ..Terms::default() }).await;
    let mut orders = Vec::new();
    for name in ["alice", "bob"] {
        let buyer = shop.buyer(name).await;
        let ticket = buy(&shop, &buyer, &sale, "key-00001").await;
        let order = shop.decided(&buyer, &ticket).await["order"]["id"].as_str().unwrap().to_owned();
        let socket = follow(&shop, &buyer, &order).await;
        orders.push((buyer, order, socket));
    }
    proxy.set(Network::Cut);
    // Until whoever needs the gate has failed: before that nothing could be wrong.
    until("told", async || shop.app.notes().iter().any(|note| note.name == "gate" && !note.healthy)).await;
    for (buyer, order, socket) in &mut orders {
        let query = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } } }";
        let answer = shop.data(Some(buyer), query, json!({ "o": order })).await;
        assert_eq!(answer["orderCancel"]["order"]["status"], "CANCELLED");
        assert_eq!(pushed(socket).await, "CANCELLED");
        let seen = shop.data(None, "query($s: ID!) { sale(id: $s) { stockTotal } }", json!({ "s": sale })).await;
        assert_eq!(seen["sale"]["stockTotal"], 2);
        assert_eq!(unready(&shop), [""; 0]);
    }
    until("waiting", async || metric(&shop, "doorbuster_gate_undelivered_tickets") >= 2.0).await;
    assert_eq!(unready(&shop), [""; 0], "{:?}", shop.app.notes());
    proxy.set(Network::Fine);
    until("told", async || metric(&shop, "doorbuster_gate_undelivered_tickets") == 0.0).await;
    // Both units are for sale again.
    for name in ["carol", "dave"] {
        buy(&shop, &shop.buyer(name).await, &sale, "key-00001").await;
    }
}

/// Whoever hears that an order is cancelled can buy again at once: a gate that answers has learned of it before.
#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_can_purchase_again_once_the_cancellation_is_pushed() {
    for round in 0..2 {
        let (shop, _cluster) = if round == 0 {
            (Shop::open().await, None)
        } else {
            let cluster = Cluster::fresh("").await;
            (cluster.node("one").await, Some(cluster))
        };
        let sale = shop.sale(&Terms { stock: 1, ..Terms::default() }).await;
        let buyer = shop.buyer("alice").await;
        buy(&shop, &buyer, &sale, "key-00000").await;
        for turn in 0..20 {
            let ticket = shop.buy(&buyer, &sale, &format!("key-{turn:05}"), 1).await.unwrap();
            let order = shop.decided(&buyer, &ticket).await["order"]["id"].as_str().unwrap().to_owned();
            let mut socket = follow(&shop, &buyer, &order).await;
            let query = "mutation($o: ID!) { orderCancel(input: { orderId: $o }) { order { status } } }";
            shop.data(Some(&buyer), query, json!({ "o": order })).await;
            assert_eq!(pushed(&mut socket).await, "CANCELLED");
        }
    }
}

/// With `tasks.panic_once` the first turn of each background task panics, and each goes on.
#[cfg(feature = "sabotage")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_restart_after_a_panic() {
    use doorbuster::demo::server::Launch;
    let program = std::env::var_os("DOORBUSTER_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_doorbuster").into());
    let cluster = Cluster::fresh("").await;
    let everywhere = ["socket-wheel", "load-limit", "login-events"];
    let embedded = (Vec::new(), ["broker-journal", "broker-journal-job"]);
    let distributed = (cluster.settings(), ["redis-link", "pulsar-lane"]);
    for (settings, own) in [embedded, distributed] {
        let folder = tempfile::tempdir().unwrap();
        let mut launch = Launch::new(std::path::Path::new(&program), folder.path()).unwrap();
        for (key, value) in settings {
            launch = launch.set(key, &value);
        }
        launch.environment.push(("DOORBUSTER_SABOTAGE".into(), "tasks.panic_once".into()));
        let node = launch.start(Duration::from_secs(60)).await.unwrap();
        let front = crate::support::Front::at(launch.address);
        let buyer = front.buyer("alice").await;
        let panicked = async |task: &str| {
            let line = format!("doorbuster_task_panics_total{{task=\"{task}\"}} 1");
            until(task, async || {
                let metrics = reqwest::get(format!("http://{}/metrics", launch.address)).await.unwrap();
                metrics.text().await.unwrap().contains(&line)
            })
            .await;
        };
        for task in everywhere {
            panicked(task).await;
        }
        // The event of the sign-up was lost with the first panic; this one gets as far as the broker.
        front.sign_in("alice").await;
        for task in own {
            panicked(task).await;
        }
        let who = front.data(Some(&buyer), "{ viewer { user { username } } }", json!({})).await;
        assert_eq!(who["viewer"]["user"]["username"], "alice");
        assert!(node.stop(Duration::from_secs(30)).await.unwrap());
    }
}
