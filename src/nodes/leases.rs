//! Leases for singleton jobs. A lease is a row with a heartbeat (`beat`) that its holder increments. A node that has
//! seen the same value for the duration of the lease, by its own monotonic clock, takes over with a higher token.
//! Clocks of nodes are never compared.
//!
//! A lease avoids doing work twice; it does not make that safe. A node that was frozen may continue for a moment after
//! it lost its lease, so its writes must be conditional in the database, as those of every job are.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::model::nodes::LeaseRow;
use crate::store::{self, Database, StoreError};

mod watch;

use watch::Watch;

/// Holds leases for one node. Cheap to clone.
#[derive(Clone)]
pub struct Leases(Arc<Inner>);

struct Inner {
    db: Database,
    node: Arc<str>,
    lifetime: Duration,
    /// Whether nobody else can be there.
    alone: bool,
}

impl Leases {
    /// Leases of this node that run out when it is silent for `lifetime`. On SQLite there is one node, and it holds them all.
    pub fn new(db: Database, node: &str, lifetime: Duration) -> Self {
        let alone = matches!(db, Database::Sqlite(_));
        Self(Arc::new(Inner { db, node: node.into(), lifetime, alone }))
    }

    /// Does `work` while this node holds the job's lease: waits for it, keeps it, and stops the work (drops its future) when
    /// it can't be kept. Ends when the work ends, or when the lease is lost.
    pub async fn lead<W>(&self, job: &str, work: impl FnOnce() -> W) -> anyhow::Result<()>
    where
        W: Future<Output = anyhow::Result<()>>,
    {
        if self.0.alone {
            return work().await;
        }
        let token = self.acquire(job).await?;
        tracing::info!(job, token, "acquired a lease");
        tokio::select! {
            ended = work() => ended,
            lost = self.keep(job, token) => {
                tracing::warn!(job, token, reason = %lost, "lost a lease");
                Ok(())
            }
        }
    }

    /// Gives up all leases, so that others need not wait. Call it once the work has stopped.
    pub async fn release(&self) -> Result<(), StoreError> {
        if self.0.alone {
            return Ok(());
        }
        let node = self.0.node.clone();
        store::write!(&self.0.db, |conn| sql::nodes::release_leases(conn, &node).await)
    }

    /// All leases.
    pub async fn list(db: &Database) -> Result<Vec<LeaseRow>, StoreError> {
        store::read!(db, |conn| sql::nodes::leases(conn).await)
    }

    /// Tells of each job, again and again, whether some node does it. `own` says whether this node does, where nobody else can be there.
    pub async fn watch(
        &self,
        jobs: &[&'static str],
        own: impl Fn(&str) -> bool,
        tell: impl Fn(&'static str, bool),
    ) -> anyhow::Result<()> {
        let mut watch = Watch::new(self.0.lifetime);
        loop {
            sleep(self.0.lifetime / 2).await;
            if self.0.alone {
                for &job in jobs {
                    tell(job, own(job));
                }
                continue;
            }
            match Self::list(&self.0.db).await {
                Ok(leases) => {
                    for (job, held) in watch.note(jobs, &leases, Instant::now()) {
                        tell(job, held);
                    }
                }
                Err(error) => tracing::warn!(%error, "could not read the leases; will look again"),
            }
        }
    }

    async fn acquire(&self, job: &str) -> Result<u64, StoreError> {
        let mut watched: Option<(LeaseRow, Instant)> = None;
        loop {
            let seen = self.find(job).await?;
            let free = match &seen {
                None => true,
                Some(lease) if lease.holder.is_empty() => true,
                Some(lease) => match &watched {
                    Some((before, since)) if before == lease => since.elapsed() >= self.0.lifetime,
                    _ => {
                        watched = Some((lease.clone(), Instant::now()));
                        false
                    }
                },
            };
            if free && let Some(token) = self.take(job, seen).await? {
                return Ok(token);
            }
            sleep(self.0.lifetime / 4).await;
        }
    }

    /// Renews the lease until that fails for so long that another node may have taken it. Says why.
    async fn keep(&self, job: &str, token: u64) -> String {
        let mut sure_until = Instant::now() + self.0.lifetime * 2 / 3;
        loop {
            sleep(self.0.lifetime / 4).await;
            let asked = Instant::now();
            match timeout_at(sure_until, self.renew(job, token)).await {
                Ok(Ok(true)) => sure_until = asked + self.0.lifetime * 2 / 3,
                Ok(Ok(false)) => return "another node holds it".into(),
                Ok(Err(error)) if Instant::now() < sure_until => {
                    tracing::warn!(job, %error, "could not renew a lease; will retry");
                }
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return "the lease was not renewed in time".into(),
            }
        }
    }

    async fn find(&self, job: &str) -> Result<Option<LeaseRow>, StoreError> {
        let job = job.to_owned();
        store::read!(&self.0.db, |conn| sql::nodes::find_lease(conn, &job).await)
    }

    async fn take(&self, job: &str, seen: Option<LeaseRow>) -> Result<Option<u64>, StoreError> {
        let (job, node) = (job.to_owned(), self.0.node.clone());
        store::write!(&self.0.db, |conn| sql::nodes::take_lease(conn, &job, &node, seen.as_ref()).await)
    }

    async fn renew(&self, job: &str, token: u64) -> Result<bool, StoreError> {
        let (job, node) = (job.to_owned(), self.0.node.clone());
        store::write!(&self.0.db, |conn| sql::nodes::renew_lease(conn, &job, &node, token).await)
    }
}

#[cfg(test)]
mod tests;
