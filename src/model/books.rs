//! What an audit of the records finds.

use serde::Serialize;

/// Work in progress, which is not a violation unless everything should have completed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Payments that are pending.
    pub payments: u64,
    /// Refunds that are open.
    pub refunds: u64,
    /// Global transactions that have not ended.
    pub transactions: u64,
    /// Payments that a person must look at.
    pub flagged: u64,
    /// Events that are not announced yet.
    pub events: u64,
}

impl Waiting {
    /// Whether everything has come to its end.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
