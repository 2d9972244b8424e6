//! WebSocket frames as they should not be: the right close code, little memory, and others go on.

use serde_json::json;
use tokio::io::AsyncWriteExt as _;

use super::support::{Server, Socket, start, start_with, until};

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const PING: u8 = 0x9;
const FINAL: u8 = 0x80;
const COMPRESSED: u8 = 0x40;

/// A frame with a mask of zeros, which leaves the payload as it is.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

async fn raw(socket: &mut Socket, bytes: &[u8]) {
    socket.0.get_mut().write_all(bytes).await.unwrap();
}

/// What a socket is closed with that sends these bytes; another one never notices.
async fn closed_with(server: &Server, bytes: &[u8]) -> u16 {
    let (mut bad, mut good) = (server.socket().await, server.socket().await);
    good.subscribe("1", "subscription { silence }").await;
    raw(&mut bad, bytes).await;
    let (code, _) = bad.closed().await;
    good.subscribe("2", "{ double(n: 2) }").await;
    assert_eq!(good.next().await, json!({"id": "2", "type": "next", "payload": {"data": {"double": 4}}}));
    code
}

#[tokio::test]
async fn frames_that_break_the_protocol_close_with_its_codes() {
    let server = start().await;
    let huge = [&[FINAL | TEXT, 0x80 | 127][..], &(1_u64 << 62).to_be_bytes(), &[0; 4]].concat();
    let endless = frame(0, &[b' '; 20_000]).repeat(4);
    for (what, bytes, code) in [
        ("a frame of 2^62 bytes", huge, 1009),
        ("a frame over the limit", frame(FINAL | TEXT, &[b' '; 70_000]), 1009),
        ("fragments over the limit", [frame(TEXT, b"{"), endless].concat(), 1009),
        ("invalid UTF-8", frame(FINAL | TEXT, b"{\"type\":\"ping\xff\"}"), 1007),
        ("invalid UTF-8 in two frames", [frame(TEXT, b"\xe2\x82"), frame(FINAL, b"{}")].concat(), 1007),
        ("no mask", vec![FINAL | TEXT, 2, b'{', b'}'], 1002),
        ("compression that was not agreed on", frame(FINAL | COMPRESSED | TEXT, b"{}"), 1002),
        ("an unknown opcode", frame(FINAL | 0x3, b""), 1002),
        ("a continuation of nothing", frame(FINAL, b"{}"), 1002),
        ("a message within a message", [frame(TEXT, b"{"), frame(FINAL | TEXT, b"{}")].concat(), 1002),
        ("a long ping", frame(FINAL | PING, &[0; 126]), 1002),
        ("a ping in fragments", frame(PING, b"x"), 1002),
        ("bytes", frame(FINAL | BINARY, b"{}"), 4400),
    ] {
        assert_eq!(closed_with(&server, &bytes).await, code, "{what}");
    }
    until("no socket is left", || server.edge.streams() == 0).await;
}

#[tokio::test]
async fn messages_that_are_no_messages_close_with_4400() {
    let server = start().await;
    let nested = format!(
        r#"{{"id":"1","type":"subscribe","payload":{{"query":"{{role}}","variables":{{"x":{}1{}}}}}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    for text in [
        "",
        " ",
        "null",
        "[]",
        "{",
        "\u{feff}{\"type\":\"ping\"}",
        "{\"type\":\"ping\",\"type\":\"pong\"}",
        "{\"type\":\"ping\"}{\"type\":\"ping\"}",
        "{\"type\":\"PING\"}",
        "{\"type\":\"start\",\"id\":\"1\",\"payload\":{\"query\":\"{role}\"}}",
        "{\"type\":\"subscribe\",\"id\":\"1\",\"payload\":{\"query\":\"{role}\",\"query\":\"mutation{bump}\"}}",
        "{\"type\":\"subscribe\",\"id\":\"1\",\"payload\":{\"query\":\"mutation{bump}\",\"variables\":[]}}",
        &nested,
    ] {
        let code = closed_with(&server, &frame(FINAL | TEXT, text.as_bytes())).await;
        assert_eq!(code, 4400, "{}", &text[..text.floor_char_boundary(100)]);
    }
    assert_eq!(server.state.bumps.load(std::sync::atomic::Ordering::SeqCst), 0);
}

#[tokio::test]
async fn fragments_with_pings_between_them_are_one_message() {
    let server = start().await;
    let mut socket = server.socket().await;
    let text = br#"{"id":"1","type":"subscribe","payload":{"query":"{ double(n: 2) }"}}"#;
    let mut bytes = frame(TEXT, &text[..1]);
    for byte in &text[1..text.len() - 1] {
        bytes.extend(frame(FINAL | PING, b"?"));
        bytes.extend(frame(0, &[*byte]));
    }
    bytes.extend(frame(FINAL, &text[text.len() - 1..]));
    // The bytes come one by one, as from a slow network.
    for byte in bytes {
        raw(&mut socket, &[byte]).await;
    }
    assert_eq!(socket.next().await["payload"], json!({"data": {"double": 4}}));
}

#[tokio::test]
async fn compression_is_not_agreed_on() {
    let server = start().await;
    let offers = [
        ("sec-websocket-protocol", "graphql-transport-ws"),
        ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
    ];
    // The client would fail on an extension that it can't speak.
    let mut socket = Socket::open(server.address, &offers).await;
    socket.init(serde_json::Value::Null).await;
    socket.quiet().await;
}

#[tokio::test]
async fn sockets_that_were_cut_off_are_forgotten() {
    let server = start_with(|config| config.graphql.sockets_max = 2).await;
    for bytes in [frame(TEXT, b"{"), vec![FINAL | TEXT], frame(FINAL | TEXT, b"{\"type\":\"ping\"}")] {
        for half in [true, false] {
            let mut socket = server.socket().await;
            socket.subscribe("1", "subscription { silence }").await;
            raw(&mut socket, &bytes).await;
            if half {
                socket.0.get_mut().shutdown().await.unwrap();
                while socket.message().await.is_some() {}
            }
            drop(socket);
            until("the socket is forgotten", || server.edge.streams() == 0).await;
        }
    }
}
