//! The message of `settings-changes`.

use serde::{Deserialize, Serialize};

/// Name of the message type in its envelope.
pub const SETTINGS_CHANGE: &str = "settings-change";

/// Version of [`SettingsChange`] that this build writes.
pub const SETTINGS_CHANGE_VERSION: u32 = 1;

/// A hint to read the stored settings again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsChange {
    /// The number of the newest change: nodes that have it already need not read.
    pub revision: u64,
}
