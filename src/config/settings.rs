//! The settings in force, one by one, as they can be shown.

use std::fmt;
use std::sync::Arc;

use toml::Value;

use super::Secret;
use super::layers::{Entry, Layers};

/// A setting as it may be shown: no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// `section.key`.
    pub key: String,
    /// The value in force, as it would be written in the file.
    pub value: String,
    /// The default, likewise.
    pub default: String,
    /// Where the value comes from: `default`, `shop.toml:3:1`, a variable, a flag.
    pub source: String,
    /// What it does.
    pub description: String,
    /// The smallest value.
    pub minimum: Option<String>,
    /// The largest value.
    pub maximum: Option<String>,
    /// All values, where they are few.
    pub choices: Vec<String>,
    /// Whether it can be changed while the nodes run.
    pub hot: bool,
    /// Whether it can only be changed for a time, until the change is confirmed.
    pub confirmed: bool,
}

/// All settings in the order of the reference. Cheap to clone.
#[derive(Clone, Default)]
pub struct Settings(Arc<[Setting]>);

impl std::ops::Deref for Settings {
    type Target = [Setting];

    fn deref(&self) -> &[Setting] {
        &self.0
    }
}

impl fmt::Debug for Settings {
    /// Configurations are the same whatever their values came from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} settings", self.len())
    }
}

impl Layers {
    /// All settings, in the order of the reference.
    pub(super) fn settings(&self) -> Settings {
        let setting = |entry: &Entry| {
            let default = self.default_of(entry).cloned().unwrap_or_else(|| Value::String(String::new()));
            let property = self.property(entry).unwrap_or(&serde_json::Value::Null);
            let bound = |names: [&str; 2]| names.iter().find_map(|name| plain(&property[*name]));
            Setting {
                key: entry.path(),
                value: self.shown(entry, &entry.value),
                default: self.shown(entry, &default),
                source: entry.origin().to_owned(),
                description: property["description"].as_str().unwrap_or_default().to_owned(),
                minimum: bound(["minimum", "x-min"]),
                maximum: bound(["maximum", "x-max"]),
                choices: choices(property),
                hot: self.is_hot(entry),
                confirmed: property["x-confirm"] == true,
            }
        };
        Settings(self.entries().iter().map(setting).collect())
    }

    /// A value as it would be written, without what is secret in it. What is not set is no secret.
    fn shown(&self, entry: &Entry, value: &Value) -> String {
        match value {
            Value::String(text) if self.is_secret(entry) && !text.is_empty() => {
                Value::String(Secret::new(text).redacted()).to_string()
            }
            Value::String(_) => value.to_string(),
            _ if self.is_secret(entry) => "***".to_owned(),
            value => value.to_string(),
        }
    }
}

/// A number or a text as it would be typed.
fn plain(value: &serde_json::Value) -> Option<String> {
    value.as_str().map(str::to_owned).or_else(|| value.as_i64().map(|number| number.to_string()))
}

/// The values of a property that has only a few.
fn choices(property: &serde_json::Value) -> Vec<String> {
    if property["type"] == "boolean" {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    let named = property["oneOf"].as_array().into_iter().flatten().filter_map(|one| plain(&one["const"]));
    let listed = property["enum"].as_array().into_iter().flatten().filter_map(plain);
    named.chain(listed).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Sources};

    #[test]
    fn all_settings_are_shown_and_no_secret_is() {
        let config = Config::from_toml(
            "[store]\nurl = \"postgres://shop:hunter2@db/shop\"\n[gate]\nurl = \"redis://:hunter2@cache\"\n\
             [broker]\nurl = \"pulsar://broker\"\nadmin_url = \"http://broker\"\n",
        )
        .unwrap();
        assert!(!format!("{:?}", &config.settings[..]).contains("hunter2"));
        let of = |key: &str| config.settings.iter().find(|setting| setting.key == key).unwrap();
        assert_eq!(of("store.url").value, "\"postgres://shop:***@db/shop\"");
        assert_eq!(of("store.url").default, "\"sqlite://data/doorbuster.db\"");
        assert!(of("store.url").source.contains("config"), "{:?}", of("store.url"));
        assert_eq!((of("node.lease").value.as_str(), of("node.lease").source.as_str()), ("\"5s\"", "default"));
        for setting in config.settings.iter() {
            assert!(!setting.description.is_empty(), "{} does not say what it does", setting.key);
        }
        assert!(config.settings.len() > 100, "{}", config.settings.len());
        let plain = Config::load(&Sources::default()).unwrap();
        assert!(plain.settings.iter().all(|setting| setting.source == "default" && setting.value == setting.default));
    }

    #[test]
    fn a_setting_says_what_it_can_be() {
        let config = Config::load(&Sources::default()).unwrap();
        let of = |key: &str| config.settings.iter().find(|setting| setting.key == key).unwrap();
        let bounds = |key: &str| (of(key).minimum.as_deref(), of(key).maximum.as_deref());
        assert_eq!(bounds("orders.sweep_every"), (Some("10ms"), Some("1h")));
        assert_eq!(bounds("limits.purchases_per_user_per_minute"), (Some("0"), Some("1000000")));
        assert_eq!(bounds("log.filter"), (None, None));
        assert_eq!(of("graphql.introspection").choices, ["true", "false"]);
        assert_eq!(of("access.address_header").choices, ["x-forwarded-for", "forwarded"]);
        assert!(of("orders.sweep_every").choices.is_empty());
        assert!(of("access.trusted_proxies").confirmed && !of("access.origins").confirmed);
    }
}
