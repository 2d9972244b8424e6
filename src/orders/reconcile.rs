//! Keeps the gate and the database consistent: different terms are replaced, tickets that stay pending are republished,
//! missing sales are added to the gate, and a persistent difference is resolved by a rebuild.

use std::collections::HashMap;
use std::time::Duration;

use super::republish::Republisher;
use super::{Orders, OrdersError};
use crate::kernel::SaleId;
use crate::sales::GateCopy;
use crate::store;

/// Looks in a row at which the same difference must be seen, before it is not merely something on its way.
const DRIFT_LOOKS: u32 = 3;

/// The findings of one round.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Sales whose terms in the gate were replaced.
    pub replaced: u64,
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
    drifting: HashMap<SaleId, (Difference, u32)>,
    republisher: Republisher,
}

/// How the gate's copy of a sale differs from the database in what an update can't repair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Difference {
    /// Units free by the gate less units free by the database.
    units: i64,
    /// Whether the gate has another epoch or a later version.
    foreign: bool,
}

impl Reconciler {
    /// One round over the sales that belong into the gate.
    pub async fn round(
        &mut self,
        orders: &Orders,
        retention: Duration,
        pending_after: Duration,
    ) -> Result<Reconciled, OrdersError> {
        // Read first: a sale that is published after this is forgotten by nobody.
        let held = orders.0.gate.sales().await?;
        let offers = orders.0.sales.gated(retention).await?;
        let mut result = Reconciled::default();
        // The terms of all sales first: no sale may sell by old ones for as long as another one's tickets take.
        let mut copies = Vec::with_capacity(offers.len());
        for offer in &offers {
            let copy = orders.0.sales.update_gate(offer).await?;
            result.replaced += u64::from(copy == GateCopy::Replaced);
            copies.push((offer.sale.id, copy));
        }
        orders.0.sales.follow_edits(&offers).await?;
        let mut rebuild = Vec::new();
        for &(sale, copy) in &copies {
            // A partition that is away keeps nobody from looking at the sales of the others.
            match self.republisher.round(orders, sale, pending_after).await {
                Ok(republished) => result.republished += republished,
                Err(error @ OrdersError::Broker(_)) => {
                    tracing::warn!(%sale, %error, "could not republish pending tickets yet");
                }
                Err(error) => return Err(error),
            }
            let units = orders.drift(sale).await?;
            let drift = units.map(|units| Difference { units, foreign: copy == GateCopy::Foreign });
            let units = units.unwrap_or(0);
            *(if units > 0 { &mut result.surplus } else { &mut result.deficit }) += units.unsigned_abs();
            if self.must_rebuild(sale, drift) {
                tracing::warn!(%sale, ?drift, "the gate differs from the database");
                rebuild.push(sale);
            }
        }
        let is_gated = |sale: &SaleId| offers.iter().any(|offer| offer.sale.id == *sale);
        self.drifting.retain(|sale, _| is_gated(sale));
        self.republisher.retain(is_gated);
        if !rebuild.is_empty() {
            result.rebuilt = orders.rebuild_all(&rebuild).await?.opened;
        }
        for sale in held.iter().filter(|sale| !is_gated(sale)) {
            orders.0.gate.forget(*sale).await?;
        }
        Ok(result)
    }

    /// `None` is a sale that the gate does not hold.
    fn must_rebuild(&mut self, sale: SaleId, drift: Option<Difference>) -> bool {
        let Some(drift) = drift else { return true };
        let (seen, looks) = self.drifting.entry(sale).or_default();
        let differs = drift != Difference::default();
        if !differs || *seen != drift {
            (*seen, *looks) = (drift, 0);
        }
        *looks += u32::from(differs);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_difference_that_stays_the_same_leads_to_a_rebuild() {
        let sale = SaleId::from_bytes([1; 16]);
        let mut reconciler = Reconciler::default();
        let mut looks = |units, foreign| reconciler.must_rebuild(sale, Some(Difference { units, foreign }));
        assert_eq!(
            [1, 2, 2, 0, 2, 2, 2].map(|units| looks(units, false)),
            [false, false, false, false, false, false, true]
        );
        assert_eq!(
            [false, true, true, false, true, true, true].map(|foreign| looks(0, foreign)),
            [false, false, false, false, false, false, true]
        );
        assert!(reconciler.must_rebuild(sale, None));
    }
}
