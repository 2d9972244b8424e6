//! Keeping the gate and the database together: tickets that stay pending are published again, sales the gate lacks are put
//! into it, and a difference that stays is ended by a rebuild.

use std::collections::HashMap;
use std::time::Duration;

use super::republish::Republisher;
use super::{Orders, OrdersError};
use crate::kernel::SaleId;
use crate::store;

/// Looks in a row at which the same difference must be seen, before it is not merely something on its way.
const DRIFT_LOOKS: u32 = 3;

/// What one round found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Tickets published again.
    pub republished: usize,
    /// Units that the gate has free and the database has not.
    pub surplus: u64,
    /// Units that the database has free and the gate has not.
    pub deficit: u64,
    /// Sales whose gate was rebuilt.
    pub rebuilt: usize,
}

/// Remembers differences from round to round.
#[derive(Debug, Default)]
pub struct Reconciler {
    drifting: HashMap<SaleId, (i64, u32)>,
    republisher: Republisher,
}

impl Reconciler {
    /// One round over the sales that belong into the gate.
    pub async fn round(
        &mut self,
        orders: &Orders,
        retention: Duration,
        pending_after: Duration,
    ) -> Result<Reconciled, OrdersError> {
        let sales = orders.gated_sales(retention);
        let mut result = Reconciled::default();
        let mut rebuild = Vec::new();
        for sale in &sales {
            result.republished += self.republisher.round(orders, *sale, pending_after).await?;
            let drift = orders.drift(*sale).await?;
            let units = drift.unwrap_or(0);
            *(if units > 0 { &mut result.surplus } else { &mut result.deficit }) += units.unsigned_abs();
            if self.must_rebuild(*sale, drift) {
                tracing::warn!(%sale, ?drift, "gate differs from the database");
                rebuild.push(*sale);
            }
        }
        self.drifting.retain(|sale, _| sales.contains(sale));
        self.republisher.retain(&sales);
        if !rebuild.is_empty() {
            result.rebuilt = orders.rebuild_all(&rebuild).await?.opened;
        }
        orders.forget_all_but(&sales).await?;
        Ok(result)
    }

    /// `None` is a sale that the gate does not hold.
    fn must_rebuild(&mut self, sale: SaleId, drift: Option<i64>) -> bool {
        let Some(drift) = drift else { return true };
        let (seen, looks) = self.drifting.entry(sale).or_default();
        if drift == 0 || *seen != drift {
            (*seen, *looks) = (drift, 0);
        }
        *looks += u32::from(drift != 0);
        *looks >= DRIFT_LOOKS
    }
}

impl Orders {
    /// Units free by the gate less units free by the database, while nothing is pending; 0 otherwise.
    async fn drift(&self, sale: SaleId) -> Result<Option<i64>, OrdersError> {
        let Some(counts) = self.0.gate.counts(sale).await? else { return Ok(None) };
        if counts.pending > 0 {
            return Ok(Some(0));
        }
        let facts = store::read!(&self.0.db, |conn| sql::orders::sale_facts(conn, sale).await)?;
        Ok(Some(facts.map_or(0, |facts| i64::from(counts.left) - i64::from(facts.left))))
    }

    /// Lets the gate forget sales that were over long ago.
    async fn forget_all_but(&self, sales: &[SaleId]) -> Result<(), OrdersError> {
        for sale in self.0.gate.sales().await? {
            if !sales.contains(&sale) {
                self.0.gate.forget(sale).await?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_difference_that_stays_the_same_leads_to_a_rebuild() {
        let sale = SaleId::from_bytes([1; 16]);
        let mut reconciler = Reconciler::default();
        let looks = [1, 2, 2, 0, 2, 2, 2].map(|drift| reconciler.must_rebuild(sale, Some(drift)));
        assert_eq!(looks, [false, false, false, false, false, false, true]);
        assert!(reconciler.must_rebuild(sale, None));
    }
}
