//! What the control room asks about a sale in its gate.

use std::time::Duration;

use super::{Orders, OrdersError};
use crate::kernel::{SaleId, Timestamp};

/// Gates on other machines may be ahead of this one's clock.
const AHEAD: Duration = Duration::from_secs(60);

/// A sale as its gate has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateView {
    /// Units free.
    pub free: u32,
    /// Tickets of whose decision the gate has not heard.
    pub pending: u32,
    /// When the oldest of them was admitted.
    pub oldest: Option<Timestamp>,
}

impl Orders {
    /// The sale in its gate; `None` when the gate does not hold it.
    pub async fn gate_view(&self, sale: SaleId) -> Result<Option<GateView>, OrdersError> {
        let gate = &self.0.gate;
        let Some(counts) = gate.counts(sale).await? else { return Ok(None) };
        let oldest = match counts.pending {
            0 => None,
            _ => gate.pending(sale, self.0.clock.now().plus(AHEAD), 0, 1).await?.first().map(|ticket| ticket.at),
        };
        // What was decided in between does not wait any more.
        let pending = if oldest.is_some() { counts.pending } else { 0 };
        Ok(Some(GateView { free: counts.left, pending, oldest }))
    }
}
