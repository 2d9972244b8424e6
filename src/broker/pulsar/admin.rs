//! The brokers' admin API (`/admin/v2`, JSON over HTTP): topics, subscriptions, policies and backlogs.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::header::LOCATION;
use reqwest::{Method, Response, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::clients;
use super::names::Place;
use super::position;
use super::token::Token;
use crate::broker::BrokerError;
use crate::config;

/// How often a request may be sent on.
const HOPS: usize = 8;

/// Speaks to whichever broker answers behind `broker.admin_url`.
pub(super) struct Admin {
    http: reqwest::Client,
    base: Url,
    token: Token,
}

/// Where a new subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    Earliest,
    Latest,
}

/// The storage statistics of a topic.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Internal {
    entries_added_counter: i64,
    number_of_entries: u64,
    last_confirmed_entry: String,
    pub(super) cursors: HashMap<String, Cursor>,
}

/// How far a subscription has come.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cursor {
    mark_delete_position: String,
    messages_consumed_counter: i64,
}

impl Internal {
    /// Whether nothing is kept.
    pub(super) const fn is_empty(&self) -> bool {
        self.number_of_entries == 0
    }

    /// The last message, or the place in front of the first one.
    pub(super) fn end(&self) -> Result<u64, BrokerError> {
        position::parse(&self.last_confirmed_entry)
    }

    /// Messages that wait for the subscription; for one that does not exist yet all that are kept.
    pub(super) fn backlog(&self, subscription: &str) -> u64 {
        let Some(cursor) = self.cursors.get(subscription) else { return self.number_of_entries };
        u64::try_from(self.entries_added_counter - cursor.messages_consumed_counter).unwrap_or(0)
    }

    /// The last position that the subscription acknowledged with all before it. The broker reads these numbers one after the
    /// other while messages come: when nothing waits, that is true of every message that was there before it was asked.
    pub(super) fn acked_through(&self, subscription: &str) -> Result<u64, BrokerError> {
        match self.cursors.get(subscription) {
            None => Ok(0),
            Some(_) if self.backlog(subscription) == 0 => self.end(),
            Some(cursor) => position::parse(&cursor.mark_delete_position),
        }
    }
}

/// The dispatcher statistics of a subscription.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Dispatch {
    /// Messages to deliver now, those on loan included.
    #[serde(default)]
    pub(super) msg_backlog_no_delayed: i64,
    /// Messages on loan (Shared).
    #[serde(default)]
    pub(super) unacked_messages: i64,
    /// The active consumer (Failover, Exclusive).
    #[serde(default)]
    pub(super) active_consumer_name: Option<String>,
}

/// Whether `broker.url` can be read, which the client finds out only when it connects.
pub(super) fn check_service(config: &config::Broker) -> Result<(), BrokerError> {
    let refused = |why: String| BrokerError::Refused(format!("broker.url {:?}: {why}", config.url.redacted()));
    let url: Url = config.url.expose().parse().map_err(|error| refused(format!("{error}")))?;
    if url.host_str().is_none_or(str::is_empty) { Err(refused("it has no host".to_owned())) } else { Ok(()) }
}

fn unavailable(error: &reqwest::Error) -> BrokerError {
    BrokerError::Unavailable(format!("admin API: {error}"))
}

/// What the broker says of a refused request. Neither a tenant nor a token gets better by trying again.
async fn refusal(path: &[&str], response: Response) -> BrokerError {
    let status = response.status();
    let body: Option<Value> = response.json().await.ok();
    let reason = body.as_ref().and_then(|body| body["reason"].as_str()).unwrap_or_default();
    let text = format!("admin API: {}: {status} {reason}", path.join("/"));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => BrokerError::Refused(text),
        _ => BrokerError::Unavailable(text),
    }
}

impl Admin {
    /// Nothing is sent yet.
    pub(super) fn new(config: &config::Broker) -> Result<Self, BrokerError> {
        let mut http = reqwest::Client::builder()
            .timeout(*config.operation_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        if let Some(roots) = clients::roots(config)? {
            let refused = |error: reqwest::Error| BrokerError::Refused(format!("broker.tls_roots: {error}"));
            http = http.tls_built_in_root_certs(false);
            for root in reqwest::Certificate::from_pem_bundle(&roots).map_err(refused)? {
                http = http.add_root_certificate(root);
            }
        }
        let http = http.build();
        let base: Url = config.admin_url.expose().parse().map_err(|error| {
            BrokerError::Refused(format!("broker.admin_url {:?}: {error}", config.admin_url.redacted()))
        })?;
        if base.cannot_be_a_base() {
            return Err(BrokerError::Refused("broker.admin_url has no host".into()));
        }
        Ok(Self { http: http.map_err(|error| unavailable(&error))?, base, token: Token::of(config) })
    }

    /// A broker sends those on who ask for a topic of another one; the token must come along.
    async fn call(&self, method: Method, path: &[&str], body: Option<&Value>) -> Result<Response, BrokerError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["admin", "v2"]).extend(path);
        }
        let token = self.token.read()?;
        for _ in 0..HOPS {
            let mut request = self.http.request(method.clone(), url.clone());
            if let Some(token) = &token {
                request = request.bearer_auth(token);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            let response = request.send().await.map_err(|error| unavailable(&error.without_url()))?;
            let elsewhere = response.headers().get(LOCATION).filter(|_| response.status().is_redirection());
            match elsewhere.and_then(|location| location.to_str().ok()?.parse().ok()) {
                Some(location) => url = location,
                None => return Ok(response),
            }
        }
        Err(BrokerError::Unavailable("the admin API redirects too many times".into()))
    }

    /// Creates something; `false` when it exists already.
    pub(super) async fn create(&self, path: &[&str], body: &Value) -> Result<bool, BrokerError> {
        let response = self.call(Method::PUT, path, Some(body)).await?;
        match response.status() {
            status if status.is_success() => Ok(true),
            StatusCode::CONFLICT => Ok(false),
            _ => Err(refusal(path, response).await),
        }
    }

    /// Sets or does something.
    pub(super) async fn post(&self, path: &[&str], body: &Value) -> Result<(), BrokerError> {
        let response = self.call(Method::POST, path, Some(body)).await?;
        if response.status().is_success() { Ok(()) } else { Err(refusal(path, response).await) }
    }

    async fn get(&self, path: &[&str]) -> Result<Option<Response>, BrokerError> {
        let response = self.call(Method::GET, path, None).await?;
        match response.status() {
            status if status.is_success() => Ok(Some(response)),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(refusal(path, response).await),
        }
    }

    /// Reads something; `None` when there is no such thing.
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, BrokerError> {
        match self.get(path).await? {
            Some(response) => response.json().await.map(Some).map_err(|error| unavailable(&error)),
            None => Ok(None),
        }
    }

    /// Creates a durable subscription; `false` when it exists already.
    pub(super) async fn subscribe(&self, place: &Place, name: &str, begin: Begin) -> Result<bool, BrokerError> {
        let at = match begin {
            Begin::Earliest => -1,
            Begin::Latest => i64::MAX,
        };
        let path = [&place.path()[..], &["subscription", name]].concat();
        self.create(&path, &json!({ "ledgerId": at, "entryId": at, "partitionIndex": -1 })).await
    }

    /// Removes a subscription unless somebody is attached to it; `false` when somebody is.
    pub(super) async fn unsubscribe(&self, place: &Place, name: &str) -> Result<bool, BrokerError> {
        let path = [&place.path()[..], &["subscription", name]].concat();
        let response = self.call(Method::DELETE, &path, None).await?;
        match response.status() {
            status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(true),
            StatusCode::PRECONDITION_FAILED => Ok(false),
            _ => Err(refusal(&path, response).await),
        }
    }

    /// The storage of an unpartitioned topic or of one partition.
    pub(super) async fn internal(&self, place: &Place) -> Result<Internal, BrokerError> {
        let path = [&place.path()[..], &["internalStats"]].concat();
        let missing = || BrokerError::Unavailable(format!("no topic {}", place.url()));
        self.read(&path).await?.ok_or_else(missing)
    }

    /// The dispatcher of a subscription; `None` when there is no such subscription.
    pub(super) async fn dispatch(&self, place: &Place, name: &str) -> Result<Option<Dispatch>, BrokerError> {
        #[derive(Deserialize)]
        struct Stats {
            subscriptions: HashMap<String, Dispatch>,
        }
        let path = [&place.path()[..], &["stats"]].concat();
        Ok(self.read::<Stats>(&path).await?.and_then(|mut stats| stats.subscriptions.remove(name)))
    }

    /// The `number`th message, from 1, that the subscription has not acknowledged: its position and payload.
    pub(super) async fn peek(&self, place: &Place, name: &str, number: u64) -> Result<Option<Peeked>, BrokerError> {
        let number = number.to_string();
        let path = [&place.path()[..], &["subscription", name, "position", &number]].concat();
        let Some(response) = self.get(&path).await? else { return Ok(None) };
        let id = response.headers().get("X-Pulsar-Message-ID").and_then(|id| id.to_str().ok()).unwrap_or_default();
        let position = position::parse(id)?;
        let payload = response.bytes().await.map_err(|error| unavailable(&error))?;
        Ok(Some(Peeked { position, payload }))
    }
}

/// A message that was looked at, not received.
pub(super) struct Peeked {
    pub(super) position: u64,
    pub(super) payload: bytes::Bytes,
}

/// Whole minutes, rounded up, as policies count them.
pub(super) fn minutes(time: Duration) -> u64 {
    time.as_secs().div_ceil(60)
}
