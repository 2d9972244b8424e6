//! Answers of the gateway: `{"<method>_response":{…},"sign":"…"}`, where the raw text of the inner object is what was signed.
//!
//! The inner object is never written again for verifying: the order of its fields, its spaces and its escapes are part of what
//! was signed. And it is read from the very text that was verified.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::keys::VerifyingKey;

/// The key under which the gateway itself refuses.
const ERROR_KEY: &str = "error_response";

/// Why an answer says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not a JSON object in UTF-8: an HTML page, an empty body.
    #[error("the response is not a JSON object")]
    NotJson,
    /// The same key twice at the top.
    #[error("the response contains a key twice")]
    Duplicate,
    /// Neither the method's key nor the error's.
    #[error("the response does not belong to this method")]
    WrongKey,
    /// Signed, but not by a key that we know.
    #[error("the signature of the response is invalid")]
    BadSignature,
    /// The inner object lacks something, or has it in another type.
    #[error("the response has an unexpected structure")]
    Form,
}

/// An answer's inner object.
#[derive(Debug)]
pub struct Opened<'a> {
    text: Cow<'a, str>,
    /// Whether a known key signed it. Without this, nothing in it counts as a success.
    pub verified: bool,
}

impl Opened<'_> {
    /// Reads the inner object.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, EnvelopeError> {
        serde_json::from_str(&self.text).map_err(|_| EnvelopeError::Form)
    }
}

/// The entries at the top, in their order.
struct Top<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Top<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Top<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Top<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
                    entries.push((Cow::Owned(key), value));
                }
                Ok(Top(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Opens the answer to `method` (`alipay.trade.query`) and verifies its signature, if it has one, with any of `keys`.
pub fn open<'a>(method: &str, body: &'a [u8], keys: &[VerifyingKey]) -> Result<Opened<'a>, EnvelopeError> {
    let text = std::str::from_utf8(body).map_err(|_| EnvelopeError::NotJson)?;
    let Top(entries) = serde_json::from_str(text).map_err(|_| EnvelopeError::NotJson)?;
    for (number, (key, _)) in entries.iter().enumerate() {
        if entries[..number].iter().any(|(earlier, _)| earlier == key) {
            return Err(EnvelopeError::Duplicate);
        }
    }
    let find = |wanted: &str| entries.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.get());
    let expected = format!("{}_response", method.replace('.', "_"));
    let inner = match (find(&expected), find(ERROR_KEY)) {
        (Some(inner), None) | (None, Some(inner)) if inner.starts_with('{') => inner,
        _ => return Err(EnvelopeError::WrongKey),
    };
    let Some(sign) = find("sign") else {
        return Ok(Opened { text: inner.into(), verified: false });
    };
    let sign: String = serde_json::from_str(sign).map_err(|_| EnvelopeError::Form)?;
    let verifies = |text: &str| keys.iter().any(|key| key.verifies(text, &sign));
    if verifies(inner) {
        return Ok(Opened { text: inner.into(), verified: true });
    }
    // The gateway sometimes escapes slashes after signing; the vendor's own Java library looks at both.
    let plain = inner.replace("\\/", "/");
    if plain != inner && verifies(&plain) {
        return Ok(Opened { text: plain.into(), verified: true });
    }
    Err(EnvelopeError::BadSignature)
}
