//! Finalising upgrades: see [`crate::model::upgrade`].

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::Registry;
use crate::kernel::Clock;
use crate::model::nodes::NodeRow;
use crate::model::upgrade::{SchemaState, data_version};
use crate::store::{self, Database, StoreError};

/// The longest time between two looks at the nodes of the previous version.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Upgrades of one database.
#[derive(Clone)]
pub struct Upgrades {
    db: Database,
    clock: Clock,
    heartbeat: Duration,
}

/// What became of the wish to finalise.
#[derive(Debug, Clone, PartialEq)]
pub enum Finalised {
    /// This data version may be written from now on.
    Now(u32),
    /// It could be before.
    Already(u32),
    /// These nodes of the previous version run.
    OlderNodes(Vec<NodeRow>),
}

/// How long to wait between two looks. An upgrade that never finalises itself is not looked at more often.
fn pause(finalise_after: Duration, heartbeat: Duration) -> Duration {
    let often = if finalise_after.is_zero() { LOOK_EVERY } else { LOOK_EVERY.min(finalise_after / 4) };
    often.max(heartbeat)
}

impl Upgrades {
    /// Those of this database, whose nodes say that they run every `heartbeat`.
    pub const fn new(db: Database, clock: Clock, heartbeat: Duration) -> Self {
        Self { db, clock, heartbeat }
    }

    /// What the database says.
    pub async fn state(db: &Database) -> Result<SchemaState, StoreError> {
        store::read!(db, |conn| sql::upgrade::state(conn).await)
    }

    /// Lets programs write what only this data version can read, unless nodes of the previous version run. Takes some heartbeats.
    pub async fn finalise(&self) -> Result<Finalised, StoreError> {
        let program = data_version();
        if Self::state(&self.db).await?.version >= program {
            return Ok(Finalised::Already(program));
        }
        let before = Registry::list(&self.db).await?;
        let living = Registry::living(&self.db, self.heartbeat).await?;
        let older = move |node: &NodeRow| {
            // A node that joined meanwhile is in neither.
            node.data_version < program
                && (living.iter().any(|lives| lives.name == node.name) || !before.contains(node))
        };
        store::write!(&self.db, |conn| {
            // Nodes join under the same lock.
            if sql::upgrade::locked(conn).await?.version >= program {
                return Ok(Finalised::Already(program));
            }
            let nodes = sql::nodes::list(conn).await?;
            let older: Vec<_> = nodes.into_iter().filter(older).collect();
            if !older.is_empty() {
                return Ok(Finalised::OlderNodes(older));
            }
            sql::upgrade::finalise(conn, program).await?;
            Ok(Finalised::Now(program))
        })
    }

    /// Finalises an upgrade once no node of the previous version was seen for `finalise_after`; never if that is zero.
    pub async fn watch(&self, finalise_after: Duration) -> anyhow::Result<()> {
        let mut before: Vec<NodeRow> = Vec::new();
        loop {
            let state = Self::state(&self.db).await?;
            if state.is_pending(data_version()) {
                let nodes = Registry::list(&self.db).await?;
                self.look(state, &nodes, &before, finalise_after).await?;
                before = nodes;
            }
            tokio::time::sleep(pause(finalise_after, self.heartbeat)).await;
        }
    }

    async fn look(
        &self,
        state: SchemaState,
        nodes: &[NodeRow],
        before: &[NodeRow],
        finalise_after: Duration,
    ) -> Result<(), StoreError> {
        let now = self.clock.now();
        let older = |node: &&NodeRow| node.data_version < data_version() && !before.contains(node);
        if state.older_seen_at.is_none() || nodes.iter().any(|node| older(&node)) {
            return store::write!(&self.db, |conn| sql::upgrade::older_seen(conn, now).await);
        }
        if state.due(finalise_after).is_some_and(|due| due <= now) {
            match self.finalise().await? {
                Finalised::Now(version) => tracing::info!(version, "the upgrade is finalised"),
                Finalised::Already(_) => {}
                Finalised::OlderNodes(nodes) => {
                    let nodes: Vec<_> = nodes.iter().map(|node| node.name.as_str()).collect();
                    tracing::warn!(?nodes, "the upgrade can't be finalised: nodes of the previous version are running");
                }
            }
        }
        Ok(())
    }
}
