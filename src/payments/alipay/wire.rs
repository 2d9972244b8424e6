//! How values look on the wire: parameters, the string that is signed, amounts and times.

use std::collections::BTreeMap;

use crate::kernel::{Currency, Money, Timestamp};

/// Parameters that a message may have at most; the vendor's largest has about forty.
const PARAMETERS_MAX: usize = 100;
/// Times on the wire are in China Standard Time, which has no daylight saving.
const WIRE_ZONE: jiff::tz::Offset = jiff::tz::offset(8);
const WIRE_TIME: &str = "%Y-%m-%d %H:%M:%S";

/// Why a text is not a list of parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// The same name twice: two readers could see two messages.
    #[error("a parameter stands twice")]
    Duplicate,
    /// More than any genuine message has.
    #[error("too many parameters")]
    TooMany,
    /// A value that is not UTF-8 once its escapes are undone.
    #[error("a parameter is not UTF-8")]
    Encoding,
}

/// Parameters by name, each once, sorted by byte. Empty values are as good as absent: nothing signs them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads one form-encoded text.
    pub fn parse(form: &[u8]) -> Result<Self, ParametersError> {
        Self::parse_all(&[form])
    }

    /// Reads several texts (query and body) as one message.
    pub fn parse_all(forms: &[&[u8]]) -> Result<Self, ParametersError> {
        let mut names = std::collections::BTreeSet::new();
        let mut all = Self::default();
        for (name, value) in forms.iter().flat_map(|form| form_urlencoded::parse(form)) {
            // What could not be decoded was replaced by this character, which no genuine message has.
            if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER) {
                return Err(ParametersError::Encoding);
            }
            if names.len() == PARAMETERS_MAX {
                return Err(ParametersError::TooMany);
            }
            if !names.insert(name.to_string()) {
                return Err(ParametersError::Duplicate);
            }
            all.set(&name, value);
        }
        Ok(all)
    }

    /// Sets a parameter; an empty value takes it away.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if name.is_empty() || value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// The value, never empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Names and values, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The string that is signed: `name=value` joined by `&`, not escaped, without the names in `except`.
    pub fn canonical(&self, except: &[&str]) -> String {
        let mut text = String::with_capacity(512);
        for (name, value) in self.iter().filter(|(name, _)| !except.contains(name)) {
            if !text.is_empty() {
                text.push('&');
            }
            text.extend([name, "=", value]);
        }
        text
    }

    /// The form-encoded text of the parameters that `keep` says.
    pub fn encode(&self, keep: impl Fn(&str) -> bool) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.iter().filter(|(name, _)| keep(name)))
            .finish()
    }
}

/// The amount as on the wire, `19.90`, in yuan. The protocol knows no other currency here.
pub fn amount_text(fen: i64) -> String {
    format!("{}{}.{:02}", if fen < 0 { "-" } else { "" }, fen.unsigned_abs() / 100, fen.unsigned_abs() % 100)
}

/// Fen of an amount on the wire: a plain decimal with at most two places, zero or more.
pub fn parse_amount(text: &str) -> Option<i64> {
    Money::parse(text, Currency::Cny).ok().map(|money| money.minor)
}

/// `yyyy-MM-dd HH:mm:ss` in UTC+8.
pub fn time_text(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    WIRE_ZONE.to_datetime(at).strftime(WIRE_TIME).to_string()
}

/// The moment of a time on the wire.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let at = jiff::civil::DateTime::strptime(WIRE_TIME, text).ok()?;
    let at = WIRE_ZONE.to_timestamp(at).ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}

/// An id of a person as it may be logged: its last four characters.
pub fn masked(id: &str) -> String {
    let count = id.chars().count();
    let tail: String = id.chars().skip(count.saturating_sub(4).max(count / 2)).collect();
    format!("***{tail}")
}
