//! Connections that misbehave, byte by byte.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use doorbuster::demo::server::Launch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::support::{PATIENCE, Server, start, start_with};
use doorbuster::config::Span;

async fn hasty() -> Server {
    start_with(|config| config.server.read_timeout = Span(Duration::from_millis(200))).await
}

/// Sends the bytes and answers all that comes back until the server hangs up.
async fn exchange(server: &Server, bytes: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("the server hangs up").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn slow_connections_are_hung_up() {
    let server = hasty().await;
    assert_eq!(exchange(&server, "").await, "", "silent");
    assert_eq!(exchange(&server, "PRI * HT").await, "", "half an HTTP/2 preface");
    exchange(&server, "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-ty").await;
    let body =
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n{\"query\"";
    let answer = exchange(&server, body).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn an_idle_connection_is_hung_up_after_its_request() {
    let server = hasty().await;
    let answer = exchange(&server, "GET /graphql?query=%7Brole%7D HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("{\"data\":{\"role\":null}}"), "{answer}");
}

#[tokio::test]
async fn old_and_pipelined_requests_are_answered() {
    let server = start().await;
    let answer = exchange(&server, "GET /graphql?query=%7Brole%7D HTTP/1.0\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    let one = "GET /graphql?query=%7Brole%7D HTTP/1.1\r\nhost: x\r\n\r\n";
    let last = "GET /graphql?query=%7Brole%7D HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let answer = exchange(&server, &format!("{one}{one}{last}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
}

#[tokio::test]
async fn a_chunked_body_is_limited_as_it_comes() {
    let server = start().await;
    let head =
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 50_000, " ".repeat(50_000));
    let answer = exchange(&server, &format!("{head}{chunk}{chunk}")).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "the rest is never read: {answer}");
}

#[tokio::test]
async fn connections_are_capped_and_come_free_again() {
    let server = start_with(|config| config.server.connections_max = 1).await;
    let socket = server.socket().await;
    let mut second = TcpStream::connect(server.address).await.unwrap();
    second.write_all(b"GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0];
    let early = timeout(Duration::from_millis(100), second.read(&mut byte)).await;
    assert!(early.is_err(), "a socket counts as a connection");
    drop(socket);
    timeout(PATIENCE, second.read(&mut byte)).await.expect("its turn has come").unwrap();
    assert_eq!(&byte, b"H");
}

#[tokio::test]
async fn shutdown_lets_requests_finish() {
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let body = "{\"query\":\"mutation{bumpLater}\"}";
    let head = format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}",
        body.len()
    );
    stream.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
    server.state.started.notified().await;
    server.shutdown.cancel();
    server.state.go_on.notify_one();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("an answer").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("{\"data\":{\"bumpLater\":1}}"), "{answer}");
    timeout(PATIENCE, server.serving).await.expect("the server stops").unwrap();
    timeout(PATIENCE, server.edge.closed()).await.expect("nothing is left");
    assert!(TcpStream::connect(server.address).await.is_err());
}

/// The server can't know that a request is on its way on a connection that is idle.
#[tokio::test]
async fn a_server_that_leaves_answers_requests_that_come_and_says_that_they_are_the_last() {
    let server = start_with(|config| config.server.linger = Span(PATIENCE * 2)).await;
    let ask = "GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(ask.as_bytes()).await.unwrap();
    let mut first = [0; 15];
    idle.read_exact(&mut first).await.unwrap();
    server.shutdown.cancel();
    let newcomer = TcpStream::connect(server.address).await.unwrap();
    for mut stream in [idle, newcomer] {
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("the server hangs up").unwrap();
        assert!(answer.contains("connection: close") && answer.ends_with("ok\n"), "{answer}");
    }
}

/// The kernel completes connections by itself. When a server stops accepting there may be many that it has not seen.
#[tokio::test]
async fn connections_that_wait_in_the_kernel_when_a_server_stops_accepting_are_answered() {
    // More than the runtime lets a task accept in one go, where the kernel keeps so many.
    let kept = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
    let waiting = kept.trim().parse::<usize>().unwrap().min(300);
    let server = start_with(|config| config.server.linger = Span(Duration::ZERO)).await;
    let ask = "GET /health/live HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    // So that the server waits for the next connection.
    assert!(exchange(&server, ask).await.ends_with("ok\n"));
    server.shutdown.cancel();
    tokio::task::yield_now().await;
    // This runtime has one thread, which is here: the server hears of the end of its time and of these connections at once.
    let over = Instant::now() + Duration::from_millis(20);
    let knock = |_| {
        let mut stream = std::net::TcpStream::connect(server.address).unwrap();
        stream.write_all(ask.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        TcpStream::from_std(stream).unwrap()
    };
    let waiting: Vec<_> = (0..waiting).map(knock).collect();
    while Instant::now() < over {
        std::hint::spin_loop();
    }
    for (number, mut stream) in waiting.into_iter().enumerate() {
        let mut answer = String::new();
        let read = timeout(PATIENCE, stream.read_to_string(&mut answer)).await.expect("the server hangs up");
        assert!(read.is_ok() && answer.starts_with("HTTP/1.1 200"), "number {number}: {read:?}, {answer}");
    }
    assert!(TcpStream::connect(server.address).await.is_err(), "it accepts no more");
    timeout(PATIENCE, server.serving).await.expect("the server stops").unwrap();
}

/// Who sends many requests at once has them answered one at a time, in turns with everybody else.
#[tokio::test]
async fn requests_in_a_pipeline_do_not_keep_others_waiting() {
    const EACH: usize = 12;
    let server = start().await;
    let mut streams = Vec::new();
    for who in 0..3 {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let one = format!("GET /graphql?query=%7Blook(who:{who})%7D HTTP/1.1\r\nhost: x\r\n");
        let last = format!("{one}connection: close\r\n\r\n");
        streams.push((stream, format!("{one}\r\n").repeat(EACH - 1) + &last));
    }
    for (stream, requests) in &mut streams {
        stream.write_all(requests.as_bytes()).await.unwrap();
    }
    for (mut stream, _) in streams {
        let mut answers = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answers)).await.expect("the server hangs up").unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200").count(), EACH, "{answers}");
    }
    let looked = server.state.looked.lock().unwrap().clone();
    let longest = looked.chunk_by(|one, next| one == next).map(<[i32]>::len).max();
    assert!(longest < Some(EACH / 2), "one was answered while others waited: {looked:?}");
}

/// Shells and service managers often allow 1024 files where nobody asks for more, and each connection is one.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_takes_as_many_files_as_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("doorbuster");
    let script = format!("#!/bin/sh\nulimit -S -n 100\nexec '{}' \"$@\"\n", env!("CARGO_BIN_EXE_doorbuster"));
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
    let server = Launch::new(&program, folder.path()).unwrap().start(Duration::from_secs(60)).await.unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let [soft, hard, _] = files.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{files}") };
    assert_eq!(soft, hard);
}
