//! Recovery of transactions after a crash or a failure.

use futures_util::future::join_all;

use super::coordinator::{Coordinator, Initiator};
use crate::model::tcc::{GlobalState, Transaction};
use crate::store::{self, StoreError};

impl Coordinator {
    /// Looks for transactions that are due, for ever. Each instance may run it.
    pub async fn recover(&self, initiator: &dyn Initiator) -> Result<(), StoreError> {
        let mut tick = tokio::time::interval(*self.config().poll_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            while self.recover_once(initiator).await? == self.config().batch {}
        }
    }

    /// Claims transactions that are due and drives them as far as they go. Returns how many there were.
    pub async fn recover_once(&self, initiator: &dyn Initiator) -> Result<usize, StoreError> {
        let (now, owner, batch) = (self.clock().now(), self.node().to_owned(), self.config().batch);
        let until = now.plus(*self.config().lease);
        let claimed = store::write!(self.db(), |conn| sql::tcc::claim(conn, &owner, now, until, batch).await)?;
        self.pass("after_claim").await;
        let count = claimed.len();
        let driven = join_all(claimed.into_iter().map(|transaction| self.resume(transaction, initiator))).await;
        driven.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(count)
    }

    /// Cancels what is still undecided, and drives on what is decided.
    async fn resume(&self, transaction: Transaction, initiator: &dyn Initiator) -> Result<GlobalState, StoreError> {
        match transaction.state {
            GlobalState::Trying => {
                tracing::info!(xid = %transaction.xid, kind = transaction.kind, "a global transaction was left undecided");
                self.abort(transaction.xid, "not decided in time", initiator).await
            }
            _ => self.drive(transaction, initiator).await,
        }
    }
}
