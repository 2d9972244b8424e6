//! The report of a sale: what became of each unit and each accepted purchase, and whether it adds up. All its rows are read page by page
//! in one view of the database, so its numbers are of one moment and its memory does not depend on the sale.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::service::Sales;
use crate::gate::{Gate, GateError};
use crate::kernel::{SaleId, TicketId, Timestamp, UserId};
use crate::model::sale_report::{Counts, Digester, EXAMPLES_MAX, Facts, GateView, Report, Row};
use crate::model::sales::{Outcome, OutcomeState, SaleStatus};
use crate::store::{self, Database, StoreError};

/// Rows that are read at once.
const PAGE: usize = 1_000;

/// How often the gate and the database are looked at again when they differ: an event may be on its way between them.
const LOOKS: u32 = 5;
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Why there is no report now.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// This node makes as many as it may.
    #[error("this node is already preparing as many reports as it may (sales.reports_max)")]
    Busy,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Takes the rows of a report while they are read.
pub type Sink = Box<dyn FnMut(&[Row]) -> io::Result<()> + Send>;

/// What was read of a sale.
struct Read {
    facts: Facts,
    counts: Counts,
    digest: String,
}

/// The report of a sale as it is in the database; `None` when there is no such sale. `sink` gets the rows.
pub async fn read_report(
    db: &Database,
    id: SaleId,
    gate: GateView,
    now: Timestamp,
    sink: Option<Sink>,
) -> Result<Option<Report>, StoreError> {
    let found = read(db, id, gate, now, sink).await?;
    Ok(found.map(|Read { facts, counts, digest }| Report::new(&facts, counts, digest)))
}

async fn read(
    db: &Database,
    id: SaleId,
    gate: GateView,
    now: Timestamp,
    mut sink: Option<Sink>,
) -> Result<Option<Read>, StoreError> {
    store::view!(db, |conn| {
        let Some(offer) = sql::sales::find_offer(conn, id, now).await? else { return Ok(None) };
        let history = sql::sale_report::stock_history(conn, id, offer.sale.limit_per_buyer).await?;
        let tickets = sql::outcomes::by_status(conn, id).await?.iter().map(|alike| alike.tickets).sum();
        let (mut counts, mut digester) = (Counts::new(history.limit_max, offer.sale.number), Digester::default());
        let mut after = None;
        loop {
            let rows = sql::sale_report::page(conn, id, after, PAGE).await?;
            for row in &rows {
                counts.add(row);
                digester.add(row);
            }
            if let Some(sink) = &mut sink {
                sink(&rows).map_err(|error| {
                    StoreError::internal(format!("could not write the rows: {error}")).caused_by(error)
                })?;
            }
            after = rows.last().map(|row| row.ticket);
            if rows.len() < PAGE {
                break;
            }
        }
        let live_buyers = sql::sale_report::live_buyers(conn, id).await?;
        let doubled = if live_buyers == counts.live() {
            Vec::new()
        } else {
            sql::sale_report::doubled_buyers(conn, id, EXAMPLES_MAX).await?
        };
        let facts = Facts { offer, history, tickets, live_buyers, doubled, gate, drift: None, as_of: now };
        Ok(Some(Read { facts, counts, digest: digester.finish() }))
    })
}

impl Sales {
    /// The report of a sale; `None` when there is no such sale.
    pub async fn report(&self, id: SaleId) -> Result<Option<Report>, ReportError> {
        let Ok(permit) = self.0.reports.clone().try_acquire_owned() else { return Err(ReportError::Busy) };
        let sales = self.clone();
        // In a task of its own: a caller that goes away must not free the permit while the database still reads for this report.
        let making = tokio::spawn(async move {
            let _permit = permit;
            sales.make_report(id).await
        });
        Ok(making.await.map_err(StoreError::internal_by)??)
    }

    async fn make_report(&self, id: SaleId) -> Result<Option<Report>, StoreError> {
        // The gate first: what it says is decided is in the database by then.
        let gate = view_of(self.parts().gate.as_ref(), id).await;
        let now = self.parts().clock.now();
        let Some(found) = read(&self.parts().db, id, gate, now, None).await? else { return Ok(None) };
        let Read { mut facts, counts, digest } = found;
        if let GateView::Holds { left, pending: 0, .. } = gate
            && facts.status() == SaleStatus::Ended
            && left != u64::from(facts.offer.stock.left)
        {
            facts.drift = self.look_again(id).await?;
        }
        Ok(Some(Report::new(&facts, counts, digest)))
    }

    /// Free units of the gate and of the database, as soon as they are the same, or at last.
    async fn look_again(&self, id: SaleId) -> Result<Option<(u64, u64)>, StoreError> {
        let mut seen = None;
        for look in 0..LOOKS {
            if look > 0 {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            let GateView::Holds { left, .. } = view_of(self.parts().gate.as_ref(), id).await else { continue };
            let stored = store::read!(&self.parts().db, |conn| sql::sale_report::units_free(conn, id).await)?;
            seen = Some((left, stored));
            if left == stored {
                break;
            }
        }
        Ok(seen)
    }

    /// The next rows of a sale's report, as they are now; none when there are no more.
    pub async fn report_rows(&self, id: SaleId, after: Option<TicketId>) -> Result<Vec<Row>, StoreError> {
        store::read!(&self.parts().db, |conn| sql::sale_report::page(conn, id, after, PAGE).await)
    }

    /// Writes down that an operator downloaded the rows of a report: they name buyers.
    pub async fn audit_download(&self, operator: UserId, id: SaleId, format: &str) -> Result<(), StoreError> {
        let audit = self.audit(operator, "sale.report", &id, json!({ "format": format }));
        store::write!(&self.parts().db, |conn| sql::catalog::write_down(conn, &audit).await)
    }

    /// The digest of the report of a sale whose outcome is settled.
    pub async fn outcome_digest(&self, id: SaleId, outcome: &Outcome) -> Result<Option<Arc<str>>, StoreError> {
        if !outcome.settled {
            return Ok(None);
        }
        let state = outcome.state;
        if let Some(digest) = self.known_digest(id, state) {
            return Ok(Some(digest));
        }
        let sales = self.clone();
        let making = tokio::spawn(async move {
            // One at a time: all who see the end of a sale ask at once.
            let _turn = sales.0.digesting.lock().await;
            match sales.known_digest(id, state) {
                Some(digest) => Ok(Some(digest)),
                None => sales.make_digest(id, state).await,
            }
        });
        making.await.map_err(StoreError::internal_by)?
    }

    async fn make_digest(&self, id: SaleId, state: OutcomeState) -> Result<Option<Arc<str>>, StoreError> {
        let (found, digest) = store::view!(&self.parts().db, |conn| {
            let counted = sql::outcomes::count(conn, id).await?;
            let (mut digester, mut after) = (Digester::default(), None);
            loop {
                let rows = sql::sale_report::page(conn, id, after, PAGE).await?;
                for row in &rows {
                    digester.add(row);
                }
                after = rows.last().map(|row| row.ticket);
                if rows.len() < PAGE {
                    return Ok((OutcomeState::of(&counted), digester.finish()));
                }
            }
        })?;
        let digest: Arc<str> = digest.into();
        self.0.digests.insert(id, (found, digest.clone()));
        if found != state {
            // Something has changed since the outcome was counted: it is counted again, and then this may be its digest.
            self.0.outcomes.remove(&id);
            return Ok(None);
        }
        Ok(Some(digest))
    }

    fn known_digest(&self, id: SaleId, state: OutcomeState) -> Option<Arc<str>> {
        self.0.digests.get(&id).filter(|(of, _)| *of == state).map(|(_, digest)| digest)
    }
}

/// What the gate knows of the sale.
async fn view_of(gate: &dyn Gate, id: SaleId) -> GateView {
    // The epoch first: one that is raised in between has no numbers yet.
    let asked = async { Ok::<_, GateError>((gate.terms(id).await?, gate.counts(id).await?)) };
    match asked.await {
        Ok((Some(terms), Some(counts))) => GateView::Holds {
            epoch: terms.epoch,
            left: counts.left.into(),
            pending: counts.pending.into(),
            seq: counts.seq,
        },
        Ok(_) => GateView::Absent,
        Err(error) => {
            tracing::warn!(%error, sale = %id, "the gate did not respond for a report");
            GateView::Unreachable
        }
    }
}
