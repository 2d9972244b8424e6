//! The participants of a global transaction.

use async_trait::async_trait;

use crate::model::tcc::BranchKey;
use crate::store::StoreError;

/// The result of a Try. Repeating it with the same arguments returns the same result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// What Confirm needs is set aside: Confirm can't fail for the lack of it.
    Tried,
    /// It can't be. This branch stays rejected whatever happens later.
    Rejected(&'static str),
    /// Cancel came first. Nothing is set aside.
    AlreadyCancelled,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Failure {
    /// Not now; whether it took effect is not known. Ask again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Something that must never happen: a Confirm of what was not tried or was cancelled, a Cancel of what was confirmed. Nothing was
    /// changed; a person must look.
    #[error("invariant breach: {0}")]
    Breach(String),
    /// The branch is known with other arguments, or they make no sense. Nothing was changed.
    #[error("invalid arguments: {0}")]
    Arguments(String),
}

/// Does one kind of branch. It owns its database, which may be the coordinator's or another.
///
/// Every call may come more than once, at the same time as another, after days, and in any order. So an implementation keeps one row per
/// [`BranchKey`], its *fence*, in the same database and the same local transaction as its effect, and never deletes it:
///
/// - Try takes effect at most once, and never after Cancel;
/// - Confirm and Cancel take effect at most once, and never both;
/// - Cancel without Try leaves a fence that keeps a late Try out, and succeeds (*empty rollback*);
/// - Confirm without Try is a [`Failure::Breach`], as is either of Confirm and Cancel after the other;
/// - Confirm and Cancel of what was tried must succeed in the end: whatever could refuse them is asked in Try.
///
/// `points/holds.rs` is the example to follow.
#[async_trait]
pub trait Participant: Send + Sync {
    /// The name under which branches are written down. It must never change.
    fn name(&self) -> &'static str;

    /// Checks, and sets aside what Confirm will need.
    async fn attempt(&self, key: BranchKey, args: &str) -> Result<Tried, Failure>;

    /// Makes what was tried real.
    async fn confirm(&self, key: BranchKey, args: &str) -> Result<(), Failure>;

    /// Takes back what was tried, if it was.
    async fn cancel(&self, key: BranchKey, args: &str) -> Result<(), Failure>;
}
