//! Two nodes on one PostgreSQL, one Redis and one Pulsar: what happens on one is so on the other.

use std::collections::BTreeMap;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use doorbuster::api::health::Vitals as _;
use doorbuster::broker::partition_for;
use doorbuster::demo::socket::{Event, Socket, payload};
use doorbuster::demo::wire;
use doorbuster::kernel::SaleId;
use doorbuster::model::messages::Topic;
use doorbuster::nodes::Leases;
use doorbuster::orders::rebuild::WRITER;
use futures_util::future::join_all;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::support::proxy::{Network, Proxy};
use crate::support::servers::{FreshDatabase, TOKEN_KEY, execute, pulsar, pulsar_admin, redis};
use crate::support::{Front, PATIENCE, Shop, Terms, until};

/// The servers, with a database, keys and topics of one test's own.
pub(super) struct Cluster(pub(super) FreshDatabase, &'static str);

impl Cluster {
    /// Without a node; each gets these settings, in TOML.
    pub(super) async fn fresh(settings: &'static str) -> Self {
        Self(FreshDatabase::create().await, settings)
    }

    pub(super) async fn node(&self, name: &str) -> Shop {
        self.node_with(name, &redis()).await
    }

    /// A node that finds Redis at this address.
    pub(super) async fn node_with(&self, name: &str, redis: &str) -> Shop {
        self.node_set(name, redis, "", "").await
    }

    /// A node that finds the database at this address.
    pub(super) async fn node_on(&self, name: &str, database: &str) -> Shop {
        Shop::open_on(database, tempfile::tempdir().unwrap(), &self.node_settings(name, &redis(), "", "")).await
    }

    /// A node with more settings of `[gate]` and `[broker]`.
    pub(super) async fn node_set(&self, name: &str, redis: &str, gate: &str, broker: &str) -> Shop {
        let settings = self.node_settings(name, redis, gate, broker);
        Shop::open_on(&self.0.url(), tempfile::tempdir().unwrap(), &settings).await
    }

    fn node_settings(&self, name: &str, redis: &str, gate: &str, broker: &str) -> String {
        let own = self.0.name();
        format!(
            "[gate]\nurl = \"{}\"\nprefix = \"{own}\"\n{gate}\n[broker]\nurl = \"{}\"\nadmin_url = \"{}\"\ntenant = \"{own}\"\n\
             partitions = 2\n{broker}\n[node]\nname = \"{name}\"\nlease = \"2s\"\n{}",
            redis,
            pulsar(),
            pulsar_admin(),
            self.1
        )
    }

    /// What a node in a process of its own needs to belong to it.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("store.url", self.0.url()),
            ("gate.url", redis()),
            ("gate.prefix", self.0.name().to_owned()),
            ("broker.url", pulsar()),
            ("broker.admin_url", pulsar_admin()),
            ("broker.tenant", self.0.name().to_owned()),
            ("accounts.token_key", TOKEN_KEY.to_owned()),
        ]
    }

    /// Two nodes with more settings, in TOML.
    async fn two_with(settings: &'static str) -> (Self, Shop, Shop) {
        let cluster = Self(FreshDatabase::create().await, settings);
        let (one, two) = (cluster.node("one").await, cluster.node("two").await);
        (cluster, one, two)
    }

    /// A fresh one with two nodes.
    async fn two() -> (Self, Shop, Shop) {
        Self::two_with("").await
    }
}

/// Waits until the sale can be bought from, and buys.
pub(super) async fn buy(shop: &Shop, buyer: &str, sale: &str, key: &str) -> String {
    let mut ticket = Err(String::new());
    until("open", async || {
        ticket = shop.buy(buyer, sale, key, 1).await;
        !ticket.as_ref().is_err_and(|code| code == "TRY_LATER" || code == "SALE_NOT_FOUND")
    })
    .await;
    ticket.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn password_changes_and_signing_out_everywhere_apply_on_all_nodes() {
    let (_cluster, one, two) = Cluster::two().await;
    let kept = one.buyer("alice").await;
    let viewer = "{ viewer { signedInUntil } }";
    let works = async |shop: &Shop, token: &str| {
        shop.ask(Some(token), viewer, json!({})).await["data"]["viewer"]["signedInUntil"].is_string()
    };
    // Each node remembers both tokens.
    let other = two.sign_in("alice").await;
    for token in [&kept, &other] {
        assert!(works(&one, token).await && works(&two, token).await);
    }
    let change = "mutation { userPasswordChange(input: { currentPassword: \"password123\", newPassword: \"password124\" }) \
                  { userErrors { code } } }";
    let changed = one.data(Some(&kept), change, json!({})).await;
    assert_eq!(changed["userPasswordChange"]["userErrors"], json!([]));
    assert!(!works(&one, &other).await);
    until("signed out on the other node", async || !works(&two, &other).await).await;
    assert!(works(&one, &kept).await && works(&two, &kept).await);
    let everywhere = "mutation { userSignOutEverywhere { ended userErrors { code } } }";
    assert_eq!(two.data(Some(&kept), everywhere, json!({})).await["userSignOutEverywhere"]["ended"], 1);
    until("signed out on both", async || !works(&one, &kept).await && !works(&two, &kept).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_pushed_to_buyers_on_any_node() {
    let (_cluster, one, two) = Cluster::two().await;
    let sale = one.sale(&Terms::default()).await;
    let buyer = one.buyer("alice").await;
    let ticket = buy(&one, &buyer, &sale, "key-00001").await;
    let mut socket = Socket::open(two.address(), &buyer, PATIENCE).await.unwrap();
    socket.subscribe_as(1, wire::FOLLOW, &json!({ "id": ticket })).await.unwrap();
    let mut versions = Vec::new();
    let order = loop {
        match timeout(PATIENCE, socket.next()).await.expect("nothing was pushed").unwrap() {
            Event::Next(_, raw) => {
                let seen: Value = payload(&raw).unwrap().unwrap();
                versions.push(seen["version"].as_u64());
                if seen["order"].is_object() {
                    break seen["order"]["id"].clone();
                }
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(versions.is_sorted_by(|a, b| a < b), "{versions:?}");
    let query = "query($o: ID!) { order(id: $o) { status } }";
    assert_eq!(two.data(Some(&buyer), query, json!({ "o": order })).await["order"]["status"], "AWAITING_PAYMENT");
    assert_eq!(two.buy(&buyer, &sale, "key-00001", 1).await, Ok(ticket), "the key finds its ticket everywhere");
    assert_eq!(two.buy(&buyer, &sale, "key-00002", 1).await, Err("ALREADY_BOUGHT".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_together_sell_exactly_the_stock() {
    let (_cluster, one, two) = Cluster::two().await;
    let sale = one.sale(&Terms { stock: 7, ..Terms::default() }).await;
    let names: Vec<String> = (0..24).map(|n| format!("rush{n}")).collect();
    let buyers = join_all(names.iter().map(|name| one.buyer(name))).await;
    buy(&one, &buyers[0], &sale, "rush-key-0").await;
    until("listed on the other node", async || two.buy(&buyers[0], &sale, "rush-key-0", 1).await.is_ok()).await;
    let rush = buyers.iter().enumerate().map(|(n, buyer)| {
        let node = if n.is_multiple_of(2) { &one } else { &two };
        node.buy(buyer, &sale, "rush-key-0", 1)
    });
    let answers = join_all(rush).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 7, "{answers:?}");
    assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(|code| code == "SOLD_OUT"), "{answers:?}");
    until("sold out on both", async || one.stock(&sale).await == 0 && two.stock(&sale).await == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_revokes_the_token_on_all_nodes() {
    let (_cluster, one, two) = Cluster::two().await;
    let buyer = one.buyer("alice").await;
    let who = "{ viewer { user { username } } }";
    assert_eq!(two.data(Some(&buyer), who, json!({})).await["viewer"]["user"]["username"], "alice");
    one.data(Some(&buyer), "mutation { userSignOut { userErrors { code } } }", json!({})).await;
    until("forgotten", async || {
        two.ask(Some(&buyer), who, json!({})).await["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    })
    .await;
}

/// Whose token the node says it is.
async fn who(shop: &Shop, token: &str) -> Result<String, Value> {
    let answer = shop.ask(Some(token), "{ viewer { user { username } } }", json!({})).await;
    let name = answer["data"]["viewer"]["user"]["username"].as_str();
    name.map(str::to_owned).ok_or_else(|| answer["errors"][0]["extensions"]["code"].clone())
}

async fn sign_out(shop: &Shop, token: &str) {
    shop.data(Some(token), "mutation { userSignOut { userErrors { code } } }", json!({})).await;
}

/// A counter of the accounts.
fn counted(shop: &Shop, name: &str) -> u64 {
    let (text, name) = (shop.app.metrics(), format!("doorbuster_accounts_{name}_total "));
    text.lines().find_map(|line| line.strip_prefix(&name)).expect("the counter is there").parse().unwrap()
}

impl Cluster {
    /// What is in Redis of a token.
    async fn kept(&self, token: &str) -> Option<String> {
        let secret = BASE64URL_NOPAD.decode(token.strip_prefix("doorbuster_").unwrap().as_bytes()).unwrap();
        let hash = BASE64URL_NOPAD.encode(&Sha256::digest(secret));
        let client = redis::Client::open(redis()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let key = format!("{}:token:{hash}", self.0.name());
        redis::cmd("GET").arg(key).query_async(&mut connection).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_one_node_knows_is_known_on_all_until_it_is_signed_out() {
    let (cluster, one, two) = Cluster::two().await;
    let (alice, bob) = (one.buyer("alice").await, one.buyer("bob").await);
    for token in [&alice, &bob] {
        until("kept", async || cluster.kept(token).await.is_some()).await;
    }
    let lookups = counted(&two, "token_lookups");
    assert_eq!(who(&two, &alice).await, Ok("alice".into()));
    assert_eq!((counted(&two, "token_lookups"), counted(&two, "tokens_shared")), (lookups, 1));
    for token in [&alice, &bob] {
        sign_out(&one, token).await;
        assert_eq!(cluster.kept(token).await.as_deref(), Some("-"), "the answer came before the mark");
    }
    // It does not remember this one, so it need not hear of it.
    assert_eq!(who(&two, &bob).await, Err(json!("UNAUTHENTICATED")));
    until("forgotten", async || who(&two, &alice).await.is_err()).await;
    // This one has heard nothing.
    let three = cluster.node("three").await;
    let lookups = counted(&three, "token_lookups");
    assert_eq!(who(&three, &alice).await, Err(json!("UNAUTHENTICATED")));
    assert_eq!((counted(&three, "token_lookups"), counted(&three, "tokens_shared")), (lookups, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_tokens_are_looked_up_in_the_database() {
    let cluster = Cluster(FreshDatabase::create().await, "");
    let proxy = Proxy::before(&redis()).await;
    let (one, two) = (cluster.node("one").await, cluster.node_with("two", &proxy.url()).await);
    let (alice, bob) = (one.buyer("alice").await, one.buyer("bob").await);
    until("kept", async || cluster.kept(&bob).await.is_some()).await;
    proxy.set(Network::Cut);
    assert_eq!(who(&two, &alice).await, Ok("alice".into()));
    assert!(counted(&two, "token_lookups") > 0 && counted(&two, "tokens_unshared") > 0);
    // Signed out where the mark can't be written.
    sign_out(&two, &bob).await;
    assert_eq!(who(&two, &bob).await, Err(json!("UNAUTHENTICATED")));
    until("refused elsewhere", async || who(&one, &bob).await.is_err()).await;
    until("marked", async || cluster.kept(&bob).await.as_deref() == Some("-")).await;
    assert_eq!(who(&cluster.node("three").await, &bob).await, Err(json!("UNAUTHENTICATED")));
    assert_eq!(counted(&two, "sign_outs_not_recorded"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_node_hands_over_its_jobs_while_another_keeps_selling() {
    let (_cluster, one, two) = Cluster::two().await;
    let sale = one.sale(&Terms { pay_within_seconds: 1, stock: 1, ..Terms::default() }).await;
    let (alice, bob) = (one.buyer("alice").await, one.buyer("bob").await);
    let db = two.app.db().clone();
    // Jobs that one node at a time does.
    const JOBS: usize = 10;
    let holders = async || {
        let leases = Leases::list(&db).await.unwrap();
        leases.into_iter().map(|lease| lease.holder).collect::<Vec<_>>()
    };
    until("someone's", async || holders().await.iter().filter(|holder| !holder.is_empty()).count() == JOBS).await;
    until("told", async || {
        let text = reqwest::get(format!("http://{}/metrics", two.address())).await.unwrap().text().await.unwrap();
        let held = |line: &&str| line.starts_with("doorbuster_lease_held{") && line.ends_with("} 1");
        text.lines().filter(held).count() == JOBS
    })
    .await;
    let ticket = buy(&one, &alice, &sale, "key-00001").await;
    one.stop().await;
    until("taken over", async || holders().await.iter().all(|holder| holder == "two")).await;
    assert_eq!(two.decided(&alice, &ticket).await["status"], "CONFIRMED");
    // Nobody pays: the unit comes back, by the jobs of the node that is left.
    let mut second = Err(String::new());
    until("sold again", async || {
        second = two.buy(&bob, &sale, "key-00001", 1).await;
        second.is_ok()
    })
    .await;
    let decided = timeout(Duration::from_secs(30), two.decided(&bob, &second.unwrap())).await.unwrap();
    assert_eq!(decided["status"], "CONFIRMED");
}

/// A gate that is rebuilt waits for the tickets on their way to an order writer, and knows them when it opens.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuilt_gate_includes_undecided_tickets() {
    let nobody_writes = "roles = [\"api\", \"relay\", \"timeouts\", \"jobs\"]\n";
    let mut cluster = Cluster(FreshDatabase::create().await, nobody_writes);
    let one = cluster.node("one").await;
    let sale = one.sale(&Terms::default()).await;
    let alice = one.buyer("alice").await;
    let ticket = buy(&one, &alice, &sale, "key-00001").await;
    let (orders, without) = (one.app.orders().clone(), "the gate opened without what was on its way");
    let rebuilding = tokio::spawn(async move { orders.open_gates(Duration::from_secs(3600)).await });
    until("closed", async || match one.buy(&alice, &sale, "key-00001", 1).await {
        Ok(again) => {
            assert_eq!(again, ticket, "{without}");
            false
        }
        Err(code) => code == "TRY_LATER",
    })
    .await;
    assert!(!rebuilding.is_finished(), "{without}");
    cluster.1 = "";
    let two = cluster.node("two").await;
    rebuilding.await.unwrap().unwrap();
    assert_eq!(buy(&two, &alice, &sale, "key-00001").await, ticket, "{without}");
    assert_eq!(two.decided(&alice, &ticket).await["status"], "CONFIRMED");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_the_consumer_of_each_partition() {
    let (_cluster, one, two) = Cluster::two().await;
    let readers = async || {
        let shares = two.app.broker().shares(Topic::OrderRequests, WRITER).await.unwrap();
        assert_eq!(shares.len(), 2, "{shares:?}");
        let reader = |reader: Option<String>| reader.and_then(|name| Some(name.split_once('-')?.0.to_owned()));
        shares.into_iter().filter_map(|share| reader(share.reader)).collect::<Vec<_>>()
    };
    until("both read", async || {
        let readers = readers().await;
        readers.iter().any(|node| node == "one") && readers.iter().any(|node| node == "two")
    })
    .await;
    one.stop().await;
    until("the one that is left reads all", async || readers().await == ["two", "two"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_of_every_node_whether_it_is_ready() {
    let (cluster, one, _two) = Cluster::two().await;
    let now = "(EXTRACT(EPOCH FROM now()) * 1000)::BIGINT";
    let unready = r#"{"every_ms":60000,"sockets":3,"checks":[{"name":"gates","ready":false,"reason":"still being recorded"}],"at":"#;
    let rows = format!(
        "INSERT INTO nodes (name, roles, address, version, started_at, seen_at, vitals) VALUES
            ('unready', 'api', '', '0', 0, {now}, '{unready}' || {now} || '}}'),
            ('older', 'api', '', '0', 0, {now} + 30000, NULL),
            ('rolled-back', 'api', '', '0', 0, {now} + 30000, '{unready}' || {now} || '}}'),
            ('gone', 'api', '', '0', 0, {now} - 60000, NULL)"
    );
    execute(&cluster.0.url(), &rows).await;
    let query = "{ serverNodes { name silent sockets readiness { ready checks { name reason } } } }";
    let listed = async || {
        let found = one.data(Some(&one.operator), query, json!({})).await["serverNodes"].clone();
        let by_name = |node: &Value| (node["name"].as_str().unwrap().to_owned(), node.clone());
        found.as_array().unwrap().iter().map(by_name).collect::<BTreeMap<_, _>>()
    };
    until("both are ready", async || {
        let nodes = listed().await;
        ["one", "two"].iter().all(|name| nodes.get(*name).is_some_and(|node| node["readiness"]["ready"] == true))
    })
    .await;
    let nodes = listed().await;
    assert!(nodes["two"]["sockets"].is_u64() && nodes["two"]["silent"] == false, "{nodes:?}");
    let check = json!([{ "name": "gates", "reason": "still being recorded" }]);
    assert_eq!(nodes["unready"]["readiness"], json!({ "ready": false, "checks": check }));
    assert_eq!((&nodes["unready"]["sockets"], &nodes["unready"]["silent"]), (&json!(3), &json!(false)));
    for name in ["older", "rolled-back"] {
        assert_eq!((&nodes[name]["readiness"], &nodes[name]["silent"]), (&Value::Null, &json!(false)), "{name}");
    }
    assert_eq!(nodes["gone"]["silent"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rate_limit_of_a_user_applies_across_nodes() {
    let limits = "[limits]\nunlimited = []\nrequests_per_address_per_second = 0\nrequests_per_user_per_second = 0\n\
                  purchases_per_user_per_minute = 4\nshared_wait = \"1s\"\n";
    let (_cluster, one, two) = Cluster::two_with(limits).await;
    let buyer = one.buyer("alice").await;
    let query =
        "mutation { salePurchase(input: { saleId: \"nothing\", idempotencyKey: \"key-0001\" }) { ticket { id } } }";
    let mut refused = Vec::new();
    for turn in 0..8 {
        let answer = [&one, &two][turn % 2].ask(Some(&buyer), query, json!({})).await;
        refused.push(answer["errors"][0]["extensions"]["code"] == "RATE_LIMITED");
        if refused[turn] {
            let seconds = answer["errors"][0]["extensions"]["retryAfterSeconds"].as_u64();
            assert!(seconds.is_some_and(|seconds| (1..=15).contains(&seconds)), "{answer}");
        }
    }
    assert_eq!(refused, [false, false, false, false, true, true, true, true], "each node alone would let all pass");
}

/// With answers of Redis that never come, and a call that may wait for them for a minute.
#[tokio::test(flavor = "multi_thread")]
async fn requests_do_not_wait_for_shared_counters() {
    let cluster = Cluster(FreshDatabase::create().await, "[limits]\nunlimited = []\n");
    let proxy = Proxy::before(&redis()).await;
    let one = cluster.node_set("one", &proxy.url(), "call_timeout = \"1m\"", "").await;
    let buyer = one.buyer("alice").await;
    let sale = one.sale(&Terms::default()).await;
    proxy.set(Network::Frozen);
    let list = one.data(None, "{ sales(first: 5) { nodes { id } } }", json!({}));
    let list = timeout(PATIENCE, list).await.expect("a list waits for Redis");
    assert_eq!(list["sales"]["nodes"][0]["id"], sale);
    // Refused before the gate would be asked, and after the limits.
    let purchase = timeout(PATIENCE, one.buy(&buyer, &sale, "short", 1)).await.expect("a purchase waits for its count");
    assert_eq!(purchase, Err("IDEMPOTENCY_KEY_INVALID".into()));
    let alone = one.app.metrics().lines().any(|line| {
        let count = line.strip_prefix("doorbuster_graphql_counted_locally_total ");
        count.is_some_and(|count| count.parse::<u64>().unwrap() > 0)
    });
    assert!(alone, "the purchase was not counted by the node alone");
    proxy.set(Network::Fine);
}

/// Queries are counted afterwards: whoever asked too often is refused from then on, by a node that let all of them pass.
#[tokio::test(flavor = "multi_thread")]
async fn the_query_rate_limit_applies_across_nodes() {
    let limits = "[limits]\nunlimited = []\nrequests_per_address_per_second = 0\nrequests_per_user_per_second = 6\n";
    let (_cluster, one, two) = Cluster::two_with(limits).await;
    let buyer = one.buyer("alice").await;
    let refused = async |shop: &Shop| who(shop, &buyer).await == Err(json!("RATE_LIMITED"));
    // Each node alone lets six pass at once, and then one in a sixth of a second: together they let too many pass.
    until("refused", async || {
        let asked = (0..5).map(|_| async { (refused(&one).await, refused(&two).await) });
        join_all(asked).await.into_iter().any(|(one, two)| one || two)
    })
    .await;
}

/// The topic of one partition is sealed behind the node's back, so that nothing can be stored in it.
#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_partition_stops_only_its_own_sales() {
    let cluster = Cluster(FreshDatabase::create().await, "[orders]\npending_after = \"20s\"\n");
    let one = cluster.node_set("one", &redis(), "", "publish_timeout = \"12s\"\nin_flight = 1").await;
    let partition = |sale: &str| partition_for(&sale.parse::<SaleId>().unwrap().to_bytes(), 2);
    let broken = one.sale(&Terms::default()).await;
    let healthy = loop {
        let other = one.sale(&Terms::default()).await;
        if partition(&other) != partition(&broken) {
            break other;
        }
    };
    let names: Vec<String> = (0..6).map(|n| format!("buyer{n}")).collect();
    let buyers = join_all(names.iter().map(|name| one.buyer(name))).await;
    for sale in [&broken, &healthy] {
        buy(&one, &buyers[0], sale, &format!("key-{sale}")).await;
    }
    let path = format!("order-requests-2-partition-{}/terminate", partition(&broken));
    let url = format!("{}/admin/v2/persistent/{}/trade/{path}", pulsar_admin(), cluster.0.name());
    assert!(reqwest::Client::new().post(url).send().await.unwrap().status().is_success());
    let try_buying = |buyer: &String, sale: &str| {
        let (front, buyer) = (Front::at(one.address()), buyer.clone());
        let input = json!({ "s": sale });
        let query = "mutation($s: ID!) { salePurchase(input: { saleId: $s, idempotencyKey: \"key-00001\" }) \
                     { ticket { id } userErrors { code } } }";
        tokio::spawn(async move { front.ask(Some(&buyer), query, input).await })
    };
    let waiting = try_buying(&buyers[1], &broken);
    until("refused", async || one.app.notes().iter().any(|note| note.name == "broker" && !note.healthy)).await;
    let refused = try_buying(&buyers[2], &broken).await.unwrap();
    assert_eq!(refused["errors"][0]["extensions"]["code"], "UNAVAILABLE", "{refused}");
    assert!(!waiting.is_finished(), "it was not refused at once, but with the others");
    let bought = try_buying(&buyers[3], &healthy).await.unwrap();
    assert!(bought["data"]["salePurchase"]["ticket"]["id"].is_string(), "{bought}");
    assert!(!waiting.is_finished(), "a healthy partition waited for a broken one");
}
