//! How much money waits for a person.

use std::time::Duration;

use super::Payments;
use crate::model::bills::Kind;
use crate::model::lists::MoneyKey;
use crate::orders::OrdersError;
use crate::store;

/// How often it is counted for metrics.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// Stuck payments and refunds are counted up to so many of each.
const COUNTED_MAX: usize = 100;

impl Payments {
    /// Payments and refunds that need an operator's attention, up to [`COUNTED_MAX`] of each, and open discrepancies of bills.
    pub async fn money_waiting(&self) -> Result<(u64, u64), OrdersError> {
        let stuck = self.stuck(MoneyKey::START, MoneyKey::START, COUNTED_MAX).await?;
        let open = store::read!(&self.0.db, |conn| sql::bills::open_by_kind(conn).await)?;
        let bills = open.iter().map(|(_, count)| count.unsigned_abs()).sum();
        Ok(((stuck.payments.len() + stuck.refunds.len()) as u64, bills))
    }

    /// Shows in the metrics what [`Self::money_waiting`] counts, for as long as this node has the job. Operators may act on any node.
    pub async fn keep_counts(&self) {
        let metrics = &self.0.metrics;
        let _here = (metrics.bill_differences.while_here(), metrics.money_stuck.while_here());
        let mut tick = tokio::time::interval(COUNT_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = self.0.counts_due.notified() => {}
            }
            if let Err(error) = self.count().await {
                tracing::warn!(%error, "could not count the money that waits for operators");
            }
        }
    }

    async fn count(&self) -> Result<(), OrdersError> {
        let open = store::read!(&self.0.db, |conn| sql::bills::open_by_kind(conn).await)?;
        for kind in Kind::ALL {
            let count = open.iter().find(|(name, _)| name == kind.as_str()).map_or(0, |(_, count)| *count);
            self.0.metrics.bill_differences.get(kind.as_str()).set(count);
        }
        let stuck = self.stuck(MoneyKey::START, MoneyKey::START, COUNTED_MAX).await?;
        self.0.metrics.money_stuck.get("payments").set(stuck.payments.len() as i64);
        self.0.metrics.money_stuck.get("refunds").set(stuck.refunds.len() as i64);
        Ok(())
    }
}
