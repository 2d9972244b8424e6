//! A row per running node, shown by `doorbuster status`. An upgrade is not finalised while nodes of the older program are in it.

use std::sync::Arc;
use std::time::Duration;

use crate::kernel::Clock;
use crate::model::nodes::{BEATS, NodeRow, NodeSettings, NodeVitals};
use crate::model::upgrade::{SchemaState, Unsuitable, data_version, program_version, suits};
use crate::store::{self, Database, StoreError};

/// Tells what a node has to say of its settings now.
pub type TellSettings = Arc<dyn Fn() -> NodeSettings + Send + Sync>;

/// Tells what a node has to say of its health now. Quick.
pub type TellVitals = Arc<dyn Fn() -> NodeVitals + Send + Sync>;

/// Hears the data version that is in force, whenever this node looks.
pub type HearVersion = Arc<dyn Fn(u32) + Send + Sync>;

/// This node's row.
#[derive(Clone)]
pub struct Registry {
    db: Database,
    clock: Clock,
    node: NodeRow,
    settings: TellSettings,
    vitals: Option<TellVitals>,
    version: HearVersion,
}

impl Registry {
    /// Nothing is written until [`Self::run`].
    pub fn new(db: Database, clock: Clock, name: &str, roles: String, address: String, settings: TellSettings) -> Self {
        let now = clock.now();
        let version = program_version().to_owned();
        let (name, settings_now) = (name.to_owned(), settings());
        let node = NodeRow {
            name,
            roles,
            address,
            version,
            started_at: now,
            seen_at: now,
            settings: settings_now,
            data_version: data_version(),
            vitals: None,
        };
        Self { db, clock, node, settings, vitals: None, version: Arc::new(|_: u32| {}) }
    }

    /// Also tells this one which data version is in force.
    #[must_use]
    pub fn telling(mut self, version: HearVersion) -> Self {
        self.version = version;
        self
    }

    /// Also says how it is, with each heartbeat.
    #[must_use]
    pub fn saying(mut self, vitals: TellVitals) -> Self {
        self.vitals = Some(vitals);
        self
    }

    /// The same node with another program, in tests.
    #[cfg(test)]
    pub(super) fn of(mut self, data_version: u32) -> Self {
        self.node.data_version = data_version;
        self
    }

    /// Says that the node runs, every so often. Forgets nodes that have said nothing for `forget_after`. Ends with the reason when this
    /// program can't work with the database any more: the node must stop then.
    pub async fn run(&self, every: Duration, forget_after: Duration) -> Result<Unsuitable, StoreError> {
        let mut tick = tokio::time::interval(every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(reason) = self.join().await? {
                return Ok(reason);
            }
            let before = self.clock.now().minus(forget_after);
            store::write!(&self.db, |conn| sql::nodes::forget(conn, before).await)?;
        }
    }

    /// Says once that the node runs, if its program can work with the database. An upgrade that is finalised at the same moment waits for
    /// this, and then sees the node.
    pub async fn join(&self) -> Result<Result<(), Unsuitable>, StoreError> {
        let vitals = self.vitals.as_ref().map(|tell| tell());
        let node = NodeRow { seen_at: self.clock.now(), settings: (self.settings)(), vitals, ..self.node.clone() };
        let joined: Result<u32, Unsuitable> = store::write!(&self.db, |conn| {
            let version = sql::upgrade::version_kept(conn).await?;
            let state = SchemaState { version, ..sql::upgrade::state(conn).await? };
            if let Err(reason) = suits(node.data_version, &state) {
                return Ok(Err(reason));
            }
            sql::nodes::beat(conn, &node).await?;
            Ok(Ok(version))
        })?;
        Ok(joined.map(|version| (self.version)(version)))
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

    /// The nodes that say that they run, found by listening to them for three heartbeats.
    pub async fn living(db: &Database, heartbeat: Duration) -> Result<Vec<NodeRow>, StoreError> {
        let before = Self::list(db).await?;
        tokio::time::sleep(heartbeat * BEATS).await;
        Ok(Self::list(db).await?.into_iter().filter(|node| !before.contains(node)).collect())
    }
}
