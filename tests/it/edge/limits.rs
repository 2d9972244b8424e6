//! How often, and how much at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use reqwest::header::RETRY_AFTER;
use reqwest::{Client, Response};
use serde_json::{Value, json};

use super::support::{Server, Socket, start, start_with, until};
use doorbuster::config::{Config, Limits, Network};

/// Everybody is counted.
fn counting(config: &mut Config, change: impl FnOnce(&mut Limits)) {
    config.limits.unlimited = Vec::new();
    config.access.trusted_proxies = vec![Network::parse("127.0.0.0/8").unwrap()];
    change(&mut config.limits);
}

async fn post(server: &Server, token: Option<&str>, address: &str, query: &str) -> Response {
    let mut request = Client::new().post(server.url()).json(&json!({"query": query}));
    request = request.header("x-forwarded-for", address);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    request.send().await.unwrap()
}

async fn limited(response: Response, policy: &str) {
    assert_eq!(response.status(), 429);
    let headers = response.headers().clone();
    assert!(headers["ratelimit-policy"].to_str().unwrap().starts_with(policy), "{headers:?}");
    assert!(headers["ratelimit"].to_str().unwrap().contains("r=0"), "{headers:?}");
    let wait: u64 = headers[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    let body: Value = response.json().await.unwrap();
    let extensions = &body["errors"][0]["extensions"];
    assert_eq!((&extensions["code"], &extensions["retryAfterSeconds"]), (&json!("RATE_LIMITED"), &json!(wait)));
    assert!(body.get("data").is_none());
}

#[tokio::test]
async fn an_address_is_limited_and_others_are_not() {
    // Per second, so that the test's own pace does not matter: hundreds at once are more than 20.
    let server =
        Arc::new(start_with(|config| counting(config, |limits| limits.requests_per_address_per_second = 20)).await);
    let asks = (0..200).map(|n| {
        let server = server.clone();
        async move { post(&server, None, &format!("2001:db8:1:2::{n:x}"), "{ role }").await }
    });
    let answers = futures_util::future::join_all(asks).await;
    let (good, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status() == 200);
    assert!(good.len() >= 20 && !refused.is_empty(), "{} of one network were answered", good.len());
    limited(refused.into_iter().next().unwrap(), "\"address\";q=20;w=1").await;
    assert_eq!(post(&server, None, "2001:db8:1:3::1", "{ role }").await.status(), 200);
}

#[tokio::test]
async fn purchases_of_a_user_are_limited_wherever_they_come_from() {
    let server = start_with(|config| counting(config, |limits| limits.purchases_per_user_per_minute = 3)).await;
    let buy = "mutation { salePurchase(n: 1) }";
    for n in 1..=3 {
        assert_eq!(post(&server, Some("buyer"), &format!("192.0.2.{n}"), buy).await.status(), 200);
    }
    limited(post(&server, Some("buyer"), "192.0.2.9", buy).await, "\"purchases\";q=3;w=60").await;
    assert_eq!(post(&server, Some("buyer"), "192.0.2.9", "{ role }").await.status(), 200, "only purchases");
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("authorization", "Bearer buyer")];
    let mut socket = Socket::open(server.address, &headers).await;
    socket.init(Value::Null).await;
    socket.subscribe("1", buy).await;
    let refused = socket.next().await;
    assert_eq!(refused["type"], "error");
    assert_eq!(refused["payload"][0]["extensions"]["code"], "RATE_LIMITED", "by socket, too");
    let lifted = start_with(|config| counting(config, |limits| limits.purchases_per_user_per_minute = 0)).await;
    for _ in 0..10 {
        assert_eq!(post(&lifted, Some("buyer"), "192.0.2.1", buy).await.status(), 200);
    }
}

#[tokio::test]
async fn this_machine_is_not_counted_unless_it_should_be() {
    let server = start_with(|config| config.limits.purchases_per_user_per_minute = 1).await;
    for _ in 0..5 {
        let buy = post(&server, Some("buyer"), "192.0.2.1", "mutation { salePurchase(n: 1) }").await;
        assert_eq!(buy.status(), 200);
    }
}

#[tokio::test]
async fn sockets_of_one_address_are_capped_and_come_free_again() {
    let server = start_with(|config| counting(config, |limits| limits.streams_per_address = 2)).await;
    let stream = async |address: &str| {
        let request = Client::new().post(server.url()).header("accept", "text/event-stream");
        let body = json!({"query": "subscription { silence }"});
        request.header("x-forwarded-for", address).json(&body).send().await.unwrap()
    };
    let (first, _second) = (stream("192.0.2.1").await, stream("192.0.2.1").await);
    let refused = stream("192.0.2.1").await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key(RETRY_AFTER));
    assert_eq!(stream("192.0.2.2").await.status(), 200, "another address");
    drop(first);
    until("the stream is forgotten", || server.state.live.load(Ordering::SeqCst) <= 1).await;
    until("there is room", || server.edge.streams() <= 1).await;
    assert_eq!(stream("192.0.2.1").await.status(), 200);
}

/// With room for four operations; two lists and a query fill it but for a purchase.
#[tokio::test]
async fn under_load_purchases_go_first() {
    let server =
        Arc::new(start_with(|config| (config.limits.concurrency_min, config.limits.concurrency_max) = (4, 4)).await);
    let begun = || {
        let server = server.clone();
        tokio::spawn(async move { post(&server, None, "x", "mutation { bumpLater }").await })
    };
    let mut waiting = Vec::new();
    for _ in 0..3 {
        waiting.push(begun());
        server.state.started.notified().await;
    }
    for (query, fits) in [
        ("{ __schema { queryType { name } } }", false),
        ("{ role }", false),
        ("mutation { bump }", false),
        ("mutation { salePurchase(n: 7) }", true),
    ] {
        let answer = post(&server, None, "x", query).await;
        if fits {
            assert_eq!(answer.json::<Value>().await.unwrap(), json!({"data": {"salePurchase": 7}}));
            continue;
        }
        assert_eq!(answer.status(), 503, "{query}");
        let wait: u64 = answer.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=3).contains(&wait));
        let extensions = answer.json::<Value>().await.unwrap()["errors"][0]["extensions"].clone();
        assert_eq!(extensions, json!({"code": "UNAVAILABLE", "retryAfterSeconds": wait}), "{query}");
    }
    for _ in 0..3 {
        server.state.go_on.notify_one();
    }
    for answer in futures_util::future::join_all(waiting).await {
        assert_eq!(answer.unwrap().status(), 200);
    }
    assert_eq!(post(&server, None, "x", "{ __schema { queryType { name } } }").await.status(), 200);
}

#[tokio::test]
async fn pages_have_the_headers_that_protect_them() {
    let server = start().await;
    let health = Client::new().get(format!("http://{}/health/live", server.address)).send().await.unwrap();
    for name in ["x-content-type-options", "x-frame-options", "content-security-policy", "cross-origin-opener-policy"] {
        assert!(health.headers().contains_key(name), "{name}");
    }
}
