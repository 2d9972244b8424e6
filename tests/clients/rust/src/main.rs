//! The crate `graphql-ws-client` as a client of ours: everything over one WebSocket. See `../../clients/process.mjs`.

use std::convert::Infallible;
use std::env;
use std::error::Error;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use graphql_ws_client::graphql::GraphqlOperation;
use graphql_ws_client::{Client, Connection, Message, Subscription};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const SALE: &str = "query Sale($id: ID!) { sale(id: $id) { id status } }";
const PURCHASE: &str = "mutation Purchase($input: SalePurchaseInput!) {
  salePurchase(input: $input) { ticket { id } userErrors { code message } } }";
const TICKET: &str = "subscription Ticket($id: ID!) {
  purchaseTicketUpdated(id: $id) { status order { id status } refusal { code } } }";
const ORDER: &str = "subscription Order($id: ID!) { orderUpdated(id: $id) { status version } }";
const CANCEL: &str = "mutation Cancel($input: OrderCancelInput!) {
  orderCancel(input: $input) { order { status } userErrors { code message } } }";

/// How long to wait before connecting again.
const RETRY: Duration = Duration::from_millis(100);

/// The crate speaks through any socket that it is shown how to use.
struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Connection for Socket {
    async fn receive(&mut self) -> Option<Message> {
        loop {
            return match self.0.next().await?.ok()? {
                Frame::Text(text) => Some(Message::Text(text.to_string())),
                Frame::Ping(_) => Some(Message::Ping),
                Frame::Pong(_) => Some(Message::Pong),
                Frame::Close(_) => Some(Message::Close { code: None, reason: None }),
                Frame::Binary(_) | Frame::Frame(_) => continue,
            };
        }
    }

    async fn send(&mut self, message: Message) -> std::result::Result<(), graphql_ws_client::Error> {
        let frame = match message {
            Message::Text(text) => Frame::text(text),
            Message::Ping => Frame::Ping(Bytes::new()),
            Message::Pong => Frame::Pong(Bytes::new()),
            Message::Close { .. } => Frame::Close(None),
        };
        self.0.send(frame).await.map_err(|error| graphql_ws_client::Error::Send(error.to_string()))
    }
}

#[derive(Serialize)]
struct Operation {
    query: &'static str,
    variables: Value,
}

impl GraphqlOperation for Operation {
    type Response = Value;
    type Error = Infallible;

    fn decode(&self, data: Value) -> std::result::Result<Value, Infallible> {
        Ok(data)
    }
}

async fn begin(query: &'static str, variables: Value) -> Result<Subscription<Operation>> {
    let mut request = env::var("WS_URL")?.into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse()?);
    let (socket, _) = connect_async(request).await?;
    let payload = json!({ "authorization": format!("Bearer {}", env::var("TOKEN")?) });
    let client = Client::build(Socket(socket)).payload(payload)?;
    Ok(client.subscribe(Operation { query, variables }).await?)
}

/// The answer's data.
async fn request(query: &'static str, variables: Value) -> Result<Value> {
    let mut answers = begin(query, variables).await?;
    let answer = answers.next().await.ok_or("no answer")??;
    if answer.get("errors").is_some() { Err(answer.to_string().into()) } else { Ok(answer["data"].clone()) }
}

fn must(holds: bool, seen: &Value) -> Result<()> {
    if holds { Ok(()) } else { Err(seen.to_string().into()) }
}

fn say(step: &str, taken: Option<Duration>) {
    match taken {
        None => println!("{}", json!({ "step": step })),
        Some(taken) => println!("{}", json!({ "step": step, "milliseconds": taken.as_millis() as u64 })),
    }
}

/// The next picture of the order; begins again, as often as it takes, when the connection broke.
async fn picture(order: &Value, live: &mut Option<Subscription<Operation>>) -> Result<Value> {
    loop {
        if let Some(pictures) = live
            && let Some(Ok(next)) = pictures.next().await
        {
            return Ok(next["data"]["orderUpdated"].clone());
        }
        *live = begin(ORDER, json!({ "id": order })).await.ok();
        if live.is_none() {
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// The order's first picture, the same from the server that came back, then the change.
async fn come_back(order: &Value) -> Result<()> {
    let mut live = None;
    let first = picture(order, &mut live).await?;
    let killed = Instant::now();
    say("armed", None);
    BufReader::new(tokio::io::stdin()).read_line(&mut String::new()).await?;
    let again = picture(order, &mut live).await?;
    must(first == again, &again)?;
    let taken = killed.elapsed();
    let cancelled = request(CANCEL, json!({ "input": { "orderId": order } })).await?;
    must(cancelled["orderCancel"]["order"]["status"] == "CANCELLED", &cancelled)?;
    let last = picture(order, &mut live).await?;
    must(last["status"] == "CANCELLED", &last)?;
    let mut rest = live.ok_or("no stream")?;
    must(rest.next().await.is_none(), &last)?;
    say("restart", Some(taken));
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let sale = env::var("SALE")?;
    let found = request(SALE, json!({ "id": sale })).await?;
    must(found["sale"]["status"] == "OPEN", &found)?;
    say("query", None);

    let input = json!({ "saleId": sale, "idempotencyKey": env::var("KEY")? });
    let bought = request(PURCHASE, json!({ "input": input })).await?;
    let ticket = &bought["salePurchase"]["ticket"]["id"];
    must(ticket.is_string(), &bought)?;
    say("purchase", None);

    let mut tickets = begin(TICKET, json!({ "id": ticket })).await?;
    let mut last = Value::Null;
    while let Some(next) = tickets.next().await {
        last = next?["data"]["purchaseTicketUpdated"].clone();
    }
    must(last["status"] == "CONFIRMED", &last)?;
    say("watch", None);

    come_back(&last["order"]["id"]).await
}
