//! Server-Sent Events, distinct connections mode.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::Client;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use serde_json::json;

use super::support::{PATIENCE, Server, start, start_with, until};
use doorbuster::config::Span;

async fn open(server: &Server, query: &str) -> reqwest::Response {
    let request = Client::new().post(server.url()).header(CONTENT_TYPE, "application/json");
    let body = json!({"query": query}).to_string();
    request.header(ACCEPT, "text/event-stream").body(body).send().await.unwrap()
}

async fn all(server: &Server, query: &str) -> String {
    let response = open(server, query).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream; charset=utf-8");
    let text = tokio::time::timeout(PATIENCE, response.text()).await.expect("the stream ends").unwrap();
    without_last_id(&text)
}

/// The events, `complete` without its id.
fn without_last_id(events: &str) -> String {
    match last_id(events) {
        Some(id) => events.replace(&format!("id: {id}\n"), ""),
        None => events.to_owned(),
    }
}

/// The id of `complete`.
fn last_id(events: &str) -> Option<&str> {
    let (_, complete) = events.rsplit_once("event: complete\nid: ")?;
    complete.split('\n').next()
}

const COMPLETE: &str = "event: complete\ndata:\n\n";

#[tokio::test]
async fn operations_are_streams_of_events() {
    let server = start().await;
    let next = |json: &str| format!("event: next\ndata: {json}\n\n");
    let counted = all(&server, "subscription { count(to: 2) }").await;
    let expected = next(r#"{"data":{"count":1}}"#) + &next(r#"{"data":{"count":2}}"#) + COMPLETE;
    assert_eq!(counted, expected);
    // A field that is selected twice is one field of the response.
    let twice = "subscription { count(to: 2) ...F ... { count(to: 2) } } fragment F on Subscriptions { count(to: 2) }";
    assert_eq!(all(&server, twice).await, expected);
    let queried = all(&server, "{ double(n: 2) echo(text: \"a\\nb\") }").await;
    assert_eq!(queried, next(r#"{"data":{"double":4,"echo":"a\nb"}}"#) + COMPLETE);
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_an_event() {
    let server = start().await;
    let events = all(&server, "subscription { nope }").await;
    assert!(events.starts_with("event: next\ndata: {\"errors\":[") && events.ends_with(COMPLETE), "{events}");
    assert!(events.contains("GRAPHQL_VALIDATION_FAILED"));
    let events = all(&server, "subscription { breaks }").await;
    assert!(events.contains("INTERNAL_SERVER_ERROR") && !events.contains("secret"), "{events}");
    let url = server.url() + "?query=mutation{bump}";
    let refused = Client::new().get(url).header(ACCEPT, "text/event-stream").send().await.unwrap();
    assert_eq!(refused.status(), 405);
    assert_eq!(server.state.bumps.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_quiet_stream_is_kept_alive_until_the_client_leaves() {
    let server = start_with(|config| config.graphql.ping_every = Span(Duration::from_millis(64))).await;
    let mut response = open(&server, "subscription { silence }").await;
    for _ in 0..3 {
        assert_eq!(response.chunk().await.unwrap().unwrap(), ":\n\n");
    }
    assert_eq!((server.edge.streams(), server.state.live.load(Ordering::SeqCst)), (1, 1));
    drop(response);
    until("the subscription ends", || server.state.live.load(Ordering::SeqCst) == 0).await;
    until("the stream is forgotten", || server.edge.streams() == 0).await;
}

#[tokio::test]
async fn shutdown_ends_the_stream_without_complete() {
    let server = start().await;
    let response = open(&server, "subscription { silence }").await;
    server.shutdown.cancel();
    let rest = tokio::time::timeout(PATIENCE, response.text()).await.expect("the stream ends").unwrap();
    assert_eq!(rest, "");
}

#[tokio::test]
async fn events_have_the_ids_that_a_stream_is_resumed_from() {
    let server = start().await;
    let next = |n: u32| format!("event: next\nid: {n}\ndata: {{\"data\":{{\"versions\":{n}}}}}\n\n");
    assert_eq!(all(&server, "subscription { versions(to: 2) }").await, next(1) + &next(2) + COMPLETE);
    let request = Client::new().post(server.url()).json(&json!({"query": "subscription { versions(to: 3) }"}));
    let resumed = request.header(ACCEPT, "text/event-stream").header("last-event-id", "2").send().await.unwrap();
    assert_eq!(without_last_id(&resumed.text().await.unwrap()), next(3) + COMPLETE);
}

/// What an `EventSource` does when a stream ends: it asks again, and stops for 204 alone.
#[tokio::test]
async fn a_client_that_has_heard_all_is_told_so() {
    let server = start().await;
    let get = |query: &str, id: &str| {
        let request = Client::new().get(server.url()).query(&[("query", query)]).header(ACCEPT, "text/event-stream");
        if id.is_empty() { request.send() } else { request.header("last-event-id", id).send() }
    };
    for query in ["subscription { versions(to: 2) }", "{ double(n: 2) }", "subscription { nope }", "subscription {"] {
        let events = get(query, "").await.unwrap().text().await.unwrap();
        let id = last_id(&events).unwrap_or_else(|| panic!("complete has an id: {events}"));
        let again = get(query, id).await.unwrap();
        assert_eq!(again.status(), 204, "{query}");
        assert_eq!(again.text().await.unwrap(), "");
        // The id ends this stream and no other.
        assert_eq!(get("subscription { count(to: 1) }", id).await.unwrap().status(), 200);
    }
    let post = |id: &str| {
        let body = json!({"query": "mutation { bump }"}).to_string();
        let request = Client::new().post(server.url()).header(CONTENT_TYPE, "application/json");
        request.header(ACCEPT, "text/event-stream").header("last-event-id", id.to_owned()).body(body).send()
    };
    let events = post("").await.unwrap().text().await.unwrap();
    assert_eq!(post(last_id(&events).unwrap()).await.unwrap().status(), 204);
    assert_eq!(server.state.bumps.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn streams_are_capped() {
    let server = start_with(|config| config.graphql.sockets_max = 1).await;
    let first = open(&server, "subscription { silence }").await;
    assert_eq!(open(&server, "subscription { silence }").await.status(), 503);
    drop(first);
    until("the stream is forgotten", || server.edge.streams() == 0).await;
    assert_eq!(open(&server, "subscription { silence }").await.status(), 200);
}
