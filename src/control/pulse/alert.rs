//! Alerts: conditions that an operator should look at.

use crate::kernel::{SaleId, Timestamp};
use std::time::Duration;

/// What it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertCode {
    /// A node has been silent for longer than its lease.
    NodeSilent,
    /// A node is not ready.
    NodeNotReady,
    /// The oldest undecided ticket is too old.
    DecisionsLate,
    /// Accepted purchases take too long.
    PurchasesSlow,
    /// The gate and the orders differ.
    GateDrift,
    /// A dependency does not answer.
    DependencyDown,
    /// Messages are in the dead-letter queue.
    Failures,
    /// Payments, refunds or bills wait for a person.
    Money,
    /// Too many purchases are not answered properly.
    Overload,
}

impl AlertCode {
    /// How long it must be so.
    pub(super) const fn lasts(self) -> Duration {
        match self {
            Self::PurchasesSlow | Self::Overload => Duration::from_secs(5),
            Self::GateDrift => Duration::from_secs(10),
            _ => Duration::ZERO,
        }
    }
}

/// Something that an operator should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What.
    pub code: AlertCode,
    /// Since when.
    pub since: Timestamp,
    /// The number behind it, with its unit.
    pub detail: String,
    /// The sale that it is about; `None`: the shop.
    pub sale: Option<SaleId>,
}
