//! Nodes and leases, as they are stored.

use crate::kernel::Timestamp;

/// A job's lease, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// The job.
    pub job: String,
    /// The holder; empty after a release.
    pub holder: String,
    /// Grows with each holder.
    pub token: u64,
    /// Grows while the holder lives.
    pub beat: u64,
}

/// A node that runs, or ran until a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeRow {
    /// Its name; unique.
    pub name: String,
    /// The roles, separated by commas.
    pub roles: String,
    /// Where it listens.
    pub address: String,
    /// Its program's version.
    pub version: String,
    /// When it began, by its own clock.
    pub started_at: Timestamp,
    /// When it last said that it runs, by its own clock.
    pub seen_at: Timestamp,
    /// What it says of its settings.
    pub settings: NodeSettings,
    /// The data version of its program; see [`super::upgrade`].
    pub data_version: u32,
}

/// What a node says of its settings; nothing by a program that knows none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeSettings {
    /// The revision of the stored settings that it follows.
    pub revision: Option<u64>,
    /// Stored values that are not in force on it, as JSON.
    pub rejected: Option<String>,
    /// What its own configuration says, as JSON.
    pub local: Option<String>,
}
