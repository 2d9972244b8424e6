//! The bounds of single values, which stand in the JSON Schema.

use super::{Size, Span};

/// Why the value is outside of the bounds that its JSON Schema gives.
pub(super) fn out_of_bounds(property: &serde_json::Value, value: &toml::Value) -> Option<String> {
    let (holds, min, max) = match value {
        toml::Value::Integer(value) => {
            let (min, max) = (property["minimum"].as_i64()?, property["maximum"].as_i64()?);
            ((min..=max).contains(value), min.to_string(), max.to_string())
        }
        toml::Value::String(value) => {
            let (min, max) = (property["x-min"].as_str()?, property["x-max"].as_str()?);
            let holds = if property["format"] == "size" {
                within(Size::parse, value, min, max)?
            } else {
                within(Span::parse, value, min, max)?
            };
            (holds, min.to_owned(), max.to_owned())
        }
        _ => return None,
    };
    (!holds).then(|| format!("must be between {min} and {max}"))
}

fn within<T: PartialOrd>(parse: fn(&str) -> Result<T, String>, value: &str, min: &str, max: &str) -> Option<bool> {
    let value = parse(value).ok()?;
    Some(parse(min).ok()? <= value && value <= parse(max).ok()?)
}
