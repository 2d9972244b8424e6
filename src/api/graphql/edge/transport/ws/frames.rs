//! Messages of the protocol.

use std::borrow::Cow;

use axum::extract::ws::Utf8Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio_tungstenite::tungstenite::{self, error::ProtocolError};

use crate::kernel::Clock;

/// Room for what surrounds a payload.
pub const ROOM: usize = 1024;

/// Close codes: RFC 6455 section 7.4.1 and the protocol's own.
pub const NORMAL: u16 = 1000;
pub const GOING_AWAY: u16 = 1001;
pub const PROTOCOL_ERROR: u16 = 1002;
pub const INVALID_TEXT: u16 = 1007;
pub const TOO_BIG: u16 = 1009;
pub const TRY_AGAIN_LATER: u16 = 1013;
pub const BAD_MESSAGE: u16 = 4400;
pub const UNAUTHORIZED: u16 = 4401;
pub const FORBIDDEN: u16 = 4403;
pub const PROTOCOL_UNKNOWN: u16 = 4406;
pub const INIT_TIMEOUT: u16 = 4408;
pub const ID_IN_USE: u16 = 4409;
pub const TOO_MANY_INITS: u16 = 4429;

/// The longest reason that fits a close frame.
const REASON_MAX: usize = 123;

/// A message from the client.
#[derive(Debug)]
pub enum Incoming<'a> {
    Init(Option<&'a RawValue>),
    Ping(Option<&'a RawValue>),
    Pong,
    Subscribe { id: Cow<'a, str>, payload: &'a RawValue },
    Complete { id: Cow<'a, str> },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
}

impl<'a> Incoming<'a> {
    /// Reads a message; the error is the reason to close with.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        // A derived struct would also read an array.
        if !text.trim_start().starts_with('{') {
            return Err("Messages must be JSON objects".into());
        }
        let envelope: Envelope = serde_json::from_str(text).map_err(|error| format!("Invalid message: {error}"))?;
        let id = || envelope.id.clone().filter(|id| !id.is_empty()).ok_or("Invalid message: `id` is missing");
        Ok(match envelope.kind.as_ref() {
            "connection_init" => Self::Init(object(envelope.payload)?),
            "ping" => Self::Ping(object(envelope.payload)?),
            "pong" => Self::Pong,
            "subscribe" => Self::Subscribe {
                id: id()?,
                payload: object(envelope.payload)?.ok_or("Invalid message: `payload` is missing")?,
            },
            "complete" => Self::Complete { id: id()? },
            other => return Err(format!("Unknown message type \"{other}\"")),
        })
    }
}

/// Payloads are objects; `null` is none.
fn object(payload: Option<&RawValue>) -> Result<Option<&RawValue>, String> {
    match payload {
        Some(payload) if payload.get() == "null" => Ok(None),
        Some(payload) if !payload.get().starts_with('{') => Err("Invalid message: `payload` must be an object".into()),
        payload => Ok(payload),
    }
}

/// The token that a `connection_init` carries, as it would be in an `Authorization` header.
pub fn authorization(payload: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Init {
        #[serde(alias = "Authorization")]
        authorization: Option<String>,
    }
    // Other shapes of payload are the client's business.
    serde_json::from_str::<Init>(payload.get()).ok()?.authorization
}

/// `{"type":"connection_ack"}`
pub fn ack() -> Utf8Bytes {
    Utf8Bytes::from_static(r#"{"type":"connection_ack"}"#)
}

/// The answer to a ping: with the time if the ping asks for it by `{"time": true}`, else with its payload.
pub fn pong(payload: Option<&RawValue>, clock: &Clock) -> Utf8Bytes {
    match payload {
        None => Utf8Bytes::from_static(r#"{"type":"pong"}"#),
        Some(payload) if asks_for_time(payload) => {
            let now = clock.now().to_rfc3339();
            format!(r#"{{"type":"pong","payload":{{"time":true,"serverTime":"{now}"}}}}"#).into()
        }
        Some(payload) => format!(r#"{{"type":"pong","payload":{}}}"#, payload.get()).into(),
    }
}

/// Exactly `{"time": true}`: any other payload is the client's own and comes back as it is.
fn asks_for_time(payload: &RawValue) -> bool {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Question {
        time: bool,
    }
    serde_json::from_str::<Question>(payload.get()).is_ok_and(|question| question.time)
}

/// An ID as JSON, including the quotes: it identifies an operation in the frames.
pub fn quoted(id: &str) -> Box<str> {
    serde_json::Value::from(id).to_string().into()
}

/// A `next` or `error` message around a payload that is JSON already.
pub fn with_payload(kind: &str, quoted_id: &str, payload: &str) -> Utf8Bytes {
    ["{\"id\":", quoted_id, ",\"type\":\"", kind, "\",\"payload\":", payload, "}"].concat().into()
}

/// `{"id":…,"type":"complete"}`
pub fn complete(quoted_id: &str) -> Utf8Bytes {
    ["{\"id\":", quoted_id, ",\"type\":\"complete\"}"].concat().into()
}

/// The code and reason to close with after something came that is no message; `None` when nobody is there any more.
pub fn failure(error: axum::Error) -> Option<(u16, &'static str)> {
    match error.into_inner().downcast_ref()? {
        tungstenite::Error::Capacity(_) => Some((TOO_BIG, "Message too big")),
        tungstenite::Error::Utf8(_) => Some((INVALID_TEXT, "Messages must be UTF-8")),
        tungstenite::Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        tungstenite::Error::Protocol(_) => Some((PROTOCOL_ERROR, "Protocol error")),
        _ => None,
    }
}

/// Cuts a reason to what a close frame can carry, at a character's boundary.
pub fn reason(text: &str) -> Utf8Bytes {
    text[..text.floor_char_boundary(REASON_MAX)].into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{ManualClock, Timestamp};

    #[test]
    fn wrong_messages_have_a_reason() {
        for text in [
            "",
            "x",
            "[]",
            "{}",
            "{\"type\":1}",
            "{\"type\":\"x\"}",
            "{\"type\":\"subscribe\"}",
            "{\"type\":\"subscribe\",\"id\":\"1\"}",
            "{\"type\":\"subscribe\",\"id\":\"\",\"payload\":{}}",
            "{\"type\":\"subscribe\",\"id\":1,\"payload\":{}}",
            "{\"type\":\"subscribe\",\"id\":\"1\",\"payload\":[]}",
            "{\"type\":\"complete\"}",
            "{\"type\":\"ping\",\"payload\":7}",
            "[\"ping\"]",
        ] {
            assert!(Incoming::parse(text).is_err(), "{text}");
        }
        assert!(matches!(Incoming::parse(r#" {"type":"ping","payload":null,"x":1}"#), Ok(Incoming::Ping(None))));
        let escaped = r#"{"id":"a\"b","type":"complete"}"#;
        assert!(matches!(Incoming::parse(escaped), Ok(Incoming::Complete { id }) if id == "a\"b"));
    }

    #[test]
    fn reasons_fit_a_close_frame() {
        assert_eq!(reason("short").as_str(), "short");
        let long = reason(&"é".repeat(100));
        assert_eq!((long.len(), long.as_str()), (122, "é".repeat(61).as_str()));
    }

    #[test]
    fn a_ping_that_asks_for_the_time_gets_it_and_any_other_gets_its_payload() {
        let clock = ManualClock::at(Timestamp::from_millis(1_795_428_000_123)).clock();
        let answer = |payload: &str| {
            let payload: Box<RawValue> = serde_json::from_str(payload).unwrap();
            let frame: serde_json::Value = serde_json::from_str(pong(Some(&payload), &clock).as_str()).unwrap();
            frame["payload"].clone()
        };
        let told = serde_json::json!({ "time": true, "serverTime": clock.now().to_rfc3339() });
        assert_eq!(answer(r#"{"time":true}"#), told);
        assert_eq!(answer(r#" { "time" : true } "#), told);
        for own in [r#"{"time":false}"#, r#"{"time":true,"n":1}"#, r#"{"time":"true"}"#, r#"{"at":1}"#, "{}"] {
            assert_eq!(answer(own), serde_json::from_str::<serde_json::Value>(own).unwrap(), "{own}");
        }
    }

    #[test]
    fn frames_are_json() {
        for frame in [
            ack(),
            pong(None, &Clock::system()),
            complete(&quoted("a\"b")),
            with_payload("next", &quoted("é\n"), r#"{"data":null}"#),
        ] {
            let _: serde_json::Value = serde_json::from_str(frame.as_str()).unwrap();
        }
    }
}
