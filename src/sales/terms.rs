//! The gate's copy of a sale's terms: version, window, limit, total, pause and end. An operator's change updates it
//! immediately, or through the outbox while the gate is unavailable. Rebuilds and reconciliation compare all of it with
//! the database.

use std::time::Duration;

use super::service::Sales;
use crate::gate::GateError;
use crate::kernel::{Backoff, SaleId};
use crate::model::gate::SaleTerms;
use crate::model::snapshot::{Offer, Snapshot};
use crate::store::{self, StoreError};

/// The first wait before a delivery is tried again.
const RETRY_FIRST: Duration = Duration::from_millis(50);

/// The longest wait: how late the gate may hear of an act once it is back. It costs a local check while Redis is known to be away.
const RETRY_MAX: Duration = Duration::from_millis(500);

/// How the gate's copy compared with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateCopy {
    /// The gate does not hold the sale: only a rebuild helps.
    Missing,
    /// It is the same.
    Current,
    /// It differed, and was replaced.
    Replaced,
    /// It has another epoch or a later version, which an update can't replace. Either there was an act or a rebuild since the
    /// database was read, or the database was set back.
    Foreign,
}

/// The comparison could not be made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GateCopyError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gate failed. Whether it took the terms is unknown.
    #[error(transparent)]
    Gate(#[from] GateError),
}

impl Sales {
    /// The sales that belong into the gate, as the database has them: no drafts, and not over for longer than `retention`.
    pub async fn gated(&self, retention: Duration) -> Result<Vec<Offer>, StoreError> {
        let now = self.parts().clock.now();
        let since = now.minus(retention);
        store::read!(&self.parts().db, |conn| sql::sales::published_since(conn, since, now).await)
    }

    /// Compares the gate's copy with `offer`, which was read from the database before, and replaces it if it differs: two calls, no
    /// rebuild.
    pub async fn update_gate(&self, offer: &Offer) -> Result<GateCopy, GateError> {
        let gate = &self.parts().gate;
        let terms = offer.terms();
        let Some(held) = gate.terms(terms.sale).await? else {
            // A rebuild that is under way takes them.
            gate.update(terms).await?;
            return Ok(GateCopy::Missing);
        };
        if held == terms {
            return Ok(GateCopy::Current);
        }
        if held.epoch != terms.epoch || held.version > terms.version {
            return Ok(GateCopy::Foreign);
        }
        tracing::info!(sale = %terms.sale, ?held, ?terms, "replaced the terms of a sale in the gate");
        gate.update(terms).await?;
        Ok(GateCopy::Replaced)
    }

    /// [`Sales::update_gate`] with the sale as it is now.
    pub async fn update_gate_from_store(&self, sale: SaleId) -> Result<GateCopy, GateCopyError> {
        let now = self.parts().clock.now();
        let offer = store::read!(&self.parts().db, |conn| sql::sales::find_offer(conn, sale, now).await)?;
        match offer.filter(|offer| !offer.is_draft()) {
            Some(offer) => Ok(self.update_gate(&offer).await?),
            None => Ok(GateCopy::Missing),
        }
    }

    /// Takes the sale's terms to the gate, however long the gate is away. A sale that the gate does not hold is left to the rebuild,
    /// which opens with the terms of then.
    pub async fn deliver_to_gate(&self, sale: SaleId) {
        let mut backoff = Backoff::new(self.parts().rng.clone(), RETRY_FIRST, RETRY_MAX);
        let mut failures = 0_u64;
        while let Err(error) = self.update_gate_from_store(sale).await {
            if failures == 0 {
                tracing::warn!(%error, %sale, "the terms of a sale are not delivered to the gate yet");
            }
            failures += 1;
            tokio::time::sleep(backoff.next_wait()).await;
        }
        if failures > 0 {
            tracing::info!(%sale, failures, "delivered the terms of a sale to the gate");
        }
    }

    /// Whether the gate admits by the sale as it is in `offer`, or by a later version. False also while the gate can't be asked or is
    /// being rebuilt; `None` where nothing is admitted: drafts, and sales that were over long ago.
    pub async fn gate_is_up_to_date(&self, offer: &Offer) -> Option<bool> {
        if offer.is_draft() {
            return None;
        }
        let mut terms = offer.terms();
        match self.parts().gate.terms(terms.sale).await {
            Ok(Some(held)) => {
                // A rebuild changes nothing but the epoch.
                terms.epoch = terms.epoch.max(held.epoch);
                Some(held.version > terms.version || held == terms)
            }
            Ok(None) => (offer.session.ends_at > self.parts().clock.now()).then_some(false),
            Err(_) => Some(false),
        }
    }

    /// Has every node read the catalog again if one of `offers`, just read, was edited without an act: a session's window by SQL, say.
    /// Such an edit does not raise the catalog's revision, so that nobody would notice.
    pub async fn follow_edits(&self, offers: &[Offer]) -> Result<(), StoreError> {
        // The second look is at a snapshot that has all acts.
        if edited(offers, &self.snapshot()).is_none() || self.poll().await? {
            return Ok(());
        }
        let Some(offer) = edited(offers, &self.snapshot()) else { return Ok(()) };
        tracing::info!(sale = %offer.sale.id, "a sale was edited directly in the database; every node reloads the catalog");
        store::write!(&self.parts().db, |conn| sql::catalog::raise_revision(conn).await.map(drop))?;
        self.refresh().await.map(drop)
    }
}

/// A sale whose terms in the database are not those of the snapshot, and not older ones. The epoch is a matter of the gate alone.
fn edited<'a>(offers: &'a [Offer], snapshot: &Snapshot) -> Option<&'a Offer> {
    offers.iter().find(|offer| {
        let Some(known) = snapshot.offer(offer.sale.id) else { return false };
        let terms = SaleTerms { epoch: offer.sale.epoch, ..known.terms() };
        known.sale.version <= offer.sale.version && terms != offer.terms()
    })
}
