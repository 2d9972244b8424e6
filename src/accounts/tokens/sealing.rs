//! What a node needs to judge sealed tokens, and how far it has read what was revoked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use crate::accounts::revoked::Revoked;
use crate::accounts::seal::Seals;
use crate::kernel::Timestamp;

/// What a node needs to judge sealed tokens.
pub(in crate::accounts) struct Sealing {
    pub(super) seals: OnceLock<Seals>,
    /// Whether new tokens may be sealed: every node can open them.
    pub(super) in_use: AtomicBool,
    pub(super) revoked: Revoked,
    /// Tokens of a time between these are looked up, in milliseconds since the Unix epoch: if the database is a restored backup, they may
    /// be missing there.
    pub(super) gap: [AtomicI64; 2],
}

impl Sealing {
    pub(super) fn new(revocations_max: usize) -> Self {
        Self {
            seals: OnceLock::new(),
            in_use: AtomicBool::new(false),
            revoked: Revoked::new(revocations_max),
            gap: [AtomicI64::new(i64::MIN), AtomicI64::new(i64::MAX)],
        }
    }

    pub(super) fn is_in_gap(&self, created_at: Timestamp) -> bool {
        let [from, until] = self.gap.each_ref().map(|at| at.load(Ordering::Acquire));
        (from..until).contains(&created_at.as_millis())
    }
}

/// What became of a read of the revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::accounts) enum Read {
    /// All are known.
    Complete,
    /// There are more than fit: tokens are looked up until the next read.
    TooMany,
}

/// How far the revocations are read.
#[derive(Debug, Default)]
pub(in crate::accounts) struct Progress {
    pub(super) place: i64,
    /// Whether they were read to the end once.
    pub(super) complete: bool,
}
