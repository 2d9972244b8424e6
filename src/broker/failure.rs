//! The dead-letter queue: messages that could not be handled are moved to [`Topic::Failures`] with the reason and unchanged bytes.

use bytes::Bytes;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::envelope::{self, EnvelopeError};
use super::{Broker, BrokerError};
use crate::kernel::Timestamp;
use crate::model::messages::{Message, Topic};

/// Name of the message type in its envelope.
pub const FAILURE: &str = "failure";

/// Version of the failure message that this build writes.
pub const FAILURE_VERSION: u32 = 1;

/// A message that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Name of the topic it came from.
    pub topic: String,
    /// Its key.
    pub key: Bytes,
    /// Why it could not be handled.
    pub reason: String,
    /// When it was moved to the dead-letter queue.
    pub at: Timestamp,
    /// The message, byte by byte.
    pub payload: Bytes,
}

/// Bytes in the most readable form that gives exactly them back.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Readable {
    Json(Box<RawValue>),
    Text(String),
    Base64(String),
}

#[derive(Serialize, Deserialize)]
struct Written {
    topic: String,
    key: Readable,
    reason: String,
    at: Timestamp,
    payload: Readable,
}

impl Failure {
    /// As it stands on the topic, in its envelope.
    pub fn encode(&self) -> Result<Bytes, EnvelopeError> {
        let written = Written {
            topic: self.topic.clone(),
            key: Readable::text(&self.key),
            reason: self.reason.clone(),
            at: self.at,
            payload: Readable::json(&self.payload),
        };
        envelope::encode(FAILURE, FAILURE_VERSION, &written)
    }

    /// The reverse of [`Self::encode`].
    pub fn decode(payload: &[u8]) -> Result<Self, EnvelopeError> {
        let written: Written = envelope::decode(FAILURE, FAILURE_VERSION, payload)?;
        Ok(Self {
            topic: written.topic,
            key: written.key.bytes()?,
            reason: written.reason,
            at: written.at,
            payload: written.payload.bytes()?,
        })
    }
}

impl Failure {
    /// Key and payload in their most readable form, as JSON: `{"key": {"text": …}, "payload": {"json": …}}`.
    pub fn readable(&self) -> String {
        #[derive(Serialize)]
        struct Shown {
            key: Readable,
            payload: Readable,
        }
        let shown = Shown { key: Readable::shown(&self.key), payload: Readable::shown(&self.payload) };
        serde_json::to_string(&shown).unwrap_or_default()
    }
}

impl Readable {
    /// For people: what reads best, whatever it takes, without the space around it.
    fn shown(bytes: &Bytes) -> Self {
        match (serde_json::from_slice::<Box<RawValue>>(bytes), std::str::from_utf8(bytes)) {
            (Ok(raw), _) => Self::Json(raw),
            (_, Ok(text)) => Self::Text(text.to_owned()),
            _ => Self::Base64(BASE64.encode(bytes)),
        }
    }

    fn json(bytes: &Bytes) -> Self {
        match serde_json::from_slice::<Box<RawValue>>(bytes) {
            // White space around the value would be lost.
            Ok(raw) if raw.get().len() == bytes.len() => Self::Json(raw),
            _ => Self::text(bytes),
        }
    }

    fn text(bytes: &Bytes) -> Self {
        // Control characters take six bytes each in JSON; no message may grow by more than base64 does.
        let control = bytes.iter().filter(|byte| byte.is_ascii_control() || **byte == b'"' || **byte == b'\\').count();
        match std::str::from_utf8(bytes) {
            Ok(text) if control * 5 <= bytes.len() / 3 => Self::Text(text.to_owned()),
            _ => Self::Base64(BASE64.encode(bytes)),
        }
    }

    fn bytes(self) -> Result<Bytes, EnvelopeError> {
        match self {
            Self::Json(raw) => Ok(Bytes::from(String::from(Box::<str>::from(raw)))),
            Self::Text(text) => Ok(Bytes::from(text)),
            Self::Base64(text) => match BASE64.decode(text.as_bytes()) {
                Ok(bytes) => Ok(Bytes::from(bytes)),
                Err(error) => Err(EnvelopeError::Malformed(error.to_string())),
            },
        }
    }
}

/// Puts a message that can't be handled aside, durably. Acknowledge the original only after `Ok`.
pub async fn dead_letter(broker: &dyn Broker, failure: &Failure) -> Result<(), BrokerError> {
    let payload = failure.encode().map_err(|error| BrokerError::Refused(error.to_string()))?;
    tracing::error!(
        topic = failure.topic,
        reason = failure.reason,
        bytes = failure.payload.len(),
        "moved a message to the dead-letter queue"
    );
    let message = Message { key: failure.key.clone(), payload, deliver_at: None };
    broker.publish(Topic::Failures, vec![message]).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn failure(key: Vec<u8>, payload: Vec<u8>) -> Failure {
        Failure {
            topic: "order-requests".into(),
            key: key.into(),
            reason: "no such sale".into(),
            at: Timestamp::from_millis(1),
            payload: payload.into(),
        }
    }

    fn round_trip(failure: &Failure) -> Failure {
        Failure::decode(&failure.encode().unwrap()).unwrap()
    }

    #[test]
    fn json_stays_readable_and_verbatim() {
        // Order of keys, repeated keys, spaces inside and huge numbers would not survive a parsed form.
        let message = br#"{"b": 1, "a":123456789012345678901234567890, "b":2}"#;
        let dead_letter = failure(b"sale".to_vec(), message.to_vec());
        let text = String::from_utf8(dead_letter.encode().unwrap().to_vec()).unwrap();
        assert!(text.contains(std::str::from_utf8(message).unwrap()), "{text}");
        assert_eq!(round_trip(&dead_letter), dead_letter);
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(key: Vec<u8>, payload: Vec<u8>) {
            let dead_letter = failure(key, payload);
            prop_assert_eq!(round_trip(&dead_letter), dead_letter);
        }

        #[test]
        fn any_text_comes_back(text in "\\PC*|[ \n{}\\[\\]0-9\"]*") {
            let dead_letter = failure(vec![], text.into_bytes());
            prop_assert_eq!(round_trip(&dead_letter), dead_letter);
        }
    }
}
