//! Values with a unit: `"30s"`, `"64KiB"`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

/// Units of [`Span`], in milliseconds.
const SPAN_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
/// Units of [`Size`], in bytes.
const SIZE_UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A duration, written `"250ms"`, `"30s"`, `"15m"`, `"2h"`, `"7d"`.
// Not `Ord`: its `max` would hide that of the value inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Span(pub Duration);

impl Span {
    /// Parses the written form; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse(text, &SPAN_UNITS, "30s").map(|millis| Self(Duration::from_millis(millis)))
    }
}

impl Deref for Span {
    type Target = Duration;
    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written(Self::parse))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "span", "pattern": pattern(&SPAN_UNITS) })
    }
}

/// A size in bytes, written `"512B"`, `"64KiB"`, `"2MiB"`, `"1GiB"`.
// Not `Ord`: its `max` would hide that of the value inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub struct Size(pub usize);

impl Size {
    /// Parses the written form; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bytes = parse(text, &SIZE_UNITS, "64KiB")?;
        usize::try_from(bytes).map(Self).map_err(|_| format!("`{text}` is too large"))
    }
}

impl Deref for Size {
    type Target = usize;
    fn deref(&self) -> &usize {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Written(Self::parse))
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "size", "pattern": pattern(&SIZE_UNITS) })
    }
}

/// Reads either from its text. A bare number gets the same answer as one in a text: its unit is missing.
struct Written<T>(fn(&str) -> Result<T, String>);

impl<T> Visitor<'_> for Written<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number with its unit, in quotes")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.0)(text).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

/// A whole number followed by one of `units`, in the smallest of them.
fn parse(text: &str, units: &[(&str, u64)], example: &str) -> Result<u64, String> {
    let hint = || format!("write a whole number and one of {}, such as \"{example}\"", names(units).join(", "));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(format!("`{text}` does not start with a number; {}", hint()));
    }
    if unit.is_empty() {
        return Err(format!("`{text}` has no unit; {}", hint()));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{text}` has the unknown unit `{unit}`; {}", hint()));
    };
    let number: Option<u64> = number.parse().ok();
    number.and_then(|number| number.checked_mul(*factor)).ok_or_else(|| format!("`{text}` is too large"))
}

fn names<'a>(units: &[(&'a str, u64)]) -> Vec<&'a str> {
    units.iter().map(|(name, _)| *name).collect()
}

fn pattern(units: &[(&str, u64)]) -> String {
    format!("^[0-9]+({})$", names(units).join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_read_their_units() {
        assert_eq!(Span::parse("250ms"), Ok(Span(Duration::from_millis(250))));
        assert_eq!(Span::parse("7d"), Ok(Span(Duration::from_secs(7 * 86_400))));
        assert_eq!(Size::parse("64KiB"), Ok(Size(65_536)));
        assert_eq!(Size::parse("0B"), Ok(Size(0)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let hint = "write a whole number and one of ms, s, m, h, d, such as \"30s\"";
        assert_eq!(Span::parse("30"), Err(format!("`30` has no unit; {hint}")));
        assert_eq!(Span::parse("30 s"), Err(format!("`30 s` has the unknown unit ` s`; {hint}")));
        assert_eq!(Span::parse("1.5h"), Err(format!("`1.5h` has the unknown unit `.5h`; {hint}")));
        assert_eq!(Span::parse("-1s"), Err(format!("`-1s` does not start with a number; {hint}")));
        assert_eq!(Span::parse(""), Err(format!("`` does not start with a number; {hint}")));
        assert_eq!(Span::parse("99999999999999999d"), Err("`99999999999999999d` is too large".into()));
        assert!(Size::parse("64KB").is_err_and(|error| error.contains("one of B, KiB, MiB, GiB")));
        assert!(Size::parse("١KiB").is_err());
    }
}
