//! Whether the points are right: the invariants of their ledger, from the rows alone. `payments::audit` looks at these and at all
//! others.

use std::collections::BTreeMap;

use crate::kernel::Xid;
use crate::model::points::{Finding, Reservation, ReservationState};
use crate::model::tcc::GlobalState;
use crate::store::{self, Database, StoreError};

/// Transactions that are looked at together.
const PAGE: usize = 500;

/// Every breach of the invariants of points; none is how it must be. `shop` has the global transactions, `points` the
/// accounts. Transactions that have not ended are no breach; `settled` says that there must be none of them.
pub async fn check(shop: &Database, points: &Database, settled: bool) -> Result<Vec<Finding>, StoreError> {
    let mut findings = store::read!(points, |conn| sql::ledger::breaches(conn).await)?;
    let mut after = None;
    loop {
        let page = store::read!(shop, |conn| sql::tcc::page(conn, after, PAGE).await)?;
        let Some((last, _)) = page.last() else { return Ok(findings) };
        after = Some(*last);
        let xids: Vec<Xid> = page.iter().map(|(xid, _)| *xid).collect();
        let held = store::read!(points, |conn| sql::reservations::of_transactions(conn, &xids).await)?;
        let mut by_xid = BTreeMap::<Xid, Vec<Reservation>>::new();
        for reservation in held {
            by_xid.entry(reservation.key.xid).or_default().push(reservation);
        }
        for (xid, state) in page {
            let reservations = by_xid.remove(&xid).unwrap_or_default();
            let Some(finding) = disagreement(xid, state, &reservations, settled) else { continue };
            // It may have gone on between the two databases: only if it is still where it was, it was there at that moment.
            let now = store::read!(shop, |conn| sql::tcc::find(conn, xid).await)?;
            if now.is_none_or(|now| now.state == state) {
                findings.push(finding);
            }
        }
    }
}

fn disagreement(xid: Xid, state: GlobalState, reservations: &[Reservation], settled: bool) -> Option<Finding> {
    use ReservationState::{Cancelled, Confirmed, Rejected, Suspended, Tried};
    let fits = |found: ReservationState| match state {
        GlobalState::Trying => matches!(found, Tried | Rejected),
        GlobalState::Confirming => matches!(found, Tried | Confirmed),
        GlobalState::Cancelling => found != Confirmed,
        GlobalState::Confirmed => found == Confirmed,
        GlobalState::Cancelled => matches!(found, Cancelled | Suspended | Rejected),
    };
    let ended = !settled || state.is_final();
    if ended && reservations.iter().all(|reservation| fits(reservation.state)) {
        return None;
    }
    let found: Vec<_> = reservations.iter().map(|reservation| reservation.state.as_str()).collect();
    let detail = format!("the transaction is {}, its reservations are {found:?}", state.as_str());
    Some(Finding { invariant: 9, subject: xid.to_string(), detail })
}
