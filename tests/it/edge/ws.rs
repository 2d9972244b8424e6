//! `graphql-transport-ws` over real sockets. The first twelve tests are the probes by which servers are compared.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _, future};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::support::{PATIENCE, Server, Socket, start, start_with, until};
use doorbuster::config::{Size, Span};

fn next(id: &str, data: &Value) -> Value {
    json!({"id": id, "type": "next", "payload": {"data": data}})
}

fn complete(id: &str) -> Value {
    json!({"id": id, "type": "complete"})
}

#[tokio::test]
async fn probe_01_no_sub_protocol_is_4406() {
    let server = start().await;
    assert_eq!(Socket::open(server.address, &[]).await.closed().await.0, 4406);
}

#[tokio::test]
async fn probe_02_invalid_json_is_4400() {
    let mut socket = start().await.socket().await;
    socket.text("{nope").await;
    assert_eq!(socket.closed().await.0, 4400);
}

#[tokio::test]
async fn probe_03_an_unknown_type_is_4400_with_a_short_reason() {
    let mut socket = start().await.socket().await;
    socket.send(json!({"type": "é".repeat(500)})).await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4400);
    assert!(reason.len() <= 123 && reason.contains("éé"), "{reason}");
}

#[tokio::test]
async fn probe_04_subscribe_without_id_is_4400() {
    let mut socket = start().await.socket().await;
    socket.send(json!({"type": "subscribe", "payload": {"query": "{ role }"}})).await;
    assert_eq!(socket.closed().await.0, 4400);
}

#[tokio::test]
async fn probe_05_subscribe_without_query_is_4400() {
    let mut socket = start().await.socket().await;
    socket.send(json!({"id": "1", "type": "subscribe", "payload": {}})).await;
    assert_eq!(socket.closed().await.0, 4400);
}

#[tokio::test]
async fn probe_06_subscribe_before_init_is_4401() {
    let mut socket = start().await.raw_socket().await;
    socket.subscribe("1", "{ role }").await;
    assert_eq!(socket.closed().await, (4401, "Unauthorized".into()));
}

#[tokio::test]
async fn probe_07_no_init_is_4408() {
    let server = start_with(|config| config.graphql.init_timeout = Span(Duration::from_millis(50))).await;
    assert_eq!(server.raw_socket().await.closed().await.0, 4408);
}

#[tokio::test]
async fn probe_08_an_id_in_use_is_4409() {
    let server = start().await;
    let mut socket = server.socket().await;
    socket.subscribe("a\"b", "subscription { silence }").await;
    socket.subscribe("a\"b", "subscription { silence }").await;
    assert_eq!(socket.closed().await, (4409, "Subscriber for a\"b already exists".into()));
    until("the subscription ends", || server.state.live.load(Ordering::SeqCst) == 0).await;
}

#[tokio::test]
async fn probe_09_a_second_init_is_4429() {
    let mut socket = start().await.socket().await;
    socket.send(json!({"type": "connection_init"})).await;
    assert_eq!(socket.closed().await.0, 4429);
}

#[tokio::test]
async fn probe_10_a_ping_is_answered_with_its_payload() {
    let mut socket = start().await.raw_socket().await;
    socket.send(json!({"type": "ping", "payload": {"a": [1, "b"]}})).await;
    assert_eq!(socket.next().await, json!({"type": "pong", "payload": {"a": [1, "b"]}}));
    socket.send(json!({"type": "ping"})).await;
    assert_eq!(socket.next().await, json!({"type": "pong"}));
}

#[tokio::test]
async fn probe_11_a_refused_document_is_an_error_and_nothing_else() {
    let mut socket = start().await.socket().await;
    for (query, code) in [
        ("{ nope }", "GRAPHQL_VALIDATION_FAILED"),
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("query($n: Int!) { double(n: $n) }", "BAD_USER_INPUT"),
        ("query A { role } query B { role }", "OPERATION_RESOLUTION_FAILURE"),
        ("mutation { a: salePurchase(n: 1) b: salePurchase(n: 2) }", "DOCUMENT_TOO_COMPLEX"),
    ] {
        socket.subscribe("1", query).await;
        let answer = socket.next().await;
        assert_eq!((&answer["type"], &answer["id"]), (&json!("error"), &json!("1")), "{answer}");
        assert_eq!(answer["payload"][0]["extensions"]["code"], code, "{answer}");
        socket.quiet().await;
    }
}

#[tokio::test]
async fn probe_12_complete_by_the_client_is_not_echoed() {
    let server = start().await;
    let mut socket = server.socket().await;
    socket.subscribe("1", "subscription { silence }").await;
    until("the subscription begins", || server.state.live.load(Ordering::SeqCst) == 1).await;
    socket.send(complete("1")).await;
    socket.quiet().await;
    until("the subscription ends", || server.state.live.load(Ordering::SeqCst) == 0).await;
    // Its id is free again, and completing what is not there is no fault.
    socket.send(complete("1")).await;
    socket.subscribe("1", "{ double(n: 1) }").await;
    assert_eq!(socket.next().await, next("1", &json!({"double": 2})));
}

#[tokio::test]
async fn all_kinds_of_operations_run() {
    let server = start().await;
    let mut socket = server.socket().await;
    let payload = json!({"query": "query($n: Int!) { double(n: $n) }", "variables": {"n": 4}, "extensions": null});
    socket.send(json!({"id": "q", "type": "subscribe", "payload": payload})).await;
    assert_eq!(socket.next().await, next("q", &json!({"double": 8})));
    assert_eq!(socket.next().await, complete("q"));
    socket.subscribe("m", "mutation { bump }").await;
    assert_eq!(socket.next().await, next("m", &json!({"bump": 1})));
    assert_eq!(socket.next().await, complete("m"));
    socket.subscribe("s", "subscription { count(to: 2) }").await;
    assert_eq!(socket.next().await, next("s", &json!({"count": 1})));
    assert_eq!(socket.next().await, next("s", &json!({"count": 2})));
    assert_eq!(socket.next().await, complete("s"));
}

#[tokio::test]
async fn failing_subscriptions_say_so_and_complete() {
    let mut socket = start().await.socket().await;
    socket.subscribe("1", "subscription { forbidden }").await;
    let answer = socket.next().await;
    assert_eq!(answer["payload"]["errors"][0]["extensions"]["code"], "FORBIDDEN", "{answer}");
    assert_eq!(socket.next().await, complete("1"));
    socket.subscribe("2", "subscription { breaks }").await;
    assert_eq!(socket.next().await, next("2", &json!({"breaks": 1})));
    let answer = socket.next().await;
    assert_eq!(answer["payload"]["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR", "{answer}");
    assert!(!answer.to_string().contains("secret"));
}

#[tokio::test]
async fn streams_take_turns() {
    let mut socket = start().await.socket().await;
    for id in ["1", "2"] {
        let payload = json!({"query": "subscription { count(to: 200) }"});
        let message = json!({"id": id, "type": "subscribe", "payload": payload});
        socket.0.feed(Message::text(message.to_string())).await.unwrap();
    }
    socket.0.flush().await.unwrap();
    let mut ended = Vec::new();
    let mut counts = [0, 0];
    while ended.len() < 2 {
        let message = socket.next().await;
        let id: usize = message["id"].as_str().unwrap().parse().unwrap();
        match message["type"].as_str().unwrap() {
            "next" => counts[id - 1] += 1,
            _ => ended.push(counts),
        }
    }
    // Neither had to wait for the other's end.
    assert!(ended[0].iter().all(|count| *count > 50), "{ended:?}");
}

#[tokio::test]
async fn tokens_come_with_init_or_with_the_handshake() {
    let server = start().await;
    for payload in [json!({"authorization": "Bearer buyer"}), json!({"Authorization": "bearer buyer", "other": 1})] {
        let mut socket = server.raw_socket().await;
        socket.init(payload).await;
        socket.subscribe("1", "{ role }").await;
        assert_eq!(socket.next().await, next("1", &json!({"role": "BUYER"})));
    }
    let headers = [("sec-websocket-protocol", "graphql-transport-ws"), ("authorization", "Bearer operator")];
    let mut socket = Socket::open(server.address, &headers).await;
    socket.init(Value::Null).await;
    socket.subscribe("1", "{ role }").await;
    assert_eq!(socket.next().await, next("1", &json!({"role": "OPERATOR"})));
}

#[tokio::test]
async fn tokens_that_are_nobodys_are_4403() {
    let server = start().await;
    for (token, code) in [("Bearer nobody", 4403), ("Basic x", 4403), ("Bearer down", 1013)] {
        let mut socket = server.raw_socket().await;
        socket.send(json!({"type": "connection_init", "payload": {"authorization": token}})).await;
        assert_eq!(socket.closed().await.0, code, "{token}");
    }
}

#[tokio::test]
async fn a_token_that_ends_ends_the_socket() {
    let server = start_with(|config| config.graphql.ping_every = Span(Duration::from_millis(32))).await;
    let mut socket = server.raw_socket().await;
    socket.init(json!({"authorization": "Bearer once"})).await;
    assert_eq!(socket.closed().await.0, 4403);
}

#[tokio::test]
async fn the_server_pings_and_hangs_up_on_the_silent() {
    let server = start_with(|config| config.graphql.ping_every = Span(Duration::from_millis(64))).await;
    let mut socket = server.socket().await;
    for _ in 0..3 {
        let ping = tokio::time::timeout(PATIENCE, socket.0.next()).await.expect("a ping").unwrap().unwrap();
        assert!(matches!(ping, Message::Ping(_)), "{ping:?}");
    }
    // From here on nobody reads, so nobody answers pings.
    until("the socket is dropped", || server.edge.streams() == 0).await;
}

#[tokio::test]
async fn sockets_and_their_operations_are_capped() {
    let server = start_with(|config| {
        config.graphql.sockets_max = 1;
        config.graphql.operations_per_socket = 2;
    })
    .await;
    let mut socket = server.socket().await;
    for id in ["1", "2", "3"] {
        socket.subscribe(id, "subscription { silence }").await;
    }
    let answer = socket.next().await;
    assert_eq!((&answer["id"], &answer["type"]), (&json!("3"), &json!("error")));
    assert_eq!(answer["payload"][0]["extensions"]["code"], "RATE_LIMITED");
    let mut second = TcpStream::connect(server.address).await.unwrap();
    let head = "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                sec-websocket-protocol: graphql-transport-ws\r\n\r\n";
    second.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    second.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 503");
}

#[tokio::test]
async fn messages_that_are_too_big_or_no_text_are_refused() {
    let server = start_with(|config| config.graphql.socket_message_max = Size(4096)).await;
    let mut socket = server.socket().await;
    socket.text(&" ".repeat(5000)).await;
    assert_eq!(socket.closed().await.0, 1009);

    let mut socket = server.socket().await;
    socket.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(socket.closed().await.0, 4400);

    let mut socket = server.socket().await;
    let bad = Frame::message(vec![0xff, 0xfe], OpCode::Data(Data::Text), true);
    socket.0.send(Message::Frame(bad)).await.unwrap();
    assert_eq!(socket.closed().await.0, 1007);

    // Fragments of one message count together.
    let mut socket = server.socket().await;
    for part in 0..3 {
        let opcode = if part == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(vec![b' '; 2000], OpCode::Data(opcode), false);
        socket.0.send(Message::Frame(frame)).await.unwrap();
    }
    assert_eq!(socket.closed().await.0, 1009);
}

#[tokio::test]
async fn answers_that_are_too_big_are_errors() {
    let server = start_with(|config| config.graphql.socket_queue = Size(4096)).await;
    let mut socket = server.socket().await;
    socket.subscribe("1", "{ big(bytes: 4000) }").await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.next().await, complete("1"));
    socket.subscribe("2", "{ big(bytes: 5000) }").await;
    let answer = socket.next().await;
    assert_eq!((&answer["type"], &answer["id"]), (&json!("error"), &json!("2")));
    socket.quiet().await;
}

#[tokio::test]
async fn who_does_not_read_is_not_produced_for_and_then_dropped() {
    let server = start_with(|config| {
        config.graphql.socket_write_timeout = Span(Duration::from_millis(300));
    })
    .await;
    let mut socket = server.socket().await;
    socket.subscribe("1", "subscription { flood(bytes: 30000) }").await;
    until("the reader is dropped", || server.edge.streams() == 0).await;
    // What was produced is what the network's buffers took, and one message more.
    let produced = server.state.flooded.load(Ordering::SeqCst) * 30_000;
    assert!(produced < 16 << 20, "{produced} bytes");
}

/// What it holds meanwhile, others may wait for.
#[tokio::test]
async fn a_query_goes_on_while_its_client_takes_no_data() {
    let server = start().await;
    let mut socket = server.socket().await;
    socket.subscribe("1", "{ later }").await;
    server.state.started.notified().await;
    socket.subscribe("2", "subscription { flood(bytes: 30000) }").await;
    let (mut produced, mut looks) = (0, 0);
    until("the network takes no more", || {
        let before = std::mem::replace(&mut produced, server.state.flooded.load(Ordering::SeqCst));
        looks = if produced == before { looks + 1 } else { 0 };
        produced > 0 && looks > 10_000
    })
    .await;
    server.state.go_on.notify_one();
    until("the query ends", || server.state.executions.load(Ordering::SeqCst) == 1).await;
    assert_eq!(server.edge.streams(), 1);
}

#[tokio::test]
async fn a_mutation_outlives_its_socket() {
    let server = start().await;
    let mut socket = server.socket().await;
    socket.subscribe("1", "mutation { bumpLater }").await;
    server.state.started.notified().await;
    drop(socket);
    until("the socket is forgotten", || server.edge.streams() == 0).await;
    server.state.go_on.notify_one();
    until("the mutation ends", || server.state.bumps.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn shutdown_closes_with_1001_and_a_reason() {
    let server = start().await;
    let mut sockets = future::join_all((0..40).map(|_| server.socket())).await;
    for socket in &mut sockets {
        socket.subscribe("1", "subscription { silence }").await;
    }
    server.shutdown.cancel();
    for socket in &mut sockets {
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 1001);
        assert!(reason.contains("shutting down"), "{reason}");
    }
    tokio::time::timeout(PATIENCE, server.edge.closed()).await.expect("all sockets are closed");
    assert_eq!((server.edge.streams(), server.state.live.load(Ordering::SeqCst)), (0, 0));
}

const STOCK: &str = "subscription { saleStockChanged(saleIds: [\"a\", \"b\"]) { saleId stockRemaining } }";

fn stock(id: &str, sale: &str, remaining: i32) -> Value {
    next(id, &json!({"saleStockChanged": {"saleId": sale, "stockRemaining": remaining}}))
}

async fn watch(server: &Server, id: &str) -> Socket {
    let mut socket = server.socket().await;
    socket.subscribe(id, STOCK).await;
    socket
}

#[tokio::test]
async fn a_shared_subscription_is_executed_once() {
    let server = start().await;
    let mut sockets = Vec::new();
    for n in 0..50 {
        let id = n.to_string();
        let mut socket = watch(&server, &id).await;
        assert_eq!(socket.next().await, stock(&id, "a", 100));
        assert_eq!(socket.next().await, stock(&id, "b", 100));
        sockets.push((id, socket));
    }
    assert_eq!(server.state.executions.load(Ordering::SeqCst), 1);
    server.state.stock.send(("b".into(), 7)).unwrap();
    for (id, socket) in &mut sockets {
        assert_eq!(socket.next().await, stock(id, "b", 7));
    }
    // Who comes later gets the newest of each, in the order in which they became so.
    let mut late = watch(&server, "late").await;
    assert_eq!(late.next().await, stock("late", "a", 100));
    assert_eq!(late.next().await, stock("late", "b", 7));
    // Other arguments, another document, another execution.
    let mut other = server.socket().await;
    other.subscribe("o", "subscription { saleStockChanged(saleIds: [\"a\"]) { saleId stockRemaining } }").await;
    assert_eq!(other.next().await, stock("o", "a", 100));
    assert_eq!(server.state.executions.load(Ordering::SeqCst), 2);
    assert_eq!(server.edge.shared_executions(), 2);
    drop((sockets, late, other));
    until("the executions end", || server.state.live.load(Ordering::SeqCst) == 0).await;
    until("the groups are forgotten", || server.edge.shared_executions() == 0).await;
    // And begin anew for the next one.
    let mut again = watch(&server, "x").await;
    assert_eq!(again.next().await, stock("x", "a", 100));
    assert_eq!(server.state.executions.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_slow_reader_of_a_shared_subscription_skips_what_was_replaced() {
    // However long the quick one takes, the slow one is not closed for it.
    let hour = Span(Duration::from_secs(3600));
    let server = start_with(|config| {
        config.graphql.socket_write_timeout = hour;
        config.graphql.ping_every = hour;
        config.server.write_timeout = hour;
    })
    .await;
    // Long enough for the payloads to fill the network's buffers soon.
    let sale = "a".repeat(20_000);
    let query = format!("subscription {{ saleStockChanged(saleIds: [\"{sale}\"]) {{ saleId stockRemaining }} }}");
    let (mut slow, mut quick) = (server.socket().await, server.socket().await);
    for (socket, id) in [(&mut slow, "s"), (&mut quick, "q")] {
        socket.subscribe(id, &query).await;
        assert_eq!(socket.next().await, stock(id, &sale, 100));
    }
    let last = -1500;
    for remaining in (last..0).rev() {
        server.state.stock.send((sale.clone(), remaining)).unwrap();
        assert_eq!(quick.next().await, stock("q", &sale, remaining), "the quick one misses nothing");
    }
    let mut received = 0;
    while slow.next().await != stock("s", &sale, last) {
        received += 1;
    }
    assert!(received < 1400, "the slow one got {received}");
}
