//! Checks that involve more than the type of a single value.

use super::layers::Layers;
use super::{Problem, Size, Span};

/// Collects what is wrong; each problem is placed where its values came from.
pub(super) struct Check<'a> {
    layers: &'a Layers,
    problems: Vec<Problem>,
}

impl<'a> Check<'a> {
    /// Begins with what was already found while reading.
    pub(super) fn new(layers: &'a Layers, problems: Vec<Problem>) -> Self {
        Self { layers, problems }
    }

    /// Notes a problem unless `holds`. A key that already has a problem is not blamed again: its value is not in force.
    pub(super) fn require(&mut self, holds: bool, keys: &[&str], message: &str) {
        let blamed = |key: &&str| self.problems.iter().any(|problem| problem.keys.iter().any(|known| known == key));
        if holds || keys.iter().any(blamed) {
            return;
        }
        self.problems.push(Problem {
            at: self.layers.origins(keys),
            keys: keys.iter().map(ToString::to_string).collect(),
            message: message.to_owned(),
        });
    }

    pub(super) fn finish(self) -> Vec<Problem> {
        self.problems
    }
}

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
