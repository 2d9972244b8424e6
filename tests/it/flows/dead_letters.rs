//! Messages that could not be handled: operators look at them, have them handled once more, or put them away.

use bytes::Bytes;
use doorbuster::broker::{self, Failure};
use doorbuster::kernel::Clock;
use doorbuster::model::messages::Topic;
use serde_json::{Value, json};

use crate::support::{Shop, until};

const LIST: &str = "query($t: String, $n: Int, $a: String) { failures(topic: $t, first: $n, after: $a) { totalCount pageInfo { \
                    endCursor hasNextPage } nodes { id topic reason failedAt payload truncated ticketId handledAt } } }";
const REPLAY: &str = "mutation($f: ID!, $r: String!) { failureReplay(input: { failureId: $f, reason: $r }) { failure { id \
                      handledAt } userErrors { code field } } }";
const DISMISS: &str = "mutation($f: ID!, $r: String!) { failureDismiss(input: { failureId: $f, reason: $r }) { failure { id \
                       handledAt } userErrors { code field } } }";

async fn dead_letter(shop: &Shop, topic: &str, payload: &[u8]) {
    let failure = Failure {
        topic: topic.into(),
        key: Bytes::from_static(b"a key"),
        reason: "it was not understood".into(),
        at: Clock::system().now(),
        payload: Bytes::copy_from_slice(payload),
    };
    broker::dead_letter(&**shop.app.broker(), &failure).await.unwrap();
}

async fn list(shop: &Shop, topic: Option<&str>) -> Value {
    shop.data(Some(&shop.operator), LIST, json!({ "t": topic })).await["failures"].clone()
}

/// The code of the refusal, if it was refused.
async fn act(shop: &Shop, mutation: &str, failure: &Value, reason: &str) -> Option<String> {
    let data = shop.data(Some(&shop.operator), mutation, json!({ "f": failure, "r": reason })).await;
    let payload = data.as_object().unwrap().values().next().unwrap();
    assert_eq!(payload["failure"].is_null(), payload["userErrors"][0].is_object(), "{payload}");
    assert!(payload["failure"].is_null() || payload["failure"]["handledAt"].is_string(), "{payload}");
    payload["userErrors"][0]["code"].as_str().map(str::to_owned)
}

/// A message of the login log about somebody who is called alice.
fn good() -> Vec<u8> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/messages/login-event.v1.json");
    std::fs::read(path).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_message_is_read_and_replayed_once_or_dismissed() {
    let shop = Shop::open().await;
    let login = Topic::LoginEvents.name();
    dead_letter(&shop, login, &good()).await;
    dead_letter(&shop, "gone-topic", b"\xff\xfe").await;
    dead_letter(&shop, Topic::GateChanges.name(), "灯".repeat(40_000).as_bytes()).await;
    let all = list(&shop, None).await;
    assert_eq!(all["totalCount"], 3);
    let nodes = all["nodes"].as_array().unwrap();
    let topics: Vec<_> = nodes.iter().map(|node| node["topic"].as_str().unwrap()).collect();
    assert_eq!(topics, ["gate-changes", "gone-topic", "login-events"], "the newest first");
    assert_eq!((&nodes[0]["truncated"], &nodes[1]["truncated"]), (&json!(true), &json!(false)));
    assert!(nodes[0]["payload"].as_str().unwrap().len() <= 64 * 1024);
    let shown: Value = serde_json::from_str(nodes[2]["payload"].as_str().unwrap()).unwrap();
    assert_eq!(shown["key"]["text"], "a key");
    assert!(nodes[2]["payload"].as_str().unwrap().contains("alice"));
    let of_topic = list(&shop, Some(login)).await;
    assert_eq!((&of_topic["totalCount"], &of_topic["nodes"][0]), (&json!(1), &nodes[2]));
    let page = shop.data(Some(&shop.operator), LIST, json!({ "n": 1 })).await["failures"].clone();
    let cursor = &page["pageInfo"]["endCursor"];
    let rest = shop.data(Some(&shop.operator), LIST, json!({ "n": 2, "a": cursor })).await["failures"].clone();
    assert_eq!((&rest["nodes"][1], &rest["pageInfo"]["hasNextPage"]), (&nodes[2], &json!(false)));

    // What makes no sense, and who may not, changes nothing.
    let (big, unknown, message) = (&nodes[0]["id"], &nodes[1]["id"], &nodes[2]["id"]);
    let buyer = shop.buyer("bob").await;
    for mutation in [REPLAY, DISMISS] {
        let variables = json!({ "f": message, "r": "why not" });
        assert_eq!(shop.fault(None, mutation, variables.clone()).await, "UNAUTHENTICATED");
        assert_eq!(shop.fault(Some(&buyer), mutation, variables).await, "FORBIDDEN");
        for reason in ["", "  ", "two\nlines", &"x".repeat(501)] {
            assert_eq!(act(&shop, mutation, message, reason).await.as_deref(), Some("REASON_INVALID"), "{reason:?}");
        }
        for id in ["failure_AAAAAAAAAAA", "sale_1", ""] {
            assert_eq!(act(&shop, mutation, &json!(id), "why").await.as_deref(), Some("FAILURE_NOT_FOUND"), "{id}");
        }
    }
    assert_eq!(act(&shop, REPLAY, unknown, "why").await.as_deref(), Some("UNREADABLE"));
    let node = "query($i: ID!) { node(id: $i) { id } }";
    assert!(shop.data(Some(&buyer), node, json!({ "i": message })).await["node"].is_null());
    assert_eq!(shop.data(Some(&shop.operator), node, json!({ "i": message })).await["node"]["id"], *message);
    assert_eq!(list(&shop, None).await, all);

    // Pressed twice, done once.
    assert_eq!(act(&shop, REPLAY, message, "the program is repaired").await, None);
    assert_eq!(
        act(&shop, REPLAY, message, "the program is repaired").await.as_deref(),
        Some("FAILURE_ALREADY_HANDLED")
    );
    assert_eq!(act(&shop, DISMISS, message, "why").await.as_deref(), Some("FAILURE_ALREADY_HANDLED"));
    let attempts = "{ signInAttempts(username: \"alice\") { totalCount nodes { outcome } } }";
    until("it is handled", async || {
        shop.data(Some(&shop.operator), attempts, json!({})).await["signInAttempts"]["totalCount"] == 1
    })
    .await;
    assert_eq!(act(&shop, DISMISS, unknown, "nobody needs it").await, None);
    assert_eq!(act(&shop, DISMISS, unknown, "nobody needs it").await.as_deref(), Some("FAILURE_ALREADY_HANDLED"));
    let left = list(&shop, None).await;
    assert_eq!((&left["totalCount"], &left["nodes"][0]["id"]), (&json!(1), big));
    let query = "{ auditEntries(filter: { act: \"failure.\" }) { nodes { act subject reason } } }";
    let acts = shop.data(Some(&shop.operator), query, json!({})).await["auditEntries"]["nodes"].clone();
    assert_eq!(
        acts,
        json!([
            { "act": "failure.dismiss", "subject": unknown, "reason": "nobody needs it" },
            { "act": "failure.replay", "subject": message, "reason": "the program is repaired" },
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_replays_handle_a_dead_letter_message_once() {
    let shop = Shop::open().await;
    dead_letter(&shop, Topic::LoginEvents.name(), &good()).await;
    let message = list(&shop, None).await["nodes"][0]["id"].clone();
    let presses = (0..8).map(|_| act(&shop, REPLAY, &message, "now"));
    let answers = futures_util::future::join_all(presses).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_none()).count(), 1, "{answers:?}");
    assert!(answers.iter().flatten().all(|code| code == "FAILURE_ALREADY_HANDLED"), "{answers:?}");
}
