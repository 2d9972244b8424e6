//! The contract of the counters that all nodes share for rate limits.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

/// One limit that an act counts against: a leaky bucket (GCRA) of its own for each `limit` and `who`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The limit's name, `address`.
    pub limit: &'static str,
    /// The actor, within the limit.
    pub who: String,
    /// So many at once, and in each window.
    pub quota: NonZeroU32,
    /// How long it takes until all of the quota is free again.
    pub window: Duration,
}

/// Too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Over {
    /// Which of the uses was one too many. Those before it are counted.
    pub index: usize,
    /// When the next one will be let through.
    pub wait: Duration,
}

/// The shared counters have no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("shared counters unavailable: {0}")]
pub struct TallyError(pub String);

/// Counters that nodes share.
#[async_trait]
pub trait Tally: Send + Sync + 'static {
    /// Counts an act against its limits, in their order, up to the first that is exhausted. An error says nothing about
    /// whether it was counted. Dropping the future leaves the act counted.
    async fn count(&self, uses: Vec<Use>) -> Result<Result<(), Over>, TallyError>;

    /// Counts an act without waiting for the answer. Whoever turns out to be over a limit is refused by later calls on this
    /// node, until the next act would be let through. An error says that too much waits to be counted.
    fn note(&self, uses: Vec<Use>) -> Result<Result<(), Over>, TallyError>;
}
