//! `graphql-ws`, the older protocol (`subscriptions-transport-ws`), with the limits of every socket.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::support::{PATIENCE, Server, Socket, start_with, until};
use doorbuster::config::{Config, Size, Span};

/// Without pings, which come at any time.
async fn start() -> Server {
    start_with(quiet).await
}

fn quiet(config: &mut Config) {
    config.graphql.ping_every = Span(Duration::from_secs(3600));
}

const OLD: &[(&str, &str)] = &[("sec-websocket-protocol", "graphql-ws")];

async fn socket(server: &Server) -> Socket {
    let mut socket = Socket::open(server.address, OLD).await;
    socket.init(Value::Null).await;
    socket
}

async fn begin(socket: &mut Socket, id: &str, query: &str) {
    socket.send(json!({"id": id, "type": "start", "payload": {"query": query, "variables": {}}})).await;
}

fn data(id: &str, data: &Value) -> Value {
    json!({"id": id, "type": "data", "payload": {"data": data}})
}

fn complete(id: &str) -> Value {
    json!({"id": id, "type": "complete"})
}

/// The code of the one error of a `data` message.
fn code(message: &Value) -> &str {
    assert_eq!((&message["type"], &message["payload"]["data"]), (&json!("data"), &Value::Null), "{message}");
    message["payload"]["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn the_first_protocol_that_the_client_offers_counts() {
    let server = start().await;
    for (offered, chosen) in [
        ("graphql-ws, graphql-transport-ws", "graphql-ws"),
        ("graphql-transport-ws,graphql-ws", "graphql-transport-ws"),
        ("mqtt, graphql-ws", "graphql-ws"),
        ("mqtt", ""),
    ] {
        let offer = format!("sec-websocket-protocol: {offered}\r\n");
        let answer = handshake(&server, "13", "dGhlIHNhbXBsZSBub25jZQ==", &offer).await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        let told = answer.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: ")).unwrap_or_default();
        assert_eq!(told, chosen, "{offered}");
    }
}

/// The head of the answer to a handshake.
async fn handshake(server: &Server, version: &str, key: &str, more: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-version: {version}\r\nsec-websocket-key: {key}\r\n{more}\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    while !answer.contains("\r\n\r\n") {
        let mut bytes = [0; 1024];
        let read = timeout(PATIENCE, stream.read(&mut bytes)).await.expect("an answer").unwrap();
        assert!(read > 0, "no whole answer: {answer}");
        answer += &String::from_utf8_lossy(&bytes[..read]);
    }
    answer
}

#[tokio::test]
async fn a_handshake_is_refused_as_its_specification_says() {
    let server = start().await;
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    for (what, version, key, more, status) in [
        ("no base64", "13", "not base64!", "", "400"),
        ("too short", "13", "c2hvcnQ=", "", "400"),
        ("too long", "13", "dGhlIHNhbXBsZSBub25jZSBpcyBsb25n", "", "400"),
        ("none", "13", "", "", "400"),
        ("two keys", "13", key, "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "400"),
        ("an old version", "8", key, "", "426"),
        ("no version", "", key, "", "426"),
        ("as it should be", "13", key, "", "101"),
    ] {
        let answer = handshake(&server, version, key, more).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        assert_eq!(answer.contains("\r\nsec-websocket-version: 13\r\n"), status == "426", "{what}: {answer}");
        assert_eq!(answer.contains("\r\nconnection: close\r\n"), status != "101", "{what}: {answer}");
    }
}

#[tokio::test]
async fn operations_run_and_are_stopped() {
    let server = start().await;
    let mut socket = Socket::open(server.address, OLD).await;
    // The library of that time does not wait for the acknowledgement.
    socket.send(json!({"type": "connection_init", "payload": {"authorization": "Bearer buyer"}})).await;
    begin(&mut socket, "1", "{ role }").await;
    assert_eq!(socket.next().await, json!({"type": "connection_ack"}));
    assert_eq!(socket.next().await, data("1", &json!({"role": "BUYER"})));
    assert_eq!(socket.next().await, complete("1"));
    begin(&mut socket, "2", "subscription { count(to: 2) }").await;
    for n in 1..=2 {
        assert_eq!(socket.next().await, data("2", &json!({"count": n})));
    }
    assert_eq!(socket.next().await, complete("2"));
    begin(&mut socket, "3", "subscription { silence }").await;
    until("it runs", || server.state.live.load(Ordering::SeqCst) == 1).await;
    socket.send(json!({"type": "stop", "id": "3"})).await;
    assert_eq!(socket.next().await, complete("3"));
    until("it is stopped", || server.state.live.load(Ordering::SeqCst) == 0).await;
    socket.send(json!({"type": "connection_terminate"})).await;
    assert_eq!(socket.closed().await.0, 1000);
    until("the socket is forgotten", || server.edge.streams() == 0).await;
}

#[tokio::test]
async fn what_can_not_run_is_told_with_its_code() {
    let server = start().await;
    let mut socket = socket(&server).await;
    for (query, expected) in [
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("", "BAD_USER_INPUT"),
        ("subscription { forbidden }", "FORBIDDEN"),
    ] {
        begin(&mut socket, "1", query).await;
        let told = socket.next().await;
        assert_eq!(code(&told), expected, "{query}: {told}");
        assert_eq!(socket.next().await, complete("1"));
    }
    begin(&mut socket, "2", "mutation { bump }").await;
    assert_eq!(socket.next().await, data("2", &json!({"bump": 1})));
}

#[tokio::test]
async fn tokens_count_at_the_beginning_and_later() {
    let server = start_with(|config| config.graphql.ping_every = Span(Duration::from_millis(64))).await;
    for (authorization, end) in [("Bearer nobody", 4403), ("Basic x", 4403), ("Bearer down", 1013)] {
        let mut socket = Socket::open(server.address, OLD).await;
        socket.send(json!({"type": "connection_init", "payload": {"Authorization": authorization}})).await;
        assert_eq!(socket.next().await["type"], "connection_error", "{authorization}");
        assert_eq!(socket.closed().await.0, end, "{authorization}");
    }
    let mut socket = Socket::open(server.address, &[OLD[0], ("authorization", "Bearer once")]).await;
    socket.init(json!({})).await;
    loop {
        match socket.message().await {
            Some(Message::Text(text)) => assert_eq!(text.as_str(), r#"{"type":"ka"}"#),
            Some(Message::Close(Some(frame))) => break assert_eq!(u16::from(frame.code), 4403),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_socket_has_the_limits_of_every_socket() {
    let server = start_with(|config| {
        quiet(config);
        config.graphql.operations_per_socket = 2;
        config.graphql.socket_queue = Size(1024);
    })
    .await;
    let mut socket = socket(&server).await;
    for id in ["1", "2", "3"] {
        begin(&mut socket, id, "subscription { silence }").await;
    }
    assert_eq!(code(&socket.next().await), "RATE_LIMITED");
    assert_eq!(socket.next().await, complete("3"));
    // The one that had the id makes room.
    socket.send(json!({"type": "stop", "id": "1"})).await;
    assert_eq!(socket.next().await, complete("1"));
    begin(&mut socket, "4", "subscription { flood(bytes: 2000) }").await;
    assert_eq!(code(&socket.next().await), "DOCUMENT_TOO_COMPLEX");
    assert_eq!(socket.next().await, complete("4"));
    for (text, end) in [("{nope", 1002), (r#"{"type":"é"}"#, 1002), (r#"{"type":"start","id":"1","payload":{}}"#, 1011)]
    {
        let mut socket = Socket::open(server.address, OLD).await;
        socket.text(text).await;
        let (code, reason) = socket.closed().await;
        assert!(code == end && reason.len() <= 123, "{text}: {code} {reason}");
    }
    socket.0.send(Message::binary("{}")).await.unwrap();
    assert_eq!(socket.closed().await.0, 4400);
    until("all operations end", || server.state.live.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn a_socket_begins_in_time() {
    let server = start_with(|config| config.graphql.init_timeout = Span(Duration::from_millis(50))).await;
    assert_eq!(Socket::open(server.address, OLD).await.closed().await.0, 4408);
}

#[tokio::test]
async fn refusals_are_answered_before_more_is_read() {
    let server = start().await;
    let mut socket = socket(&server).await;
    for n in 0..100 {
        begin(&mut socket, &n.to_string(), "{ nope }").await;
    }
    for n in 0..100 {
        assert_eq!(socket.next().await["id"], n.to_string(), "in their order, one at a time");
        assert_eq!(socket.next().await, complete(&n.to_string()));
    }
}

/// Filling the network's buffers takes its time where the processor is busy with other things.
async fn hung_up(server: &Server) {
    let gone = async {
        while server.edge.streams() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE * 6, gone).await.expect("it is hung up");
}

#[tokio::test]
async fn a_slow_reader_is_hung_up_and_a_silent_client_too() {
    let server = start_with(|config| {
        config.graphql.socket_write_timeout = Span(Duration::from_millis(300));
    })
    .await;
    let mut slow = socket(&server).await;
    begin(&mut slow, "1", "subscription { flood(bytes: 60000) }").await;
    hung_up(&server).await;
    drop(slow);
    let pinging = start_with(|config| config.graphql.ping_every = Span(Duration::from_millis(64))).await;
    // It never reads, and so never answers a ping.
    let silent = socket(&pinging).await;
    hung_up(&pinging).await;
    drop(silent);
}

#[tokio::test]
async fn shutdown_sends_clients_elsewhere() {
    let server = start().await;
    let mut socket = socket(&server).await;
    begin(&mut socket, "1", "subscription { silence }").await;
    until("it runs", || server.state.live.load(Ordering::SeqCst) == 1).await;
    server.shutdown.cancel();
    assert_eq!(socket.closed().await.0, 1001);
    drop(socket);
    timeout(PATIENCE, server.edge.closed()).await.expect("the edge closes");
}
