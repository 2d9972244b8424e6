//! That transactions have ended is written down for all that end at the same moment together. Nothing is decided here: one whose end is
//! not written is driven to its end again, which changes nothing but this.

use std::collections::BTreeSet;

use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use crate::kernel::{Timestamp, Xid};
use crate::store::{self, Database, StoreError};

/// Ends that wait to be written. The task that gets the turn writes all of them, so this needs neither a timer nor a task of its own.
#[derive(Default)]
pub(super) struct Endings {
    waiting: Mutex<Vec<Ending>>,
    turn: tokio::sync::Mutex<()>,
}

struct Ending {
    xid: Xid,
    confirmed: bool,
    told: oneshot::Sender<Result<bool, StoreError>>,
}

impl Endings {
    /// Writes down that all branches are confirmed, or else cancelled; whether the transaction had not ended before.
    pub(super) async fn write(
        &self,
        db: &Database,
        xid: Xid,
        confirmed: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (told, mut outcome) = oneshot::channel();
        self.waiting.lock().push(Ending { xid, confirmed, told });
        let _turn = self.turn.lock().await;
        match outcome.try_recv() {
            // The previous holder of the turn wrote this one, too.
            Ok(ended) => return ended,
            Err(TryRecvError::Empty) => {}
            // It was dropped while writing: whether this one was written is unknown.
            Err(TryRecvError::Closed) => return Ok(write(db, vec![(xid, confirmed)], now).await?.contains(&xid)),
        }
        let all = std::mem::take(&mut *self.waiting.lock());
        let written = write(db, all.iter().map(|ending| (ending.xid, ending.confirmed)).collect(), now).await;
        for Ending { xid, told, .. } in all {
            // The caller may have gone away.
            let _ = told.send(written.as_ref().map(|ended| ended.contains(&xid)).map_err(Clone::clone));
        }
        outcome.try_recv().unwrap_or_else(|_| Err(StoreError::internal("the end of a transaction was lost")))
    }
}

async fn write(db: &Database, ends: Vec<(Xid, bool)>, now: Timestamp) -> Result<BTreeSet<Xid>, StoreError> {
    let of =
        |wanted: bool| ends.iter().filter(move |(_, confirmed)| *confirmed == wanted).map(|(xid, _)| *xid).collect();
    let kinds: [(bool, Vec<Xid>); 2] = [(true, of(true)), (false, of(false))];
    store::write!(db, |conn| {
        let mut ended = BTreeSet::new();
        for (confirmed, xids) in kinds {
            if !xids.is_empty() {
                ended.extend(sql::tcc::end(conn, &xids, confirmed, now).await?);
            }
        }
        Ok(ended)
    })
}
