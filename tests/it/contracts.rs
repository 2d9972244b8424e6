//! What others rely on: the schema and the messages.

use std::path::Path;

use doorbuster::accounts::messages::{SESSION_CHANGE, SESSION_CHANGE_VERSION, SessionChange};
use doorbuster::broker::{Failure, envelope};
use doorbuster::model::order_requests::{
    OrderRequests, PaymentTimeouts, REQUESTS, REQUESTS_VERSION, TIMEOUTS, TIMEOUTS_VERSION,
};
use doorbuster::model::results::{RESULTS, RESULTS_VERSION, ResultBatch};
use doorbuster::sales::messages::{
    CATALOG_CHANGE, CATALOG_CHANGE_VERSION, CatalogChange, GATE_CHANGE, GATE_CHANGE_VERSION, GateChange,
};
use doorbuster::settings::messages::{SETTINGS_CHANGE, SETTINGS_CHANGE_VERSION, SettingsChange};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

fn sample(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/messages").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A sample is understood, and written again it is the same.
fn round_trip<T: Serialize + DeserializeOwned>(name: &str, kind: &str, version: u32) {
    let sample = sample(name);
    let message: T = envelope::decode(kind, version, &sample).unwrap();
    let written: Value = serde_json::from_slice(&envelope::encode(kind, version, &message).unwrap()).unwrap();
    assert_eq!(written, serde_json::from_slice::<Value>(&sample).unwrap(), "{name}");
}

#[test]
fn every_sample_message_is_read_and_written_back() {
    round_trip::<OrderRequests>("order-requests.v1.json", REQUESTS, REQUESTS_VERSION);
    round_trip::<PaymentTimeouts>("payment-timeouts.v1.json", TIMEOUTS, TIMEOUTS_VERSION);
    round_trip::<ResultBatch>("purchase-results.v1.json", RESULTS, RESULTS_VERSION);
    round_trip::<CatalogChange>("catalog-change.v1.json", CATALOG_CHANGE, CATALOG_CHANGE_VERSION);
    round_trip::<GateChange>("gate-change.v1.json", GATE_CHANGE, GATE_CHANGE_VERSION);
    round_trip::<SettingsChange>("settings-change.v1.json", SETTINGS_CHANGE, SETTINGS_CHANGE_VERSION);
    round_trip::<SessionChange>("session-change.v1.json", SESSION_CHANGE, SESSION_CHANGE_VERSION);
    let failure = sample("failure.v1.json");
    let written: Value = serde_json::from_slice(&Failure::decode(&failure).unwrap().encode().unwrap()).unwrap();
    assert_eq!(written, serde_json::from_slice::<Value>(&failure).unwrap());
}

#[test]
fn every_message_has_a_sample() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/messages");
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".json"))
        .collect();
    names.sort();
    let expected = [
        "catalog-change.v1.json",
        "failure.v1.json",
        "gate-change.v1.json",
        "login-event.v1.json",
        "order-requests.v1.json",
        "payment-timeouts.v1.json",
        "purchase-results.v1.json",
        "session-change.v1.json",
        "settings-change.v1.json",
    ];
    assert_eq!(names, expected);
}

/// Every type, field, argument, input field and enum value says what it is.
#[test]
fn the_schema_describes_everything() {
    let sdl = doorbuster::api::graphql::schema::sdl();
    let lines: Vec<&str> = sdl.lines().collect();
    let mut bare = Vec::new();
    let mut inside = false;
    for (number, line) in lines.iter().enumerate() {
        let text = line.trim();
        if text == "\"\"\"" {
            inside = !inside;
            continue;
        }
        if inside || text.is_empty() || text.starts_with(['}', ')', '@']) || text.starts_with("schema") {
            continue;
        }
        let defines = line.starts_with(['t', 'i', 'e', 's', 'u']) || line.starts_with('\t');
        let in_schema_block =
            text.starts_with("query:") || text.starts_with("mutation:") || text.starts_with("subscription:");
        let builtin = text.starts_with("directive") || text.contains("__");
        let described = number > 0 && lines[number - 1].trim().ends_with("\"\"\"");
        if defines && !described && !in_schema_block && !builtin {
            bare.push(format!("{}: {text}", number + 1));
        }
    }
    assert!(lines.len() > 1000, "the schema is there");
    assert!(bare.is_empty(), "without a description:\n{}", bare.join("\n"));
}
