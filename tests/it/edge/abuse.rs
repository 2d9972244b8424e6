//! Requests as they should not be, byte by byte: the right status and code, nothing executed, and the next one answered.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use doorbuster::config::Span;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{PATIENCE, Server, start, start_with};

const NEW: &str = "accept: application/graphql-response+json\r\n";

/// Sends the bytes; what comes back until the server hangs up.
async fn exchange(server: &Server, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    // A server that has answered and hung up may reset what it did not read.
    let _reset = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server hangs up");
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{NEW}content-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn json(body: &[u8]) -> Vec<u8> {
    post("content-type: application/json\r\n", body)
}

fn status(answer: &str) -> u16 {
    answer.get(9..12).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no status: {answer:?}"))
}

/// Nothing was executed, and who comes next is served.
async fn unharmed(server: &Server) {
    assert_eq!(server.state.bumps.load(Ordering::SeqCst), 0);
    let answer = exchange(server, &json(br#"{"query":"{ double(n: 2) }"}"#)).await;
    assert!(answer.ends_with(r#"{"data":{"double":4}}"#), "{answer}");
}

#[tokio::test]
async fn bodies_that_are_no_json_in_utf8_are_refused() {
    let server = start().await;
    let utf16: Vec<u8> = "{\"query\":\"mutation{bump}\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let deep = |open: &str, close: &str| {
        let depth = 10_000;
        format!(
            "{{\"query\":\"mutation{{bump}}\",\"variables\":{{\"x\":{}1{}}}}}",
            open.repeat(depth),
            close.repeat(depth)
        )
    };
    for body in [
        &b"{\"query\":\"mutation{bump} #\xff\"}"[..],
        b"{\"query\":\"mutation{bump} #\xed\xa0\x80\"}",
        b"{\"query\":\"mutation{bump} #\xc0\xaf\"}",
        br#"{"query":"mutation{bump} #\ud800"}"#,
        b"\xef\xbb\xbf{\"query\":\"mutation{bump}\"}",
        &utf16,
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
        b"{\"query\":\"mutation{bump}\"}\0",
        b"{\"query\":\"mutation{bump}\n\"}",
        br#"{"query":"{role}","query":"mutation{bump}"}"#,
        br#"{"query":"mutation{bump}","variables":{},"variables":{"x":1}}"#,
        br#"{"query":"mutation{bump}","variables":{"x":1,"x":1}}"#,
        br#"{"query":"mutation{bump}","variables":{"x":{"a":1,"b":[{"c":1,"c":2}]}}}"#,
        br#"{'query':'mutation{bump}'}"#,
        br#"{"query":"mutation{bump}",}"#,
        br#"{"query":"mutation{bump}"} {"query":"mutation{bump}"}"#,
        br#"{"query":["mutation{bump}"]}"#,
        br#"{"query":"mutation{bump}","operationName":7}"#,
        br#"{"query":"mutation{bump}","variables":"{}"}"#,
        br#"{"query":"mutation{bump}","variables":{"x":NaN}}"#,
        br#"{"query":"mutation{bump}","variables":{"x":1e999}}"#,
        deep("[", "]").as_bytes(),
        deep("{\"a\":", "}").as_bytes(),
    ] {
        let answer = exchange(&server, &json(body)).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
        assert_eq!(status(&answer), 400, "{shown}: {answer}");
        assert!(answer.contains("BAD_USER_INPUT") && !answer.contains("\"data\""), "{shown}: {answer}");
    }
    unharmed(&server).await;
}

#[tokio::test]
async fn variables_of_wrong_types_and_unknown_operations_are_refused() {
    let server = start().await;
    let take = |of: &str, value: &str| {
        format!(r#"{{"query":"mutation($v:{of}!){{bump double:salePurchase(n:$v)}}","variables":{{"v":{value}}}}}"#)
    };
    let named = |name: &str| format!(r#"{{"query":"mutation A{{bump}}","operationName":"{name}"}}"#);
    let mut cases = Vec::new();
    for value in ["\"1\"", "1.5", "true", "[1,2]", "{}", "null", "1e10"] {
        cases.push((take("Int", value), "BAD_USER_INPUT"));
    }
    for name in ["B", "a", " A", "__proto__", "A\\u0000"] {
        cases.push((named(name), "OPERATION_RESOLUTION_FAILURE"));
    }
    cases.push((take("Nothing", "1"), "GRAPHQL_VALIDATION_FAILED"));
    for (body, code) in cases {
        let answer = exchange(&server, &json(body.as_bytes())).await;
        assert_eq!(status(&answer), 400, "{body}: {answer}");
        assert!(answer.contains(code) && !answer.contains("\"data\""), "{body}: {answer}");
    }
    for variable in ["$n:Int", "$n:String", "$n:[Int]", "$n:Int=null"] {
        let body = format!(r#"{{"query":"query({variable}){{double(n:$n)}}"}}"#);
        let answer = exchange(&server, &json(body.as_bytes())).await;
        assert!(answer.contains("GRAPHQL_VALIDATION_FAILED") && !answer.contains("\"data\""), "{body}: {answer}");
    }
    let null = r#"{"query":"query($n:Int=1){double(n:$n)}","variables":{"n":null}}"#;
    let answer = exchange(&server, &json(null.as_bytes())).await;
    assert!(answer.contains("BAD_USER_INPUT") && !answer.contains("\"double\":"), "{answer}");
    let answer =
        exchange(&server, &json(format!("{{\"query\":\"{{ {} }} }}\"}}", "double ".repeat(1000)).as_bytes())).await;
    assert!(answer.contains("GRAPHQL_PARSE_FAILED") && answer.len() < 1000, "an echo: {answer}");
    unharmed(&server).await;
}

#[tokio::test]
async fn types_charsets_and_codings_that_are_not_taken_are_415() {
    let server = start().await;
    let body = br#"{"query":"mutation{bump}"}"#;
    for headers in [
        "",
        "content-type:\r\n",
        "content-type: application/graphql\r\n",
        "content-type: application/jsonx\r\n",
        "content-type: text/json\r\n",
        "content-type: application/x-www-form-urlencoded\r\n",
        "content-type: multipart/form-data; boundary=x\r\n",
        "content-type: application/json; charset=utf-16\r\n",
        "content-type: application/json; charset=latin1\r\n",
        "content-type: application/json; charset=\"\"\r\n",
        "content-type: text/plain, application/json\r\n",
        // Bodies are taken as they are: there is nothing that a few compressed bytes could blow up.
        "content-type: application/json\r\ncontent-encoding: gzip\r\n",
        "content-type: application/json\r\ncontent-encoding: br\r\n",
        "content-type: application/json\r\ncontent-encoding: identity, zstd\r\n",
    ] {
        let answer = exchange(&server, &post(headers, body)).await;
        assert_eq!(status(&answer), 415, "{headers}: {answer}");
        assert!(answer.contains("BAD_USER_INPUT"), "{headers}: {answer}");
    }
    unharmed(&server).await;
    for headers in [
        "content-type: APPLICATION/JSON ; Charset=\"UTF-8\"\r\n",
        "content-type: application/json; profile=x\r\ncontent-encoding: identity\r\n",
    ] {
        assert_eq!(status(&exchange(&server, &post(headers, br#"{"query":"{role}"}"#)).await), 200, "{headers}");
    }
}

#[tokio::test]
async fn heads_that_are_wrong_are_refused_before_anything_runs() {
    let server = start().await;
    let body = r#"{"query":"mutation{bump}"}"#;
    let kind = "content-type: application/json\r\n";
    let head =
        |line: &str, headers: &str| format!("{line}\r\nhost: x\r\nconnection: close\r\n{kind}{headers}\r\n{body}");
    let long = "x".repeat(100_000);
    for (request, statuses) in [
        (head("POST /graphql HTTP/1.1", "content-length: -1\r\n"), &[400][..]),
        (head("POST /graphql HTTP/1.1", "content-length: 26\r\ncontent-length: 1\r\n"), &[400]),
        (head("POST /graphql HTTP/1.1", "content-length: 99999999999999999999\r\n"), &[400]),
        (head("POST /graphql HTTP/1.1", "content-length: 999999999\r\n"), &[413]),
        (head("POST /graphql HTTP/1.1", "transfer-encoding: gzip\r\n"), &[400]),
        (head("POST /graphql HTTP/1.1", "transfer-encoding: chunked\r\n"), &[400]),
        (head("POST /graphql HTTP/1.1", "transfer-encoding: gzip, chunked\r\n"), &[501]),
        (head("POST /graphql HTTP/1.1", "transfer-encoding: chunked, chunked\r\n"), &[501]),
        (head("GET /health/ready HTTP/1.1", "transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n"), &[501]),
        (head("POST /graphql HTTP/1.1", ""), &[400]),
        (head("POST /graphql HTTP/9.9", "content-length: 26\r\n"), &[400, 505]),
        (head("POST /graphql HTTP/1.1", "content-length: 26\r\ntransfer-encoding: chunked\r\n"), &[400]),
        (head("POST /graphql HTTP/1.1", "transfer-encoding: chunked\r\ncontent-length: 26\r\n"), &[400]),
        (head("GET /health/ready HTTP/1.1", "transfer-encoding: chunked\r\ncontent-length: 26\r\n"), &[400]),
        (head("POST /nowhere HTTP/1.1", "content-length: 26\r\nTransfer-Encoding: chunked\r\n"), &[400]),
        (head("POST /graphql HTTP/1.0", "transfer-encoding: chunked\r\n"), &[400]),
        (head("GET /graphql?query=%7Brole%7D HTTP/1.1", "host: x\r\n"), &[400]),
        (head("GET /graphql?query=%7Brole%7D HTTP/1.1", "host: y\r\n"), &[400]),
        ("GET /graphql?query=%7Brole%7D HTTP/1.1\r\n\r\n".into(), &[400]),
        ("GET /graphql?query=%7Brole%7D HTTP/1.1\r\nhost: a b\r\n\r\n".into(), &[400]),
        ("GET /health/live HTTP/1.1\r\n\r\n".into(), &[400]),
        ("GET /nowhere HTTP/1.1\r\n\r\n".into(), &[400]),
        (head("BREW /graphql HTTP/1.1", "content-length: 26\r\n"), &[405]),
        (head("TRACE /graphql HTTP/1.1", ""), &[405]),
        (head("POST /graphql HTTP/1.1", "bad header: x\r\n"), &[400]),
        (head("POST /graphql HTTP/1.1", &format!("x-long: {long}\r\n")), &[431]),
        (head("POST /graphql HTTP/1.1", &"x: y\r\n".repeat(1000)), &[431]),
        (head(&format!("GET /graphql?query={long} HTTP/1.1"), ""), &[414, 431]),
        // A document that is not one; clients of the older media type get 200.
        (head("GET /graphql?query=%ff%fe HTTP/1.1", ""), &[200]),
        (head("GET /graphql?query=mutation%7Bbump%7D HTTP/1.1", ""), &[405]),
        (head("GET /graphql?query=%7Brole%7D&query=mutation%7Bbump%7D HTTP/1.1", ""), &[400]),
        ("\0\0\0\0\r\n\r\n".into(), &[400]),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}\r\n\r\n".into(), &[400]),
    ] {
        let answer = exchange(&server, request.as_bytes()).await;
        let shown = &request[..request.floor_char_boundary(160)];
        assert!(statuses.contains(&status(&answer)), "{shown}: {answer}");
    }
    unharmed(&server).await;
}

#[tokio::test]
async fn old_versions_expectations_and_pipelines_work() {
    let server = start().await;
    let body = r#"{"query":"{ double(n: 2) }"}"#;
    let rest = format!("content-type: application/json\r\ncontent-length: {}\r\n", body.len());
    let old = exchange(&server, format!("POST /graphql HTTP/1.0\r\n{rest}\r\n{body}").as_bytes()).await;
    assert!(old.starts_with("HTTP/1.0 200") && old.ends_with(r#"{"data":{"double":4}}"#), "{old}");
    let expecting =
        format!("POST /graphql HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n{rest}\r\n{body}");
    let answer = exchange(&server, expecting.as_bytes()).await;
    assert!(answer.contains("HTTP/1.1 200"), "{answer}");
    // Chunks are fine, as the last request of a connection.
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n";
    let chunks = format!("{head}\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let answer = exchange(&server, chunks.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\r\nconnection: close\r\n"), "{answer}");
    // What is wrong in the middle of a pipeline is answered in its place.
    let good = format!("POST /graphql HTTP/1.1\r\nhost: x\r\n{rest}\r\n{body}");
    let bad = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{";
    let last = good.replace("host: x", "host: x\r\nconnection: close");
    let answer = exchange(&server, format!("{good}{bad}{good}{last}").as_bytes()).await;
    let statuses: Vec<&str> = answer.matches("HTTP/1.1 200").chain(answer.matches("HTTP/1.1 400")).collect();
    assert_eq!(statuses.len(), 4, "{answer}");
    let places: Vec<_> = answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
    assert_eq!(places, ["200", "400", "200", "200"]);
}

#[tokio::test]
async fn half_closed_connections_are_answered_or_let_go() {
    let server = start_with(|config| config.server.connections_max = 3).await;
    // More of each than there are places: none is kept.
    for _ in 0..4 {
        for (bytes, answered) in [
            (&b"GET /graphql?query=%7Brole%7D HTTP/1.1\r\nhost: x\r\n\r\n"[..], true),
            (b"", false),
            (b"POST /graphql HT", false),
            (
                b"POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
                false,
            ),
        ] {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.shutdown().await.unwrap();
            let mut answer = String::new();
            timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("the server hangs up").unwrap();
            assert_eq!(answer.starts_with("HTTP/1.1 200"), answered, "{answer}");
        }
    }
    unharmed(&server).await;
}

#[tokio::test]
async fn who_asks_and_never_reads_is_hung_up_on() {
    let server = start_with(|config| {
        config.server.connections_max = 1;
        config.server.write_timeout = Span(Duration::from_millis(300));
    })
    .await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    // More than the network's buffers take.
    let ask = "GET /graphql?query=%7Bbig(bytes:1000000)%7D HTTP/1.1\r\nhost: x\r\n\r\n";
    deaf.write_all(ask.repeat(40).as_bytes()).await.unwrap();
    let mut first = [0; 12];
    deaf.read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    unharmed(&server).await;
}

/// HTTP/2's flow control lets a client leave answers in the server's memory without ever being slow to read.
#[tokio::test]
async fn who_leaves_answers_lying_is_hung_up_on() {
    let server = start_with(|config| {
        config.server.connections_max = 1;
        config.server.read_timeout = Span(Duration::from_millis(300));
        config.server.write_timeout = Span(Duration::from_millis(300));
    })
    .await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut http = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    let (mut client, connection) =
        http.initial_stream_window_size(20_000).handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
    // It answers the server's pings for as long as it is polled.
    let connection = tokio::spawn(connection);
    let mut answers = Vec::new();
    for _ in 0..3 {
        let ask = http::Request::get("http://x/graphql?query=%7Bbig(bytes:100000)%7D").body(Full::default()).unwrap();
        answers.push(client.send_request(ask).await.unwrap());
    }
    assert!(answers.iter().all(|answer| answer.status() == 200));
    unharmed(&server).await;
    // An error or none: it has ended.
    let _ = timeout(PATIENCE, connection).await.expect("the connection ends").unwrap();
}

#[tokio::test]
async fn a_body_in_drops_is_given_up() {
    let server = start_with(|config| config.server.read_timeout = Span(Duration::from_millis(300))).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reading, mut writing) = stream.into_split();
    // Each drop comes well within the time for a body, all of them never do.
    let drops = tokio::spawn(async move {
        let mut every = tokio::time::interval(Duration::from_millis(20));
        while writing.write_all(b" ").await.is_ok() {
            every.tick().await;
        }
    });
    let mut answer = Vec::new();
    let _reset = timeout(PATIENCE, reading.read_to_end(&mut answer)).await.expect("the server hangs up");
    assert_eq!(status(&String::from_utf8_lossy(&answer)), 408);
    drops.await.unwrap();
    unharmed(&server).await;
}
