//! Minimal axum servers as baselines for benchmarks. They run no product code.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{any, get, post};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Bytes of a socket's read buffer.
const READ_BUFFER: usize = 1024;

#[derive(Deserialize)]
struct Body {
    query: String,
    variables: Variables,
}

#[derive(Deserialize)]
struct Variables {
    input: Input,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Input {
    sale_id: String,
    quantity: u32,
    idempotency_key: String,
}

#[derive(Serialize)]
struct Answer {
    data: Root,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Root {
    sale_purchase: Payload,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    ticket: Option<Ticket>,
    user_errors: [(); 0],
}

#[derive(Serialize)]
struct Ticket {
    id: String,
    status: &'static str,
}

/// Answers the body of a purchase with the body of a ticket, without doing anything in between.
async fn purchase(Json(body): Json<Body>) -> Json<Answer> {
    let Input { sale_id, quantity, idempotency_key } = body.variables.input;
    let ticket = Ticket { id: format!("ticket_{sale_id}{idempotency_key}"), status: "QUEUED" };
    let ticket = (quantity > 0 && !body.query.is_empty()).then_some(ticket);
    Json(Answer { data: Root { sale_purchase: Payload { ticket, user_errors: [] } } })
}

#[derive(Deserialize)]
struct Question {
    query: String,
}

#[derive(Serialize)]
struct Lists {
    data: Sales,
}

#[derive(Serialize)]
struct Sales {
    sales: Nodes,
}

#[derive(Serialize)]
struct Nodes {
    nodes: Vec<Sale>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Sale {
    id: String,
    status: &'static str,
    stock_remaining: usize,
    stock_total: usize,
    limit_per_buyer: usize,
    starts_at: &'static str,
    ends_at: &'static str,
    price: Money,
    product: Product,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Money {
    amount: String,
    currency_code: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    name: String,
    image_url: &'static str,
}

/// Answers with twenty sales that it makes up.
async fn list(Json(question): Json<Question>) -> Json<Lists> {
    let sale = |number: usize| Sale {
        id: format!("sale_{number:026}"),
        status: "OPEN",
        stock_remaining: number + question.query.len(),
        stock_total: 1000,
        limit_per_buyer: 1,
        starts_at: "2026-11-11T10:00:00.000Z",
        ends_at: "2026-11-11T12:00:00.000Z",
        price: Money { amount: format!("{number}.00"), currency_code: "CNY" },
        product: Product { name: format!("Lamp {number}"), image_url: "/pictures/lamp.svg" },
    };
    Json(Lists { data: Sales { sales: Nodes { nodes: (0..20).map(sale).collect() } } })
}

/// The newest payload, serialised once.
type Feed = Arc<watch::Sender<Utf8Bytes>>;

async fn feed(State(feed): State<Feed>, upgrade: WebSocketUpgrade) -> Response {
    let upgrade = upgrade.read_buffer_size(READ_BUFFER).write_buffer_size(0).protocols(["graphql-transport-ws"]);
    let mut news = feed.subscribe();
    upgrade.on_upgrade(async move |mut socket| {
        while news.changed().await.is_ok() {
            let payload = news.borrow_and_update().clone();
            if socket.send(Message::Text(payload)).await.is_err() {
                break;
            }
        }
    })
}

/// Tells all sockets of the feed.
async fn publish(State(feed): State<Feed>) {
    let payload = concat!(
        r#"{"id":"1","type":"next","payload":{"data":{"it":"#,
        r#"{"saleId":"sale_00000000000000000000000000","stockRemaining":100,"version":7}}}}"#
    );
    feed.send_replace(payload.to_owned().into());
}

async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade.read_buffer_size(READ_BUFFER).write_buffer_size(0).protocols(["graphql-transport-ws"]).on_upgrade(hold)
}

/// Acknowledges each text, and keeps the socket open until the client leaves.
async fn hold(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        if matches!(message, Message::Text(_))
            && socket.send(Message::text(r#"{"type":"connection_ack"}"#)).await.is_err()
        {
            break;
        }
    }
}

/// Serves `POST /graphql`, `POST /list`, sockets at `/socket`, and sockets at `/feed` that are told by `POST /feed`, until the
/// process ends.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let news: Feed = Arc::new(watch::Sender::new(Utf8Bytes::default()));
    let router = Router::new()
        .route("/feed", get(feed).post(publish))
        .with_state(news)
        .route("/graphql", post(purchase))
        .route("/list", post(list))
        .route("/socket", any(socket));
    axum::serve(listener, router).await
}
