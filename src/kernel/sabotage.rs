//! Deliberate mistakes, one at a time, chosen by `DOORBUSTER_SABOTAGE`. They exist so that the fault tests can
//! prove that they would notice; no release build can contain them.

#[cfg(not(debug_assertions))]
compile_error!("the `sabotage` feature must never be part of a release build");

use std::sync::OnceLock;

static CHOSEN: OnceLock<Option<String>> = OnceLock::new();

/// Whether the named mistake is to be made in this process.
pub fn active(name: &str) -> bool {
    CHOSEN.get_or_init(|| std::env::var("DOORBUSTER_SABOTAGE").ok()).as_deref() == Some(name)
}
