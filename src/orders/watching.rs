//! What the control room asks about sales and money, apart from the lists: a sale in its gate, and how much waits for a person.

use std::time::Duration;

use super::money_lists::MoneyKey;
use super::{Orders, OrdersError};
use crate::kernel::{SaleId, Timestamp};
use crate::store;

/// Stuck payments and refunds are counted up to so many of each.
const COUNTED_MAX: usize = 100;
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

    /// Payments and refunds that need an operator's attention, up to [`COUNTED_MAX`] of each, and open discrepancies of bills.
    pub async fn money_waiting(&self) -> Result<(u64, u64), OrdersError> {
        let stuck = self.stuck(MoneyKey::START, MoneyKey::START, COUNTED_MAX).await?;
        let open = store::read!(&self.0.db, |conn| sql::bills::open_by_kind(conn).await)?;
        let bills = open.iter().map(|(_, count)| count.unsigned_abs()).sum();
        Ok(((stuck.payments.len() + stuck.refunds.len()) as u64, bills))
    }
}
