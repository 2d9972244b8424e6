//! Login events: sign-in and sign-up attempts, published without delaying the request.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::batcher::Batcher;
use super::metrics::Metrics;
use crate::broker::envelope::{self, EnvelopeError};
use crate::broker::{Broker, BrokerError};
use crate::config;
use crate::model::accounts::LoginEvent;
use crate::model::messages::{Message, Topic};

/// The type of [`LoginEvent`] in its envelope.
pub const LOGIN_EVENT: &str = "login-event";
/// The version of [`LoginEvent`] that this program writes.
pub const LOGIN_EVENT_VERSION: u32 = 1;
/// Times that a batch of events is offered to the broker.
const TRIES: u32 = 6;
/// The pause after the first refusal; it doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Name of the message type in its envelope.
pub const SESSION_CHANGE: &str = "session-change";

/// Version of [`SessionChange`] that this build writes.
pub const SESSION_CHANGE_VERSION: u32 = 1;

/// Access tokens that ended before their time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionChange {
    /// SHA-256 of the random bytes of each, as stored, in base64url. Nobody can sign in with it.
    pub ended: Vec<String>,
}

impl LoginEvent {
    /// Reads a message.
    pub fn from_message(payload: &[u8]) -> Result<Self, EnvelopeError> {
        envelope::decode(LOGIN_EVENT, LOGIN_EVENT_VERSION, payload)
    }

    fn to_message(&self) -> Result<Message, EnvelopeError> {
        let key = self.event_id.to_string().into_bytes().into();
        Ok(Message { key, payload: envelope::encode(LOGIN_EVENT, LOGIN_EVENT_VERSION, self)?, deliver_at: None })
    }
}

/// Takes events and brings them to the broker in the background.
pub struct LoginLog {
    queue: Batcher<LoginEvent>,
    metrics: Metrics,
}

impl LoginLog {
    /// Starts the task that publishes.
    pub fn new(broker: Arc<dyn Broker>, config: &config::Accounts, metrics: Metrics) -> Self {
        let counters = metrics.clone();
        let queue = Batcher::start("login-events", config.background_queue, move |events| {
            publish(broker.clone(), events, counters.clone())
        });
        Self { queue, metrics }
    }

    /// Takes an event. When too many wait already, it is counted as lost.
    pub fn record(&self, event: LoginEvent) {
        let outcome = event.outcome.as_str();
        if !self.queue.offer(event) {
            self.metrics.login_events_lost.inc();
            tracing::warn!(outcome, "login event dropped: the broker queue is full");
        }
    }

    /// Waits until the events so far are with the broker, or given up.
    pub async fn flush(&self) {
        self.queue.flush().await;
    }
}

async fn publish(broker: Arc<dyn Broker>, events: Vec<LoginEvent>, metrics: Metrics) {
    // A `LoginEvent` always has a JSON form; one that had none would be missing in the count below.
    let messages: Vec<Message> = events.iter().filter_map(|event| event.to_message().ok()).collect();
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=TRIES {
        let Err(error) = broker.publish(Topic::LoginEvents, messages.clone()).await else { return };
        if attempt == TRIES || matches!(error, BrokerError::Closed) {
            metrics.login_events_lost.inc_by(events.len() as u64);
            tracing::error!(%error, events = events.len(), "login events dropped: the broker rejected them");
            return;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::model::accounts::LoginOutcome;

    #[test]
    fn the_sample_of_version_1_is_read_back() {
        let sample = include_bytes!("../../schema/messages/login-event.v1.json");
        let event = LoginEvent::from_message(sample).unwrap();
        assert_eq!(event.username, "alice");
        assert_eq!(event.outcome, LoginOutcome::SignedIn);
        assert_eq!(event.address, IpAddr::from([192, 0, 2, 7]));
        let written: serde_json::Value = serde_json::from_slice(&event.to_message().unwrap().payload).unwrap();
        assert_eq!(written, serde_json::from_slice::<serde_json::Value>(sample).unwrap());
    }

    #[test]
    fn what_is_not_a_known_message_is_refused() {
        let sample = include_str!("../../schema/messages/login-event.v1.json");
        let newer = sample.replace("\"v\": 1", "\"v\": 2");
        let refused = EnvelopeError::UnknownVersion { kind: LOGIN_EVENT.into(), version: 2 };
        assert_eq!(LoginEvent::from_message(newer.as_bytes()), Err(refused));
        assert!(LoginEvent::from_message(b"{}").is_err());
        assert!(LoginEvent::from_message(b"\xff").is_err());
    }

    #[test]
    fn outcomes_are_spelled_alike_everywhere() {
        use LoginOutcome::*;
        for outcome in [
            SignedUp,
            SignUpRefused,
            SignedIn,
            InvalidCredentials,
            SecondFactorRequired,
            SecondFactorInvalid,
            PasswordChanged,
            SignedOutEverywhere,
            Unavailable,
        ] {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }
}
