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
