//! The messages of `purchase-results`, which inform every node of decisions.

use serde::{Deserialize, Serialize};

use crate::model::orders::Order;
use crate::model::sales::StockLevel;

/// Name of the message type in its envelope.
pub const RESULTS: &str = "purchase-results";

/// Version of [`ResultBatch`] that this build writes.
pub const RESULTS_VERSION: u32 = 1;

/// The decisions of one transaction about one sale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultBatch {
    /// In the order they happened.
    pub events: Vec<ResultEvent>,
}

/// One thing that became so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ResultEvent {
    /// A sale's stock.
    Stock(StockLevel),
    /// A ticket was decided, or its order changed: the whole row as it now is.
    Order(Order),
}
