//! Deliberate mistakes, chosen by `DOORBUSTER_SABOTAGE` (names with commas between them). They exist so that the fault tests can
//! prove that they would notice; no release build can contain them.

#[cfg(not(debug_assertions))]
compile_error!("the `sabotage` feature must never be part of a release build");

use std::sync::OnceLock;

static CHOSEN: OnceLock<Option<String>> = OnceLock::new();

/// Whether the named mistake is to be made in this process.
pub fn active(name: &str) -> bool {
    let chosen = CHOSEN.get_or_init(|| std::env::var("DOORBUSTER_SABOTAGE").ok());
    chosen.as_deref().is_some_and(|names| names.split(',').any(|chosen| chosen == name))
}

/// Ends the process on the spot, as `kill -9` does, if this point was chosen.
pub fn crash_at(point: &str) {
    if active(point) {
        std::process::abort();
    }
}

/// Stands still for a moment if the name is chosen. No mistake by itself: it lets a kill find the process at this point.
pub async fn pause(name: &str) {
    if active(name) {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}
