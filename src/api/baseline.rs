//! What the benchmarks compare with: the least that an axum server can do. Nothing of the product runs here.

use axum::Json;
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::{any, post};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

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

/// Serves `POST /graphql` and sockets at `/socket` until the process ends.
pub async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let router = Router::new().route("/graphql", post(purchase)).route("/socket", any(socket));
    axum::serve(listener, router).await
}
