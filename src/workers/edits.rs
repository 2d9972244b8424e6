//! Applies edits of the catalog that were made in SQL: as soon as the database tells of one, where it can, and every `sales.poll_every`
//! besides. Every `sales.reread_every` it looks for edits that were not written down.

use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep};

use crate::catalog::ActError;
use crate::config;
use crate::kernel::{Backoff, Clock, Rng};
use crate::sales::Sales;
use crate::store::{Database, StoreError};
use crate::telemetry::{Metrics, WhileHere};

/// The channel of the triggers' notifications.
const CHANNEL: &str = "doorbuster_edits";

/// The waits before notifications are listened for again.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What the worker needs.
pub struct Worker<'a> {
    /// Where it listens.
    pub db: &'a Database,
    /// What applies the edits.
    pub sales: &'a Sales,
    /// Time.
    pub clock: &'a Clock,
    /// Counts.
    pub metrics: &'a Metrics,
}

impl Worker<'_> {
    /// Runs for as long as the node has the lease. A round that fails, because the database is away, is followed by the next one in
    /// time.
    pub async fn run(&self, config: &config::Sales, rng: Rng) -> Result<(), StoreError> {
        let _here = WhileHere::of(&self.metrics.catalog_edit_lag);
        let news = Notify::new();
        let mut poll = interval(*config.poll_every);
        let mut reread = interval_at(Instant::now() + *config.reread_every, *config.reread_every);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        reread.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let work = async {
            loop {
                let done = tokio::select! {
                    _ = poll.tick() => self.apply().await,
                    () = news.notified() => self.apply().await,
                    _ = reread.tick() => self.compare().await,
                };
                if let Err(error) = done {
                    tracing::warn!(%error, "could not apply edits that were made in SQL yet");
                }
            }
        };
        tokio::select! {
            ended = work => ended,
            () = self.listen(&news, rng) => Ok(()),
        }
    }

    /// Never ends. Says once that edits are only polled for, until notifications arrive again.
    async fn listen(&self, news: &Notify, rng: Rng) {
        let mut backoff = Backoff::new(rng, RETRY.0, RETRY.1);
        let mut told = false;
        loop {
            let (error, worked) = self.db.listen(CHANNEL, news).await;
            if worked {
                backoff.succeeded();
            }
            if worked || !told {
                tracing::warn!(%error, "edits in SQL are only polled for: the database's notifications do not arrive");
                told = true;
            }
            sleep(backoff.next_wait()).await;
        }
    }

    async fn apply(&self) -> Result<(), ActError> {
        let Some(since) = self.sales.edits_open_since().await? else {
            self.metrics.catalog_edit_lag.set(0);
            return Ok(());
        };
        self.metrics.catalog_edit_lag.set(self.clock.now().since(since).as_secs() as i64);
        self.metrics.catalog_edits.add("sql", self.sales.apply_edits().await? as u64);
        Ok(())
    }

    async fn compare(&self) -> Result<(), ActError> {
        let found = self.sales.reread().await?;
        if found > 0 {
            tracing::warn!(rows = found, "applied edits that no trigger wrote down");
            self.metrics.catalog_edits.add("unknown", found as u64);
        }
        Ok(())
    }
}
