//! The gate is a cache of a promise, the database is the truth: how a gate is filled from it, at start and whenever the two
//! disagree. Order matters. First the gate is closed, so that nothing new is promised; then everything that was promised
//! is written down; only then are the tickets counted and the gate opened under a new epoch.

use std::time::Duration;

use super::{Orders, OrdersError};
use crate::broker::Topic;
use crate::kernel::{Epoch, SaleId};
use crate::store;

/// The subscription of the order writer, and so the group whose progress is the barrier.
pub const WRITER: &str = "order-writer";

/// How often the barrier is looked at.
const BARRIER_POLL: Duration = Duration::from_millis(20);

impl Orders {
    /// Fills and opens the gate of every sale that can still be bought from or cancelled. Needs the order writer running.
    /// `retention`: how long after its end a sale stays in the gate.
    pub async fn open_gates(&self, retention: Duration) -> Result<usize, OrdersError> {
        let sales = self.gated_sales(retention);
        self.rebuild_all(&sales).await?;
        Ok(sales.len())
    }

    /// The sales that belong into the gate now.
    pub(super) fn gated_sales(&self, retention: Duration) -> Vec<SaleId> {
        let snapshot = self.0.sales.snapshot();
        let oldest = self.0.clock.now().minus(retention);
        snapshot
            .offers()
            .iter()
            .filter(|offer| !offer.is_draft() && offer.session.ends_at > oldest)
            .map(|offer| offer.sale.id)
            .collect()
    }

    /// Closes, drains, counts and opens again. A sale whose epoch another node raises meanwhile is left to that node.
    pub(super) async fn rebuild_all(&self, sales: &[SaleId]) -> Result<(), OrdersError> {
        let before = self.0.sales.refresh().await?;
        let offers = sales.iter().filter_map(|id| before.offer(*id));
        let mut epochs: Vec<(SaleId, Epoch)> = offers.map(|offer| (offer.sale.id, offer.sale.epoch)).collect();
        epochs.sort_unstable();
        for (sale, _) in &epochs {
            self.0.gate.forget(*sale).await?;
        }
        self.drain().await?;
        let raised = self.raise_epochs(epochs).await?;
        let snapshot = self.0.sales.refresh().await?;
        for (id, epoch) in raised {
            let Some(offer) = snapshot.offer(id).filter(|offer| offer.sale.epoch == epoch) else { continue };
            let tickets = store::read!(&self.0.db, |conn| sql::orders::known_tickets(conn, id).await)?;
            tracing::info!(sale = %id, epoch, tickets = tickets.len(), "gate rebuilt");
            self.0.gate.rebuild(offer.terms(), tickets).await?;
        }
        Ok(())
    }

    /// Waits until the order writer has decided everything that was published before this call.
    async fn drain(&self) -> Result<(), OrdersError> {
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("rebuild.skip_broker") {
            return Ok(());
        }
        let broker = &self.0.broker;
        let mut partition = 0;
        // Asked each time: there may be more of them meanwhile.
        while partition < broker.partitions(Topic::OrderRequests) {
            let barrier = broker.end_position(Topic::OrderRequests, partition).await?;
            while broker.acked_through(Topic::OrderRequests, partition, WRITER).await? < barrier {
                tokio::time::sleep(BARRIER_POLL).await;
            }
            partition += 1;
        }
        Ok(())
    }

    /// Returns the new epochs of those that were raised.
    async fn raise_epochs(&self, epochs: Vec<(SaleId, Epoch)>) -> Result<Vec<(SaleId, Epoch)>, OrdersError> {
        Ok(store::write!(&self.0.db, |conn| {
            // The order of locks that operator acts have: their turn, then the sale.
            sql::catalog::take_turn(conn).await?;
            let mut raised = Vec::with_capacity(epochs.len());
            for (sale, epoch) in epochs {
                if sql::orders::raise_epoch(conn, sale, epoch).await? {
                    raised.push((sale, epoch + 1));
                }
            }
            // So that every node's snapshot follows.
            sql::catalog::raise_revision(conn).await?;
            Ok(raised)
        })?)
    }
}
