//! What came of a sale, once it is over.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::service::Sales;
use crate::kernel::{SaleId, Timestamp};
use crate::model::sales::{Counted, Outcome, OutcomeState, SaleStatus};
use crate::model::snapshot::Offer;
use crate::store::{self, StoreError};

/// How long cached numbers that may still change are served before they are counted again.
const FRESH: Duration = Duration::from_secs(5);

/// The same for numbers that change only if an operator issues a refund.
const SETTLED_FRESH: Duration = Duration::from_secs(60);

impl OutcomeState {
    pub(super) const fn of(counted: &Counted) -> Self {
        Self { tickets: counted.tickets, versions: counted.versions, moved: counted.moved }
    }
}

impl Outcome {
    pub(super) fn of(counted: Counted, offer: &Offer, as_of: Timestamp) -> Self {
        let Counted { tickets, orders, unpaid, paid, refunding, refunded, versions: _, moved } = counted;
        let total = u64::from(offer.sale.stock_total);
        let sold = paid + refunding;
        // What went back on sale is sold again, or left over.
        let refunded = if offer.sale.returns_on_refund { 0 } else { refunded };
        let unsold = total.saturating_sub(sold + refunded + unpaid);
        let (settled, state) = (unpaid + refunding + moved.returning == 0, OutcomeState::of(&counted));
        Self { tickets, orders, total, sold, refunded, unpaid, unsold, settled, as_of, state }
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.as_of.plus(if self.settled { SETTLED_FRESH } else { FRESH })
    }
}

impl Sales {
    /// What came of the sale; `None` before it is over, while a purchase is undecided, and while the gate can't be asked about that.
    pub async fn outcome(&self, offer: &Offer) -> Result<Option<Outcome>, StoreError> {
        let now = self.parts().clock.now();
        let id = offer.sale.id;
        if offer.sale.status(&offer.session, 0, now) != SaleStatus::Ended {
            return Ok(None);
        }
        if let Some(outcome) = self.known_outcome(id, now) {
            return Ok(Some(outcome));
        }
        // A task holds the lock: a subscription whose client reads no data is not polled, and would keep the lock from all others.
        let sales = self.clone();
        let counting = tokio::spawn(async move { sales.count_outcome(id, now).await });
        AbortOnDropHandle::new(counting).await.map_err(StoreError::internal_by)?
    }

    async fn count_outcome(&self, id: SaleId, now: Timestamp) -> Result<Option<Outcome>, StoreError> {
        // One at a time: when a sale ends, many ask at once.
        let _turn = self.0.counting.lock().await;
        if let Some(outcome) = self.known_outcome(id, now) {
            return Ok(Some(outcome));
        }
        // Sales that the gate does not hold any more were decided long ago.
        match self.parts().gate.counts(id).await {
            Ok(counts) if counts.is_none_or(|counts| counts.pending == 0) => {}
            Ok(_) | Err(_) => return Ok(None),
        }
        // The sale from the database as well: units may have been added, or money come back, since the snapshot.
        let found = store::view!(&self.parts().db, |conn| {
            let counted = sql::outcomes::count(conn, id).await?;
            Ok((sql::sales::find_offer(conn, id, now).await?, counted))
        })?;
        let (Some(offer), counted) = found else { return Ok(None) };
        let outcome = Outcome::of(counted, &offer, now);
        self.0.outcomes.insert(id, outcome);
        Ok(Some(outcome))
    }

    fn known_outcome(&self, id: SaleId, now: Timestamp) -> Option<Outcome> {
        self.0.outcomes.get(&id).filter(|outcome| outcome.is_fresh(now))
    }
}
