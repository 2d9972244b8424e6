//! The outer form of every payload: one JSON object that begins with its version and type,
//! `{"v":1,"type":"order-requests",…}`, followed by the fields of the message.

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Why a payload can't be read. Each of them is a reason to dead-letter the message: it will not get better by itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// No JSON object with `v` and `type`, or its fields are not those of the type.
    #[error("malformed message: {0}")]
    Malformed(String),
    /// Another type than the topic carries.
    #[error("unknown message type {0:?}")]
    UnknownType(String),
    /// A version that this build can't read.
    #[error("unknown version {version} of message type {kind:?}")]
    UnknownVersion {
        /// The type.
        kind: String,
        /// The version found.
        version: u32,
    },
}

/// The metadata of an envelope.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Header {
    /// The version of the type's fields.
    #[serde(rename = "v")]
    pub version: u32,
    /// The message.
    #[serde(rename = "type")]
    pub kind: String,
}

#[derive(Serialize)]
struct Envelope<'a, T> {
    v: u32,
    r#type: &'a str,
    #[serde(flatten)]
    body: &'a T,
}

/// Writes `body`, a struct without fields `v` and `type`, into an envelope.
pub fn encode<T: Serialize>(kind: &str, version: u32, body: &T) -> Result<Bytes, EnvelopeError> {
    serde_json::to_vec(&Envelope { v: version, r#type: kind, body }).map(Bytes::from).map_err(malformed)
}

/// Reads version and type only, for topics that carry several.
pub fn header(payload: &[u8]) -> Result<Header, EnvelopeError> {
    serde_json::from_slice(payload).map_err(malformed)
}

/// Reads an envelope that must be of this type and version. Fields that `T` does not know are ignored, so that newer
/// writers may add some within a version.
pub fn decode<T: DeserializeOwned>(kind: &str, version: u32, payload: &[u8]) -> Result<T, EnvelopeError> {
    // Nearly all begin as this build writes them, and need not be gone through twice.
    if !payload.starts_with(format!(r#"{{"v":{version},"type":"{kind}","#).as_bytes()) {
        let found = header(payload)?;
        if found.kind != kind {
            return Err(EnvelopeError::UnknownType(found.kind));
        }
        if found.version != version {
            return Err(EnvelopeError::UnknownVersion { kind: found.kind, version: found.version });
        }
    }
    serde_json::from_slice(payload).map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> EnvelopeError {
    EnvelopeError::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Body {
        items: Vec<u32>,
    }

    #[test]
    fn round_trips_and_begins_with_its_header() {
        let bytes = encode("numbers", 1, &Body { items: vec![1, 2] }).unwrap();
        assert_eq!(bytes, r#"{"v":1,"type":"numbers","items":[1,2]}"#);
        assert_eq!(decode::<Body>("numbers", 1, &bytes), Ok(Body { items: vec![1, 2] }));
        assert_eq!(header(&bytes), Ok(Header { version: 1, kind: "numbers".into() }));
    }

    #[test]
    fn the_header_may_stand_anywhere_and_be_spaced_as_others_do() {
        for text in [r#"{"items":[1],"type":"numbers","v":1}"#, r#" { "v": 1, "type": "numbers", "items": [1] } "#] {
            assert_eq!(decode::<Body>("numbers", 1, text.as_bytes()), Ok(Body { items: vec![1] }), "{text}");
        }
        // A longer version or type is another one.
        for text in [r#"{"v":11,"type":"numbers","items":[]}"#, r#"{"v":1,"type":"numbers2","items":[]}"#] {
            assert!(decode::<Body>("numbers", 1, text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn newer_fields_are_ignored() {
        let newer = br#"{"v":1,"type":"numbers","items":[],"colour":"red"}"#;
        assert_eq!(decode::<Body>("numbers", 1, newer), Ok(Body { items: vec![] }));
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let decode = |text: &str| decode::<Body>("numbers", 1, text.as_bytes());
        assert_eq!(
            decode(r#"{"v":2,"type":"numbers","items":[]}"#),
            Err(EnvelopeError::UnknownVersion { kind: "numbers".into(), version: 2 })
        );
        assert_eq!(decode(r#"{"v":1,"type":"letters"}"#), Err(EnvelopeError::UnknownType("letters".into())));
        for garbage in
            ["", "null", "{}", "\u{0}", r#"{"v":1,"type":"numbers"}"#, r#"{"v":-1,"type":"numbers","items":[]}"#]
        {
            assert!(matches!(decode(garbage), Err(EnvelopeError::Malformed(_))), "{garbage}");
        }
    }
}
