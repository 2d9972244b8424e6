//! Rebuilds gates from the database, at start and whenever they disagree. The gate is a cache; the database is the
//! system of record. The order of steps matters: first the sale is closed, so that nothing new is admitted; then the
//! order writer records everything that was admitted; only then are the tickets counted and the sale is opened under a
//! new epoch.
//!
//! Sales are opened independently: a large or failing sale does not keep others closed. They share the barrier of their
//! partition and take turns: running sales come first, and among them those with the fewest units sold.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{Orders, OrdersError};
use crate::broker::BrokerError;
use crate::gate::Release;
use crate::kernel::{Epoch, SaleId, TicketId, Timestamp, next_epoch};
use crate::model::gate::{KnownTicket, Units};
use crate::model::messages::Topic;
use crate::model::sales::{SaleState, SessionStatus};
use crate::model::snapshot::Offer;
use crate::store;

/// The subscription of the order writer, and so the group whose progress is the barrier.
pub const WRITER: &str = "order-writer";

/// How often the barrier is looked at.
const BARRIER_POLL: Duration = Duration::from_millis(20);

/// How long one attempt waits for the order writer of a partition. What it wrote meanwhile need not be written again.
const BARRIER_WAIT: Duration = Duration::from_secs(30);

/// Sales that are loaded at the same time: so few that purchases of open sales keep most of the database's connections.
const LOADS_AT_ONCE: usize = 3;

/// Tickets read and loaded in one go: some milliseconds in the database, and less than a megabyte.
const PAGE: usize = 2_000;

/// How far the clocks of two nodes may differ when one looks for what another closed.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// The result of rebuilding several sales. A sale missing from both numbers is being rebuilt by another node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Sales that are open again.
    pub opened: usize,
    /// Sales that stay closed; each was logged with its reason.
    pub failed: usize,
}

impl Orders {
    /// Fills and opens the gate of every sale that can still be bought from or cancelled. Needs the order writer running.
    /// `retention`: how long after its end a sale stays in the gate.
    pub async fn open_gates(&self, retention: Duration) -> Result<Rebuilt, OrdersError> {
        let sales = self.gated_sales(retention);
        self.rebuild_all(&sales).await
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

    /// Closes all of them, then drains, counts and opens each by itself. A sale whose epoch another node raises meanwhile is
    /// left to that node. Those that fail are still closed: rebuild them again.
    pub(super) async fn rebuild_all(&self, sales: &[SaleId]) -> Result<Rebuilt, OrdersError> {
        let snapshot = self.0.sales.refresh().await?;
        let now = self.0.clock.now();
        let mut offers: Vec<Offer> = sales.iter().filter_map(|id| snapshot.offer(*id).cloned()).collect();
        offers.sort_by_cached_key(|offer| turn(offer, now));
        let mut result = Rebuilt::default();
        let mut partitions: BTreeMap<u32, Vec<Offer>> = BTreeMap::new();
        for offer in offers {
            match self.0.gate.forget(offer.sale.id).await {
                Ok(()) => partitions.entry(self.partition_of(offer.sale.id)).or_default().push(offer),
                Err(error) => result.add(self.note(offer.sale.id, Err(error.into()))),
            }
        }
        let permits = Semaphore::new(LOADS_AT_ONCE);
        let opened = partitions.into_iter().map(|(partition, offers)| self.open_those_of(partition, offers, &permits));
        join_all(opened).await.into_iter().for_each(|part| result.add(part));
        Ok(result)
    }

    fn partition_of(&self, sale: SaleId) -> u32 {
        self.0.broker.partition_of(Topic::OrderRequests, &sale.to_bytes())
    }

    /// Opens closed sales of one partition.
    async fn open_those_of(&self, partition: u32, offers: Vec<Offer>, permits: &Semaphore) -> Rebuilt {
        let mut result = Rebuilt::default();
        if let Err(error) = self.drain(partition).await {
            for offer in offers {
                result.add(self.note(offer.sale.id, Err(error.clone())));
            }
            return result;
        }
        // Permits are given in the order in which they are asked for.
        let opened = offers.into_iter().map(|offer| self.open_in_turn(partition, offer, permits));
        join_all(opened).await.into_iter().for_each(|one| result.add(one));
        result
    }

    async fn open_in_turn(&self, partition: u32, offer: Offer, permits: &Semaphore) -> Rebuilt {
        let _permit = permits.acquire().await;
        let opened = self.open_drained(partition, offer.sale.id, offer.sale.epoch).await;
        self.note(offer.sale.id, opened)
    }

    /// Logs and counts what came of one sale.
    fn note(&self, sale: SaleId, outcome: Result<Option<usize>, OrdersError>) -> Rebuilt {
        let rebuilds = &self.0.metrics.gate_rebuilds;
        match outcome {
            Ok(Some(tickets)) => {
                tracing::info!(%sale, tickets, "rebuilt the gate of a sale");
                rebuilds.count("opened");
                Rebuilt { opened: 1, failed: 0 }
            }
            Ok(None) => {
                tracing::info!(%sale, "another node is rebuilding the gate of this sale");
                rebuilds.count("left");
                Rebuilt::default()
            }
            Err(error) => {
                tracing::warn!(%sale, %error, "could not rebuild the gate; the sale stays closed until the next attempt");
                rebuilds.count("failed");
                Rebuilt { opened: 0, failed: 1 }
            }
        }
    }

    /// Waits until the order writer has decided everything that was published to the partition before this call.
    async fn drain(&self, partition: u32) -> Result<(), OrdersError> {
        #[cfg(feature = "sabotage")]
        if crate::kernel::sabotage::active("rebuild.skip_broker") {
            return Ok(());
        }
        let broker = &self.0.broker;
        let drained = async {
            let barrier = broker.end_position(Topic::OrderRequests, partition).await?;
            while broker.acked_through(Topic::OrderRequests, partition, WRITER).await? < barrier {
                tokio::time::sleep(BARRIER_POLL).await;
            }
            Ok(())
        };
        let late = || format!("the order writer of partition {partition} is behind");
        timeout(BARRIER_WAIT, drained).await.unwrap_or_else(|_| Err(BrokerError::Unavailable(late()).into()))
    }

    /// Counts and opens a sale that is closed and drained. How many tickets it has; `None` when another node has taken over.
    async fn open_drained(&self, drained: u32, id: SaleId, from: Epoch) -> Result<Option<usize>, OrdersError> {
        if self.partition_of(id) != drained {
            return Err(BrokerError::Unavailable("the number of partitions was raised in the meantime".into()).into());
        }
        let began = self.0.clock.now();
        let epoch = next_epoch(from, began);
        if !self.raise_epoch(id, from, epoch).await? {
            return Ok(None);
        }
        let snapshot = self.0.sales.refresh().await?;
        let Some(offer) = snapshot.offer(id).filter(|offer| offer.sale.epoch == epoch) else { return Ok(None) };
        let Some(mut loading) = self.0.gate.begin(offer.terms()).await? else { return Ok(None) };
        let (mut tickets, mut after) = (0, None);
        loop {
            let page = self.page_of_tickets(offer, after).await?;
            let last = page.last().map(|(known, _)| known.ticket);
            tickets += page.len();
            let is_whole = page.len() == PAGE;
            loading.add(page.into_iter().map(|(known, _)| known).collect()).await?;
            if !is_whole {
                break;
            }
            after = last;
        }
        // An operator's act before `begin` reached a gate that did not have the sale; later acts reach this one.
        let now = self.0.clock.now();
        let found = store::read!(&self.0.db, |conn| sql::sales::find_offer(conn, id, now).await)?;
        let Some(newest) = found.filter(|newest| newest.sale.epoch == offer.sale.epoch) else { return Ok(None) };
        self.0.gate.update(newest.terms()).await?;
        loading.open().await?;
        self.release_closed_since(offer, began.minus(CLOCKS_DIFFER)).await?;
        Ok(Some(tickets))
    }

    async fn page_of_tickets(
        &self,
        offer: &Offer,
        after: Option<TicketId>,
    ) -> Result<Vec<(KnownTicket, Option<Timestamp>)>, OrdersError> {
        let (sale, restocks) = (offer.sale.id, offer.sale.returns_on_refund);
        Ok(store::read!(&self.0.db, |conn| sql::orders::known_tickets(conn, sale, restocks, after, PAGE).await)?)
    }

    /// Orders that were closed after their page was read, and before the gate was open, were loaded as live ones, and the gate
    /// did not hear of their end. What it knows as free already is left as it is.
    async fn release_closed_since(&self, offer: &Offer, since: Timestamp) -> Result<(), OrdersError> {
        let mut after = None;
        loop {
            let page = self.page_of_tickets(offer, after).await?;
            let closed = page
                .iter()
                .filter(|(known, closed_at)| known.units != Units::Held && closed_at.is_some_and(|at| at >= since));
            let release = |(known, _): &(KnownTicket, Option<Timestamp>)| {
                let KnownTicket { ticket, buyer, units, .. } = *known;
                Release { ticket, buyer, restock: units == Units::Free }
            };
            self.0.gate.release_all(&closed.map(release).collect::<Vec<_>>()).await?;
            match page.last() {
                Some((last, _)) if page.len() == PAGE => after = Some(last.ticket),
                _ => return Ok(()),
            }
        }
    }

    /// Whether the epoch was still `from`.
    async fn raise_epoch(&self, sale: SaleId, from: Epoch, to: Epoch) -> Result<bool, OrdersError> {
        Ok(store::write!(&self.0.db, |conn| {
            // The order of locks that operator acts have: their turn, then the sale.
            sql::catalog::take_turn(conn).await?;
            let raised = sql::orders::raise_epoch(conn, sale, from, to).await?;
            if raised {
                // So that every node's snapshot follows.
                sql::catalog::raise_revision(conn).await?;
            }
            Ok(raised)
        })?)
    }
}

impl Rebuilt {
    fn add(&mut self, other: Self) {
        self.opened += other.opened;
        self.failed += other.failed;
    }
}

/// The order in which sales are opened.
fn turn(offer: &Offer, now: Timestamp) -> (u8, u32, Timestamp) {
    let stage = match offer.session.status(now) {
        SessionStatus::Running if offer.sale.state == SaleState::Published => 0,
        SessionStatus::Running | SessionStatus::Upcoming => 1,
        SessionStatus::Ended => 2,
    };
    let stage = if offer.sale.state == SaleState::Ended { 2 } else { stage };
    (stage, offer.stock.total.saturating_sub(offer.stock.left), offer.session.starts_at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kernel::{Currency, Money, ProductId, SessionId};
    use crate::model::sales::{Sale, Session, StockLevel};

    const NOW: Timestamp = Timestamp::from_millis(10_000_000);

    /// A sale in a session that starts at this minute for ten minutes; `now` is minute 0.
    fn offer(number: u8, state: SaleState, minute: i64, sold: u32) -> Offer {
        let at = |minute: i64| Timestamp::from_millis(NOW.as_millis() + minute * 60_000);
        let (id, session_id) = (SaleId::from_bytes([number; 16]), SessionId::from_bytes([number; 16]));
        let session =
            Session { id: session_id, name: None, starts_at: at(minute), ends_at: at(minute + 10), created_at: NOW };
        let sale = Sale {
            id,
            number: number.into(),
            session_id,
            product_id: ProductId::from_bytes([0; 16]),
            price: Money { minor: 100, currency: Currency::Cny },
            points_price: None,
            stock_total: 100,
            limit_per_buyer: 1,
            pay_within: Duration::from_secs(60),
            returns_on_refund: true,
            state,
            held: false,
            epoch: 1,
            version: 1,
            created_at: NOW,
            updated_at: NOW,
            ended_at: None,
        };
        let stock = StockLevel { sale: id, left: 100 - sold, held: sold, total: 100, version: 1, at: NOW };
        Offer { sale: Arc::new(sale), session: Arc::new(session), stock }
    }

    #[test]
    fn running_sales_come_first_and_those_that_are_over_last() {
        use SaleState::{Ended, Paused, Published};
        let mut offers = [
            offer(1, Published, -20, 0),
            offer(2, Ended, -5, 0),
            offer(3, Published, 5, 0),
            offer(4, Paused, -5, 3),
            offer(5, Published, -5, 90),
            offer(6, Published, -5, 2),
        ];
        offers.sort_by_cached_key(|offer| turn(offer, NOW));
        assert_eq!(offers.map(|offer| offer.sale.number), [6, 5, 3, 4, 1, 2]);
    }
}
