//! What a report judges besides the rows.

use crate::kernel::{Epoch, Seq, Timestamp, UserId};
use crate::model::sales::SaleStatus;
use crate::model::snapshot::Offer;

/// Rows named by a check at most.
pub const EXAMPLES_MAX: usize = 5;

/// What the records say about the units that a sale was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StockHistory {
    /// Units when it was published; `None` if nothing recorded them.
    pub at_publication: Option<u64>,
    /// Units that operators added.
    pub added: u64,
    /// The sum of the changes that were made in SQL.
    pub edited: i64,
    /// The highest limit per buyer that ever applied.
    pub limit_max: u64,
}

/// What is known of the sale's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateView {
    /// It holds the sale.
    Holds {
        /// Its epoch.
        epoch: Epoch,
        /// Units free.
        left: u64,
        /// Tickets that are not decided.
        pending: u64,
        /// The last number that it gave in this epoch.
        seq: Seq,
    },
    /// It does not hold the sale: a draft, or one that was over long ago.
    Absent,
    /// It did not answer.
    Unreachable,
    /// It was not asked: it is in the memory of a server. `waiting`: messages with undecided tickets of all sales.
    NotAsked {
        /// Messages that wait for the order writer.
        waiting: u64,
    },
}

/// What is counted otherwise than from the rows, at the same moment.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The sale.
    pub offer: Offer,
    /// Its units.
    pub history: StockHistory,
    /// Its decided tickets, counted by the database.
    pub tickets: u64,
    /// Buyers with live orders.
    pub live_buyers: u64,
    /// Some of the buyers with several.
    pub doubled: Vec<UserId>,
    /// The gate.
    pub gate: GateView,
    /// Free units of the gate and of the database at a moment at which both stood still, if that was not the moment of the rest.
    pub drift: Option<(u64, u64)>,
    /// When all this was read.
    pub as_of: Timestamp,
}

impl Facts {
    /// The status of the sale at that moment.
    pub fn status(&self) -> SaleStatus {
        self.offer.sale.status(&self.offer.session, self.offer.stock.left, self.as_of)
    }

    /// Whether no accepted purchase waits for its decision.
    pub fn is_decided(&self) -> bool {
        match self.gate {
            GateView::Holds { pending, .. } => pending == 0,
            GateView::Absent => self.status() == SaleStatus::Ended,
            GateView::Unreachable => false,
            GateView::NotAsked { waiting } => waiting == 0,
        }
    }
}
