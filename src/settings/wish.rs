//! What is asked for.

use std::time::Duration;

use crate::config::Scope;
use crate::kernel::UserId;

/// Who changes settings, and how.
#[derive(Debug, Clone)]
pub struct By {
    /// The operator.
    pub operator: UserId,
    /// Their username.
    pub username: String,
    /// The way: `graphql` or `cli`.
    pub via: &'static str,
    /// Why.
    pub reason: String,
    /// The change that must be the newest one, if that matters.
    pub expect: Option<u64>,
    /// Whether to check only.
    pub dry_run: bool,
    /// Whether to store what a node can't take.
    pub force: bool,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Store values: key, scope, value.
    Set {
        /// Key, scope and value as they were written.
        values: Vec<(String, Scope, String)>,
        /// Take them back unless they are confirmed within this time.
        confirm_within: Option<Duration>,
    },
    /// Remove a stored value.
    Unset {
        /// The key.
        key: String,
        /// The scope.
        scope: Scope,
    },
    /// Take one change back.
    Rollback(u64),
    /// Restore the whole state after a change.
    RollbackTo(u64),
    /// Make what was tried on some nodes everybody's.
    Promote(u64),
    /// Keep a change that would end by itself.
    Confirm(u64),
}

impl Wish {
    /// The change that is meant.
    pub(super) const fn about(&self) -> Option<u64> {
        match self {
            Self::Rollback(revision) | Self::Promote(revision) | Self::Confirm(revision) => Some(*revision),
            Self::Set { .. } | Self::Unset { .. } | Self::RollbackTo(_) => None,
        }
    }

    pub(super) const fn since(&self) -> Option<u64> {
        match self {
            Self::Rollback(revision) | Self::RollbackTo(revision) | Self::Promote(revision) => Some(*revision),
            Self::Set { .. } | Self::Unset { .. } | Self::Confirm(_) => None,
        }
    }

    pub(super) const fn act(&self) -> &'static str {
        match self {
            Self::Set { .. } => "setting.set",
            Self::Unset { .. } => "setting.unset",
            Self::Rollback(_) | Self::RollbackTo(_) => "setting.rollback",
            Self::Promote(_) => "setting.promote",
            Self::Confirm(_) => "setting.confirm",
        }
    }
}
