//! A TOML document as sections and keys with their locations; and the one that has them all.

use toml::de::DeTable;
use toml::{Table, Value};

use super::Problem;

/// Every key with its default, and its documentation.
pub(super) const DEFAULT: &str = include_str!("default.toml");

/// A table, or what else stands at the top level.
pub(super) struct FoundSection {
    pub(super) name: String,
    /// `FILE:LINE:COLUMN`.
    pub(super) at: String,
    /// `None` if it is a single value.
    pub(super) keys: Option<Vec<FoundKey>>,
}

/// A key of a section.
pub(super) struct FoundKey {
    pub(super) name: String,
    /// `FILE:LINE:COLUMN`.
    pub(super) at: String,
    pub(super) value: Value,
}

/// Parses the document called `file`; keys come in the order in which they stand. The problems never quote it: what is
/// unreadable may be a password.
pub(super) fn parse(file: &str, text: &str) -> Result<Vec<FoundSection>, Vec<Problem>> {
    let at = |offset: usize| place(file, text, offset);
    let problem = |error: &toml::de::Error| Problem {
        at: error.span().map_or_else(|| file.to_owned(), |span| at(span.start)),
        keys: Vec::new(),
        message: error.message().to_owned(),
    };
    // Two readings: one that knows the places and reports all errors, one that knows the values.
    let (places, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(problem).collect());
    }
    let mut values: Table = toml::from_str(text).map_err(|error| vec![problem(&error)])?;
    let mut sections: Vec<_> = places.get_ref().iter().collect();
    sections.sort_by_key(|(name, _)| name.span().start);
    let found = sections.into_iter().map(|(name, item)| FoundSection {
        name: name.get_ref().to_string(),
        at: at(name.span().start),
        keys: item.get_ref().as_table().map(|keys| {
            let mut keys: Vec<_> = keys.keys().collect();
            keys.sort_by_key(|key| key.span().start);
            let mut value = |key: &str| values.get_mut(name.get_ref().as_ref())?.as_table_mut()?.remove(key);
            let found = keys.into_iter().filter_map(|key| {
                let value = value(key.get_ref())?;
                Some(FoundKey { name: key.get_ref().to_string(), at: at(key.span().start), value })
            });
            found.collect()
        }),
    });
    Ok(found.collect())
}

fn place(file: &str, text: &str, offset: usize) -> String {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{file}:{line}:{column}")
}
