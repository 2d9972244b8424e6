//! A light GraphQL client over HTTP/1.1: one kept-alive connection, small buffers, no pool. Thousands of them share a
//! process with their load, so each must cost little.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;

use super::wire::{Answer, TopError};

/// Bytes a connection buffers at most; answers to shoppers are far smaller.
const BUFFER_MAX: usize = 64 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// Nobody listens, or not for us. Nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The answer did not arrive in time. Whether the server acted is unknown.
    #[error("no response in time")]
    TimedOut,
    /// The connection broke. Whether the server acted is unknown.
    #[error("connection lost: {0}")]
    Broken(String),
    /// The answer is not what the schema says.
    #[error("unexpected answer: {0}")]
    Malformed(String),
    /// The answer is a top-level error.
    #[error("{}: {}", .0.extensions.code, .0.message)]
    Refused(TopError),
}

/// One client of the API.
pub struct Client {
    /// Where the nodes are; the one in use comes first.
    addresses: Vec<SocketAddr>,
    authorization: Option<HeaderValue>,
    timeout: Duration,
    connection: Option<http1::SendRequest<Full<Bytes>>>,
}

#[derive(Serialize)]
struct Body<'a, V> {
    query: &'a str,
    variables: V,
}

/// The body of a request.
pub fn body(document: &str, variables: &impl Serialize) -> Result<Bytes, Fault> {
    let body = Body { query: document, variables };
    serde_json::to_vec(&body).map(Bytes::from).map_err(|error| Fault::Malformed(error.to_string()))
}

impl Client {
    /// A client that is not signed in and has no connection yet. `timeout` is how long it waits for an answer.
    pub fn new(address: SocketAddr, timeout: Duration) -> Self {
        Self::among(vec![address], timeout)
    }

    /// A client that begins with the first of the nodes, and goes on to the next one when it can't connect.
    pub const fn among(addresses: Vec<SocketAddr>, timeout: Duration) -> Self {
        Self { addresses, authorization: None, timeout, connection: None }
    }

    /// The node in use.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Turns to the next node.
    pub fn turn_away(&mut self) {
        self.connection = None;
        self.addresses.rotate_left(1);
    }

    /// The same, signed in by an access token.
    #[must_use]
    pub fn with_token(mut self, token: &str) -> Self {
        self.authorization = HeaderValue::from_str(&format!("Bearer {token}")).ok();
        self
    }

    /// Changes how long it waits for an answer.
    pub const fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Closes the connection; the next call opens another.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Opens the connection if there is none, so that the next call needs not.
    pub async fn warm_up(&mut self) {
        if self.connection.as_ref().is_none_or(http1::SendRequest::is_closed) {
            self.connection = self.connect().await.ok();
        }
    }

    /// Sends a document and returns its root field. `None` when that is null without an error.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        document: &str,
        variables: &impl Serialize,
    ) -> Result<Option<T>, Fault> {
        let bytes = self.post("/graphql", body(document, variables)?).await?;
        read(&bytes)
    }

    /// Sends a body to a path and returns the answer's body, whatever its status.
    pub async fn post(&mut self, path: &'static str, body: Bytes) -> Result<Bytes, Fault> {
        let timeout = self.timeout;
        tokio::time::timeout(timeout, self.exchange(path, body)).await.unwrap_or(Err(Fault::TimedOut))
    }

    /// The connection is put back only after a whole exchange: one that was given up must not be used again.
    async fn exchange(&mut self, path: &'static str, body: Bytes) -> Result<Bytes, Fault> {
        let mut connection = match self.connection.take().filter(|open| !open.is_closed()) {
            Some(open) => open,
            None => self.connect().await?,
        };
        connection.ready().await.map_err(broken)?;
        let mut request = http::Request::post(path)
            .header(HOST, HeaderValue::from_static("localhost"))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(ACCEPT, HeaderValue::from_static("application/graphql-response+json, application/json;q=0.9"));
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).map_err(|error| Fault::Malformed(error.to_string()))?;
        let answer = connection.send_request(request).await.map_err(broken)?;
        let bytes = answer.into_body().collect().await.map_err(broken)?.to_bytes();
        self.connection = Some(connection);
        Ok(bytes)
    }

    async fn connect(&mut self) -> Result<http1::SendRequest<Full<Bytes>>, Fault> {
        let stream = match TcpStream::connect(self.address()).await {
            Ok(stream) => stream,
            Err(error) => {
                self.turn_away();
                return Err(Fault::Connect(error.to_string()));
            }
        };
        // Small requests that wait for an answer must not wait for Nagle.
        stream.set_nodelay(true).map_err(|error| Fault::Connect(error.to_string()))?;
        let (sender, connection) =
            http1::Builder::new().max_buf_size(BUFFER_MAX).handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

fn broken(error: hyper::Error) -> Fault {
    Fault::Broken(error.to_string())
}

/// Reads a GraphQL answer.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<T>, Fault> {
    let answer: Answer<T> = serde_json::from_slice(bytes).map_err(|error| {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        Fault::Malformed(format!("{error}: {start}"))
    })?;
    match (answer.data.and_then(|data| data.it), answer.errors.into_iter().next()) {
        (Some(it), _) => Ok(Some(it)),
        (None, Some(error)) => Err(Fault::Refused(error)),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        assert_eq!(read::<String>(br#"{"data":{"it":"x"}}"#).unwrap().as_deref(), Some("x"));
        assert_eq!(read::<String>(br#"{"data":{"it":null}}"#).unwrap(), None);
        let refused = br#"{"data":null,"errors":[{"message":"m","extensions":{"code":"UNAVAILABLE","n":1}}]}"#;
        assert!(
            matches!(read::<String>(refused), Err(Fault::Refused(error)) if error.extensions.code == "UNAVAILABLE")
        );
        assert!(matches!(read::<String>(b"<html>"), Err(Fault::Malformed(_))));
    }
}
