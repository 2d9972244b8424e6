//! The audit log of operators' actions: one row per action.

use crate::kernel::{AuditId, Timestamp, UserId};

/// One operator act, as it is written down in the act's own transaction.
#[derive(Debug, Clone)]
pub struct Audit {
    /// Identity.
    pub id: AuditId,
    /// The operator.
    pub operator: UserId,
    /// The action, such as `sale.publish`.
    pub act: &'static str,
    /// Public id of what it was done to.
    pub subject: String,
    /// The particulars.
    pub detail: serde_json::Value,
    /// When.
    pub at: Timestamp,
}

/// Something that an operator did or looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Identity.
    pub id: AuditId,
    /// Who.
    pub operator: UserId,
    /// What, such as `sale.pause`.
    pub act: String,
    /// The public id of what it was done to; empty when it was nothing in particular.
    pub subject: String,
    /// The particulars, as JSON.
    pub detail: String,
    /// When.
    pub at: Timestamp,
}

impl Entry {
    /// Why, in the operator's words.
    pub fn reason(&self) -> Option<String> {
        let detail: serde_json::Value = serde_json::from_str(&self.detail).ok()?;
        detail.get("reason")?.as_str().map(str::to_owned)
    }
}

/// What entries are looked for: all that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By this operator.
    pub operator: Option<UserId>,
    /// Acts that begin so.
    pub act: Option<String>,
    /// About this object.
    pub subject: Option<String>,
    /// At or after.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}
