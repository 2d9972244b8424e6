//! Broadcasts about operators' changes: the messages of `catalog-changes` and `gate-changes`.

use serde::{Deserialize, Serialize};

use crate::kernel::SaleId;

/// Name of the message type in its envelope.
pub const CATALOG_CHANGE: &str = "catalog-change";

/// Version of [`CatalogChange`] that this build writes.
pub const CATALOG_CHANGE_VERSION: u32 = 1;

/// A hint to read the catalog again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogChange {
    /// Public id of the product, session or sale that changed.
    pub subject: String,
    /// The catalog's revision after the change: nodes that have it already need not read.
    pub revision: u64,
}

/// Name of the message type in its envelope.
pub const GATE_CHANGE: &str = "gate-change";

/// Version of [`GateChange`] that this build writes.
pub const GATE_CHANGE_VERSION: u32 = 1;

/// The terms of a sale changed, and the gate must take them over. What they are is read from the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateChange {
    /// The sale.
    pub sale: SaleId,
    /// Version of the sale after the act.
    pub version: u32,
}
