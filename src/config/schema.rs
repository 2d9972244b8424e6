//! The JSON Schema of a configuration file, for editors and for our own range checks.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::Config;
use super::document::DEFAULT;

/// The schema as it is published: `schema/config.schema.json`. Bounds of times and sizes are `x-min` and `x-max`.
pub fn generate() -> Value {
    let mut schema = base();
    schema["title"] = json!("doorbuster configuration");
    schema["description"] = json!("A file needs only the keys that differ from the defaults.");
    let defaults: Value = toml::from_str(DEFAULT).unwrap_or_default();
    optional(&mut schema);
    for (section, keys) in schema["properties"].as_object_mut().into_iter().flatten() {
        optional(keys);
        for (key, property) in keys["properties"].as_object_mut().into_iter().flatten() {
            property["default"] = defaults[section][key].clone();
        }
    }
    schema
}

/// The schema of the structs alone.
pub(super) fn base() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// Every key has a default: none is required in a file.
fn optional(schema: &mut Value) {
    if let Some(object) = schema.as_object_mut() {
        object.remove("required");
    }
}
