//! How values look on the wire: parameters, the string that is signed, amounts and times.

use std::borrow::Cow;

use encoding_rs::{Encoding, GB18030, GBK, UTF_8};
use percent_encoding::percent_decode;

use crate::kernel::money::decimal;
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
    #[error("a parameter is given twice")]
    Duplicate,
    /// More than any genuine message has.
    #[error("too many parameters")]
    TooMany,
    /// A value that is not in the message's own charset once its escapes are undone.
    #[error("a parameter is not encoded in the charset")]
    Encoding,
    /// A charset that is not one of the vendor's.
    #[error("the charset is not supported")]
    Charset,
}

/// The charset of this name, if it is one of the vendor's: UTF-8, or GBK with its relatives.
pub fn charset(name: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_label(name).filter(|encoding| [UTF_8, GBK, GB18030].contains(encoding))
}

/// Parameters as they came, once their escapes are undone: bytes in the charset that the message itself names. What is signed are these
/// bytes.
#[derive(Debug)]
pub struct RawParameters<'a>(Vec<(Cow<'a, [u8]>, Cow<'a, [u8]>)>);

impl<'a> RawParameters<'a> {
    /// Reads several form-encoded texts (query and body) as one message.
    pub fn parse_all(forms: &[&'a [u8]]) -> Result<Self, ParametersError> {
        // Each notification, the forged ones too, comes through here: what needs no unescaping is not copied.
        let mut all = Vec::with_capacity(32);
        let pairs = forms.iter().flat_map(|form| form.split(|byte| *byte == b'&')).filter(|pair| !pair.is_empty());
        for pair in pairs {
            if all.len() == PARAMETERS_MAX {
                return Err(ParametersError::TooMany);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half = || unescaped(halves.next().unwrap_or_default());
            all.push((half(), half()));
        }
        all.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        if all.is_sorted_by(|(one, _), (other, _)| one < other) {
            Ok(Self(all))
        } else {
            Err(ParametersError::Duplicate)
        }
    }

    /// The bytes that are signed: `name=value` joined by `&`, not escaped, without the names in `except`. Implementations disagree on
    /// whether empty values belong to it.
    pub fn canonical(&self, except: &[&str], with_empty: bool) -> Vec<u8> {
        let mut text = Vec::with_capacity(self.0.iter().map(|(name, value)| name.len() + value.len() + 2).sum());
        let signed = |name: &[u8], value: &[u8]| {
            !name.is_empty()
                && (with_empty || !value.is_empty())
                && !except.iter().any(|other| other.as_bytes() == name)
        };
        for (name, value) in self.0.iter().filter(|(name, value)| signed(name, value)) {
            if !text.is_empty() {
                text.push(b'&');
            }
            for part in [&**name, b"=", &**value] {
                text.extend_from_slice(part);
            }
        }
        text
    }

    /// Whether there is an empty value.
    pub fn has_empty(&self) -> bool {
        self.0.iter().any(|(_, value)| value.is_empty())
    }

    /// The charset that the parameters name themselves; UTF-8 when they name none.
    pub fn charset(&self) -> Result<&'static Encoding, ParametersError> {
        match self.0.iter().find(|(name, value)| **name == *b"charset" && !value.is_empty()) {
            Some((_, name)) => charset(name).ok_or(ParametersError::Charset),
            None => Ok(UTF_8),
        }
    }

    /// The parameters as texts, in the charset that they name themselves.
    pub fn decode(self) -> Result<Parameters, ParametersError> {
        let encoding = self.charset()?;
        let text = |bytes: Cow<'_, [u8]>| {
            if encoding == UTF_8 {
                return String::from_utf8(bytes.into_owned()).map_err(|_| ParametersError::Encoding);
            }
            let decoded = encoding.decode_without_bom_handling_and_without_replacement(&bytes);
            decoded.map(Cow::into_owned).ok_or(ParametersError::Encoding)
        };
        let set = self.0.into_iter().filter(|(name, value)| !name.is_empty() && !value.is_empty());
        let decoded = set.map(|(name, value)| Ok((text(name)?, text(value)?)));
        let mut decoded = decoded.collect::<Result<Vec<_>, ParametersError>>()?;
        // Names are compared as texts from here on.
        decoded.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let unique = decoded.is_sorted_by(|(one, _), (other, _)| one < other);
        if unique { Ok(Parameters(decoded)) } else { Err(ParametersError::Duplicate) }
    }
}

/// Undoes the escapes of a form.
fn unescaped(half: &[u8]) -> Cow<'_, [u8]> {
    if !half.contains(&b'+') {
        return percent_decode(half).into();
    }
    let spaced: Vec<u8> = half.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::Owned(percent_decode(&spaced).collect())
}

/// Parameters, each name once, sorted by its bytes. Empty values are as good as absent: nothing reads them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads one form-encoded text.
    pub fn parse(form: &[u8]) -> Result<Self, ParametersError> {
        Self::parse_all(&[form])
    }

    /// Reads several texts (query and body) as one message.
    pub fn parse_all(forms: &[&[u8]]) -> Result<Self, ParametersError> {
        RawParameters::parse_all(forms)?.decode()
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

    /// The charset that they name themselves; UTF-8 when it is none of the vendor's.
    pub fn charset(&self) -> &'static Encoding {
        self.get("charset").and_then(|name| charset(name.as_bytes())).unwrap_or(UTF_8)
    }

    /// The bytes that are signed: [`Self::canonical`] in the parameters' own charset.
    pub fn canonical_bytes(&self, except: &[&str]) -> Vec<u8> {
        self.charset().encode(&self.canonical(except)).0.into_owned()
    }

    /// The form-encoded text of the parameters that `keep` says, in their own charset.
    pub fn encode(&self, keep: impl Fn(&str) -> bool) -> String {
        let charset = self.charset();
        form_urlencoded::Serializer::new(String::new())
            .encoding_override(Some(&|text| charset.encode(text).0))
            .extend_pairs(self.iter().filter(|(name, _)| keep(name)))
            .finish()
    }
}

/// The amount as on the wire, `19.90`, in yuan. The protocol knows no other currency here.
pub fn amount_text(fen: i64) -> String {
    decimal(fen)
}

/// An amount on the wire: a plain decimal with at most two places, zero or more.
pub fn parse_money(text: &str) -> Option<Money> {
    Money::parse(text, Currency::Cny).ok()
}

/// [`parse_money`] in fen.
pub fn parse_amount(text: &str) -> Option<i64> {
    parse_money(text).map(|money| money.minor)
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
