//! How values look on the wire: parameters, the string that is signed, amounts and times.

use std::borrow::Cow;

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

/// Parameters, each name once, sorted by its bytes. Empty values are as good as absent: nothing signs them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads one form-encoded text.
    pub fn parse(form: &[u8]) -> Result<Self, ParametersError> {
        Self::parse_all(&[form])
    }

    /// Reads several texts (query and body) as one message.
    pub fn parse_all(forms: &[&[u8]]) -> Result<Self, ParametersError> {
        // Each notification, the forged ones too, comes through here: names and values are copied once, in the order in which they stay.
        let mut all: Vec<(Cow<'_, str>, Cow<'_, str>)> = Vec::with_capacity(32);
        for (name, value) in forms.iter().flat_map(|form| form_urlencoded::parse(form)) {
            // What could not be decoded was replaced by this character, which no genuine message has.
            if name.contains(char::REPLACEMENT_CHARACTER) || value.contains(char::REPLACEMENT_CHARACTER) {
                return Err(ParametersError::Encoding);
            }
            if all.len() == PARAMETERS_MAX {
                return Err(ParametersError::TooMany);
            }
            all.push((name, value));
        }
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if all.is_sorted_by(|(one, _), (other, _)| one < other) {
            let set = all.into_iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
            Ok(Self(set.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
        } else {
            Err(ParametersError::Duplicate)
        }
    }

    /// Sets a parameter; an empty value takes it away.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        let (place, absent) = (self.place(name), name.is_empty() || value.is_empty());
        match (place, absent) {
            (Ok(at), true) => drop(self.0.remove(at)),
            (Ok(at), false) => self.0[at].1 = value,
            (Err(at), false) => self.0.insert(at, (name.to_owned(), value)),
            (Err(_), true) => {}
        }
    }

    /// The value, never empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.place(name).ok().map(|at| self.0[at].1.as_str())
    }

    /// Where the name stands, or would.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    /// Names and values, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The string that is signed: `name=value` joined by `&`, not escaped, without the names in `except`.
    pub fn canonical(&self, except: &[&str]) -> String {
        let length = self.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut text = String::with_capacity(length);
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
