//! A WebSocket that speaks `graphql-transport-ws`, one per shopper, with buffers of a kilobyte.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::client::{Fault, read};
use super::wire::TopError;

const READ_BUFFER: usize = 1024;

/// An open, acknowledged socket.
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

/// What the server sent.
#[derive(Debug)]
pub enum Event {
    /// A payload of the subscription with this number.
    Next(u32, Box<RawValue>),
    /// The subscription was refused or broke off.
    Error(u32, TopError),
    /// The subscription is over.
    Complete(u32),
}

#[derive(Serialize)]
struct Outgoing<'a, P> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    r#type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<P>,
}

#[derive(Deserialize)]
struct Incoming {
    #[serde(default = "Option::default")]
    id: Option<String>,
    r#type: String,
    #[serde(default = "Option::default")]
    payload: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Init {
    #[serde(rename = "Authorization")]
    authorization: String,
}

#[derive(Serialize)]
struct Operation<'a, V> {
    query: &'a str,
    variables: V,
}

impl Socket {
    /// Connects, shakes hands, signs in and waits for the acknowledgement, all within `timeout`.
    pub async fn open(address: SocketAddr, token: &str, timeout: Duration) -> Result<Self, Fault> {
        Self::open_at(address, "/graphql", token, timeout).await
    }

    /// The same at another path.
    pub async fn open_at(address: SocketAddr, path: &str, token: &str, timeout: Duration) -> Result<Self, Fault> {
        let opening = async {
            let mut socket = Self { stream: raw(address, path).await? };
            let payload = Some(Init { authorization: format!("Bearer {token}") });
            socket.send(&Outgoing { id: None, r#type: "connection_init", payload }).await?;
            let incoming = socket.receive().await?;
            if incoming.r#type == "connection_ack" { Ok(socket) } else { Err(Fault::Malformed(incoming.r#type)) }
        };
        tokio::time::timeout(timeout, opening).await.unwrap_or(Err(Fault::TimedOut))
    }

    /// Starts a subscription that is known by `number`.
    pub async fn subscribe_as(&mut self, number: u32, document: &str, variables: &impl Serialize) -> Result<(), Fault> {
        let payload = Some(Operation { query: document, variables });
        self.send(&Outgoing { id: Some(number.to_string()), r#type: "subscribe", payload }).await
    }

    /// Waits for the next event. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Result<Event, Fault> {
        loop {
            let incoming = self.receive().await?;
            let id = incoming.id.and_then(|id| id.parse().ok()).unwrap_or(0);
            match (incoming.r#type.as_str(), incoming.payload) {
                ("next", Some(payload)) => return Ok(Event::Next(id, payload)),
                ("error", Some(payload)) => return Ok(Event::Error(id, first_error(&payload))),
                ("complete", _) => return Ok(Event::Complete(id)),
                ("ping", _) => self.send(&Outgoing::<()> { id: None, r#type: "pong", payload: None }).await?,
                ("pong", _) => {}
                (other, _) => return Err(Fault::Malformed(other.to_owned())),
            }
        }
    }

    async fn send(&mut self, message: &impl Serialize) -> Result<(), Fault> {
        let text = serde_json::to_string(message).map_err(|error| Fault::Malformed(error.to_string()))?;
        self.stream.send(Message::text(text)).await.map_err(broken)
    }

    async fn receive(&mut self) -> Result<Incoming, Fault> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_err(|error| Fault::Malformed(format!("{error}: {text}")));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(Fault::Broken(frame.map_or_else(String::new, |frame| frame.to_string())));
                }
                // Pings are answered by the library.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(broken(error)),
                None => return Err(Fault::Broken("closed".into())),
            }
        }
    }
}

/// Connects and shakes hands, nothing else.
pub async fn raw(address: SocketAddr, path: &str) -> Result<WebSocketStream<TcpStream>, Fault> {
    let stream = TcpStream::connect(address).await.map_err(|error| Fault::Connect(error.to_string()))?;
    stream.set_nodelay(true).map_err(|error| Fault::Connect(error.to_string()))?;
    let mut request = format!("ws://{address}{path}").into_client_request().map_err(broken)?;
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("graphql-transport-ws"));
    let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
    let (stream, _) =
        tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await.map_err(broken)?;
    Ok(stream)
}

/// The root field of a payload.
pub fn payload<T: DeserializeOwned>(payload: &RawValue) -> Result<Option<T>, Fault> {
    read(payload.get().as_bytes())
}

fn first_error(payload: &RawValue) -> TopError {
    let errors: Vec<TopError> = serde_json::from_str(payload.get()).unwrap_or_default();
    errors.into_iter().next().unwrap_or_default()
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn broken(error: WsError) -> Fault {
    Fault::Broken(error.to_string())
}
