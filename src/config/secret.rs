//! Strings that are never printed.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// A text that may hold a password: a URL, a key. Neither `Debug` nor an error message shows the secret part of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; must not reach a log or an answer.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text as it may be shown: of a URL the scheme, user, host and path, of anything else nothing.
    pub fn redacted(&self) -> String {
        redact(&self.0)
    }

    /// The scheme of a URL, in front of the first colon; `None` when there is none.
    pub fn scheme(&self) -> Option<&str> {
        self.0.split_once(':').map(|(scheme, _)| scheme).filter(|scheme| is_scheme(scheme))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "writeOnly": true })
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

/// Errs on the side of hiding: passwords in URLs are often not escaped as they should be, so everything between the
/// first colon and the last `@` counts as one, and so does every query value.
fn redact(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
        return "***".to_owned();
    };
    if rest.is_empty() {
        return text.to_owned();
    }
    let Some(rest) = rest.strip_prefix("//") else {
        return format!("{scheme}:***");
    };
    let (user, place) = match rest.rsplit_once('@') {
        Some((user, place)) => match user.split_once(':') {
            Some((name, _)) => (format!("{name}:***@"), place),
            None => ("***@".to_owned(), place),
        },
        // No `@`: a host, with a port perhaps. What stands in its place may be a password without its host.
        None => match rest.split_once(':') {
            Some((host, port)) if !port.starts_with(|c: char| c.is_ascii_digit()) => {
                return format!("{scheme}://{host}:***");
            }
            _ => (String::new(), rest),
        },
    };
    match place.split_once(['?', '#']) {
        Some((place, _)) => format!("{scheme}://{user}{place}?***"),
        None => format!("{scheme}://{user}{place}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_harmless_parts_of_a_url_print() {
        for (text, shown) in [
            ("memory:", "memory:"),
            ("sqlite://data/doorbuster.db", "sqlite://data/doorbuster.db"),
            ("postgres://shop:hunter2@db:5432/shop", "postgres://shop:***@db:5432/shop"),
            ("postgres://shop:hun@ter/2?@db/shop", "postgres://shop:***@db/shop"),
            ("postgres://shop:p@db/shop?password=hunter2", "postgres://shop:***@db/shop?***"),
            ("redis://:hunter2@cache", "redis://:***@cache"),
            ("redis://hunter2@cache", "redis://***@cache"),
            ("redis://cache:6379/0", "redis://cache:6379/0"),
            ("postgres://shop:hunter2", "postgres://shop:***"),
            ("hunter2", "***"),
            ("host=db password=hunter2", "***"),
            ("pulsar:hunter2", "pulsar:***"),
            ("", "***"),
        ] {
            assert_eq!(Secret::new(text).redacted(), shown, "{text}");
            assert_eq!(format!("{:?}", Secret::new(text)), shown, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_password_never_prints(user in "[a-z]{0,8}", password in "[^~]{0,20}~[^~]{0,20}", tail in "[a-z/]{0,9}") {
            let shown = Secret::new(format!("postgres://{user}:{password}@{tail}")).redacted();
            proptest::prop_assert!(!shown.contains('~'), "{}", shown);
        }
    }
}
