//! A row per running node, shown by `doorbuster status`. No decision depends on it.

use std::sync::Arc;
use std::time::Duration;

use crate::kernel::Clock;
use crate::model::nodes::{NodeRow, NodeSettings};
use crate::store::{self, Database, StoreError};

/// Tells what a node has to say of its settings now.
pub type TellSettings = Arc<dyn Fn() -> NodeSettings + Send + Sync>;

/// This node's row.
#[derive(Clone)]
pub struct Registry {
    db: Database,
    clock: Clock,
    node: NodeRow,
    settings: TellSettings,
}

impl Registry {
    /// Nothing is written until [`Self::run`].
    pub fn new(db: Database, clock: Clock, name: &str, roles: String, address: String, settings: TellSettings) -> Self {
        let now = clock.now();
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let (name, settings_now) = (name.to_owned(), settings());
        let node = NodeRow { name, roles, address, version, started_at: now, seen_at: now, settings: settings_now };
        Self { db, clock, node, settings }
    }

    /// Says that the node runs, every so often. Forgets nodes that have said nothing for `forget_after`.
    pub async fn run(&self, every: Duration, forget_after: Duration) -> anyhow::Result<()> {
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let node = NodeRow { seen_at: self.clock.now(), settings: (self.settings)(), ..self.node.clone() };
            let before = node.seen_at.minus(forget_after);
            store::write!(&self.db, |conn| {
                sql::nodes::beat(conn, &node).await?;
                sql::nodes::forget(conn, before).await
            })?;
        }
    }

    /// The node stops.
    pub async fn leave(&self) -> Result<(), StoreError> {
        let name = self.node.name.clone();
        store::write!(&self.db, |conn| sql::nodes::leave(conn, &name).await)
    }

    /// All nodes.
    pub async fn list(db: &Database) -> Result<Vec<NodeRow>, StoreError> {
        store::read!(db, |conn| sql::nodes::list(conn).await)
    }
}
