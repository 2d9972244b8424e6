//! Settings that change while the nodes run: over the API, by the command, and on several nodes.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Command;

use super::nodes::Cluster;
use crate::support::servers::redis;
use crate::support::{Front, Shop, until};

const SET: &str = "mutation($i: SettingSetInput!) { settingSet(input: $i) { changes { revision oldValue newValue act operator } \
                   overriddenOn { node key } userErrors { code message } } }";

async fn set_with(front: &Front, key: &str, value: &str, more: Value) -> Value {
    let mut input = json!({ "key": key, "value": value, "reason": "a test" });
    input.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    front.data(Some(&front.operator), SET, json!({ "i": input })).await["settingSet"].clone()
}

/// Sets a value; the number of the change.
async fn set(front: &Front, key: &str, value: &str) -> i64 {
    let done = set_with(front, key, value, json!({})).await;
    assert_eq!(done["userErrors"], json!([]), "{key} = {value}");
    done["changes"][0]["revision"].as_i64().unwrap()
}

async fn welcome(front: &Front) -> i64 {
    front.data(None, "{ shop { welcomePoints } }", json!({})).await["shop"]["welcomePoints"].as_i64().unwrap()
}

/// The value in force on the node that answers.
async fn in_force(front: &Front, key: &str) -> Value {
    let query = "query($k: String!) { setting(key: $k) { value source hot stored { scope value operator } } }";
    front.data(Some(&front.operator), query, json!({ "k": key })).await["setting"].clone()
}

/// The status of a purchase attempt by its first error, whatever else it lacks.
async fn code(front: &Front, token: Option<&str>, query: &str) -> String {
    front.ask(token, query, json!({})).await["errors"][0]["extensions"]["code"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_key_has_its_effect_while_the_server_runs() {
    let shop = Shop::open().await;
    let introspection = "{ __schema { queryType { name } } }";
    assert_eq!(code(&shop, None, introspection).await, "none");
    set(&shop, "graphql.introspection", "false").await;
    assert_eq!(code(&shop, None, introspection).await, "GRAPHQL_VALIDATION_FAILED", "also what was sent before");
    let wide = "{ saleSessions(first: 50) { nodes { id } } }";
    assert_eq!(code(&shop, None, wide).await, "none");
    let cost = set(&shop, "graphql.cost_max", "40").await;
    assert_eq!(code(&shop, None, wide).await, "DOCUMENT_TOO_COMPLEX", "also what was sent before");
    roll_back(&shop, cost).await;
    assert_eq!(code(&shop, None, wide).await, "none");
    let trusted = set(&shop, "graphql.trusted_only", "true").await;
    assert_eq!(code(&shop, None, "{ shop { name } }").await, "FORBIDDEN");
    roll_back(&shop, trusted).await;
    set(&shop, "points.welcome", "321").await;
    assert_eq!(welcome(&shop).await, 321);
    let timeout = set(&shop, "graphql.execution_timeout", "5500ms").await;
    assert_eq!(in_force(&shop, "graphql.execution_timeout").await["value"], "\"5500ms\"");
    roll_back(&shop, timeout).await;
    assert_eq!(allowed(&shop).await, None);
    set(&shop, "access.origins", "https://shop.example").await;
    assert_eq!(allowed(&shop).await.as_deref(), Some("https://shop.example"));
    // Limits: this machine is exempt from them by default.
    set(&shop, "limits.purchases_per_user_per_minute", "1").await;
    set(&shop, "limits.unlimited", "192.0.2.0/24").await;
    let buyer = shop.buyer("alice").await;
    let buy = "mutation { salePurchase(input: { saleId: \"x\", quantity: 1, idempotencyKey: \"key-00001\" }) { userErrors { code } } }";
    assert_eq!(code(&shop, Some(&buyer), buy).await, "none");
    assert_eq!(code(&shop, Some(&buyer), buy).await, "RATE_LIMITED");
    set(&shop, "limits.purchases_per_user_per_minute", "3").await;
    assert_eq!(code(&shop, Some(&buyer), buy).await, "none");
    set(&shop, "accounts.attempts_per_address_per_minute", "1").await;
    let sign_in =
        "mutation { userSignIn(input: { username: \"alice\", password: \"wrong-password\" }) { userErrors { code } } }";
    let tries = [code(&shop, None, sign_in).await, code(&shop, None, sign_in).await];
    assert!(tries.contains(&"RATE_LIMITED".to_owned()), "{tries:?}");
    shop.stop().await;
}

/// The origin that pages may call from, of one that asks.
async fn allowed(shop: &Shop) -> Option<String> {
    let request = reqwest::Client::new().post(format!("http://{}/graphql", shop.address()));
    let request = request.header("origin", "https://shop.example").json(&json!({ "query": "{ shop { name } }" }));
    let answer = request.send().await.unwrap();
    let header = answer.headers().get("access-control-allow-origin");
    header.map(|value| value.to_str().unwrap().to_owned())
}

async fn roll_back(front: &Front, revision: i64) {
    let mutation = "mutation($i: SettingRollbackInput!) { settingRollback(input: $i) { userErrors { code message } } }";
    let input = json!({ "i": { "revision": revision, "reason": "a test" } });
    let done = front.data(Some(&front.operator), mutation, input).await;
    assert_eq!(done["settingRollback"]["userErrors"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_typed_audited_and_only_for_operators() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("alice").await;
    let input = json!({ "i": { "key": "points.welcome", "value": "5", "reason": "a test" } });
    assert_eq!(shop.fault(Some(&buyer), SET, input.clone()).await, "FORBIDDEN");
    assert_eq!(shop.fault(None, SET, input).await, "UNAUTHENTICATED");
    for (key, value, code) in [
        ("points.welcom", "5", "SETTING_UNKNOWN"),
        ("server.listen", "1.1.1.1:1", "SETTING_NOT_HOT"),
        ("points.welcome", "-1", "VALUE_INVALID"),
        ("graphql.execution_timeout", "10ms", "CONFIGURATION_INVALID"),
        ("access.trusted_proxies", "10.0.0.0/8", "CONFIRMATION_REQUIRED"),
    ] {
        let done = set_with(&shop, key, value, json!({})).await;
        assert_eq!((&done["changes"], &done["userErrors"][0]["code"]), (&Value::Null, &json!(code)), "{done}");
    }
    assert_eq!(
        set_with(&shop, "points.welcome", "5", json!({ "reason": "" })).await["userErrors"][0]["code"],
        "REASON_REQUIRED"
    );
    let stale = set_with(&shop, "points.welcome", "5", json!({ "expectedRevision": 9 })).await;
    assert_eq!(stale["userErrors"][0]["code"], "VERSION_CONFLICT");
    set(&shop, "points.welcome", "5").await;
    let query = "{ settingChanges { totalCount nodes { revision key scope act newValue operator via reason } } \
                 auditEntries(filter: { act: \"setting.\" }) { nodes { act subject reason } } }";
    let seen = shop.data(Some(&shop.operator), query, json!({})).await;
    let change = json!({ "revision": 1, "key": "points.welcome", "scope": "*", "act": "SET", "newValue": "5",
                         "operator": "operator", "via": "graphql", "reason": "a test" });
    assert_eq!(seen["settingChanges"], json!({ "totalCount": 1, "nodes": [change] }));
    let entry = json!({ "act": "setting.set", "subject": "points.welcome", "reason": "a test" });
    assert_eq!(seen["auditEntries"]["nodes"], json!([entry]));
    let folder = shop.stop().await;
    let shop = Shop::open_on(&format!("sqlite://{}", folder.path().join("shop.db").display()), folder, "").await;
    assert_eq!(welcome(&shop).await, 5, "it is in force before the first request");
    assert!(in_force(&shop, "points.welcome").await["source"].as_str().unwrap().starts_with("settings #1 (operator, "));
    shop.stop().await;
}

/// Runs the command beside the server.
async fn command(store: &str, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster"));
    command.args(["--set", &format!("store.url={store}"), "settings"]).args(arguments);
    let output = command.stdin(Stdio::null()).output().await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_changes_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite://{}", folder.path().join("shop.db").display());
    let shop = Shop::open_on(&store, folder, "").await;
    let act = ["--as", "operator", "--reason", "a test", "--json"];
    let with = |arguments: &[&'static str]| [arguments, &act[..]].concat();
    let (done, text) = command(&store, &with(&["set", "points.welcome", "42"])).await;
    assert!(done, "{text}");
    until("the server has found the change", async || welcome(&shop).await == 42).await;
    let (done, text) = command(&store, &with(&["set", "points.welcom", "42"])).await;
    assert!(!done && text.contains("SETTING_UNKNOWN"), "{text}");
    let (done, text) = command(&store, &["set", "points.welcome", "1", "--as", "nobody", "--reason", "x"]).await;
    assert!(!done && text.contains("there is no operator"), "{text}");
    let (_, exported) = command(&store, &["export"]).await;
    assert!(exported.contains("points.welcome"), "{exported}");
    let (done, text) = command(&store, &with(&["rollback", "1"])).await;
    assert!(done, "{text}");
    until("the server has found it", async || welcome(&shop).await != 42).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), exported).unwrap();
    let (done, text) = command(&store, &[&["import", file.path().to_str().unwrap()][..], &act[..]].concat()).await;
    assert!(done, "{text}");
    let (_, text) = command(&store, &["diff", "0", "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()[0]["new"], "42", "{text}");
    let (_, text) = command(&store, &["history"]).await;
    assert_eq!(text.lines().count(), 3, "{text}");
    until("the node says what it follows", async || {
        let (_, text) = command(&store, &["status", "--json"]).await;
        let status: Value = serde_json::from_str(&text).unwrap();
        status["nodes"][0]["revision"] == 3 && status["nodes"][0]["state"] == "CURRENT"
    })
    .await;
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_nodes_follow_within_seconds_and_one_node_can_have_its_own_value() {
    let cluster = Cluster::fresh("").await;
    let (one, two) = (cluster.node("one").await, cluster.node("two").await);
    set(&one, "points.welcome", "42").await;
    until("the other node follows", async || welcome(&two).await == 42).await;
    let own = set_with(&one, "points.welcome", "7", json!({ "scope": "node:two" })).await;
    assert_eq!(own["userErrors"], json!([]));
    until("the node has its own value", async || welcome(&two).await == 7).await;
    assert_eq!(welcome(&one).await, 42);
    roll_back(&two, own["changes"][0]["revision"].as_i64().unwrap()).await;
    until("it has everybody's again", async || welcome(&two).await == 42).await;
    let nodes = "{ serverNodes { name settingsRevision rejectedSettings { key } } }";
    until("both say so", async || {
        let seen = one.data(Some(&one.operator), nodes, json!({})).await;
        seen["serverNodes"].as_array().unwrap().iter().all(|node| node["settingsRevision"] == 3)
    })
    .await;
    two.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_setter_is_gone_ends_unless_confirmed_and_a_contradiction_names_the_node() {
    let cluster = Cluster::fresh("").await;
    let (one, two) =
        (cluster.node("one").await, cluster.node_set("two", &redis(), "", "publish_timeout = \"4800ms\"").await);
    let before = welcome(&two).await;
    until("the node has told its own values", async || {
        let done = set_with(&one, "graphql.execution_timeout", "4500ms", json!({ "dryRun": true })).await;
        done["userErrors"][0]["message"].as_str().is_some_and(|message| message.contains("`two`"))
    })
    .await;
    let done = set_with(&one, "points.welcome", "99", json!({ "confirmWithinSeconds": 3 })).await;
    assert_eq!(done["userErrors"], json!([]));
    until("the other node follows", async || welcome(&two).await == 99).await;
    one.stop().await;
    until("it ends", async || welcome(&two).await == before).await;
    two.stop().await;
}
