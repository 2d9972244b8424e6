//! Settings that operators change while the nodes run: stored in the database with their history, checked as a whole before they are
//! stored ([`decide`]), and taken over by every node ([`follow`]).

pub mod acts;
mod decide;
pub mod follow;
pub mod messages;
pub mod nodes;
#[cfg(test)]
mod tests;
mod watched;
pub mod wish;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::broker::Broker;
use crate::config::{Config, Ignored, Layers, Live, Role};
use crate::kernel::{Clock, Rng};
use crate::store::{Database, StoreError};
use crate::telemetry::Metrics;

pub use acts::Changed;
pub use decide::{Refusal, RefusalCode, SCOPE, Shadow};
pub use nodes::{NodeView, ValueState};
pub use wish::{By, Wish};

use watched::Watched;

/// How often a node looks whether the stored settings have changed, should it not have heard of it.
pub const POLL_EVERY: Duration = Duration::from_secs(2);

/// The stored settings, and this node's part in them. Cheap to clone.
#[derive(Clone)]
pub struct HotSettings(Arc<Inner>);

struct Inner {
    db: Database,
    /// Where changes are broadcast; empty in a command, whose changes the nodes find by polling.
    broker: OnceLock<Arc<dyn Broker>>,
    live: Live,
    /// What this process's own file, environment and flags say.
    own: Layers,
    /// `None` in a command, which is no node.
    node: Option<Own>,
    /// Whether stored settings are passed over.
    without_stored: bool,
    applied: Mutex<Applied>,
    turn: tokio::sync::Mutex<()>,
    news: watch::Sender<u64>,
    watched: Mutex<Watched>,
    clock: Clock,
    rng: Rng,
    metrics: Option<Metrics>,
}

/// The node of this process.
struct Own {
    name: String,
    roles: Vec<Role>,
    /// The configuration that it began with, for what the program itself sets.
    config: Arc<Config>,
}

/// What is in force here.
#[derive(Debug, Clone, Default)]
struct Applied {
    /// The newest change that was looked at; `None`: none was.
    revision: Option<u64>,
    rejected: Vec<Ignored>,
    shadowed: Vec<String>,
}

/// What [`HotSettings`] of a node is made of.
pub struct Parts {
    /// Where settings are stored.
    pub db: Database,
    /// The configuration in force, to be changed.
    pub live: Live,
    /// The node's name.
    pub node: String,
    /// Time.
    pub clock: Clock,
    /// Ids of audit entries.
    pub rng: Rng,
    /// Gauges.
    pub metrics: Metrics,
}

impl HotSettings {
    /// Of a node. Reads what is stored and puts it in force, before anything else is built.
    pub async fn of_node(parts: Parts) -> Result<Self, StoreError> {
        let Parts { db, live, node, clock, rng, metrics } = parts;
        let config = live.owned();
        let own = Own { name: node, roles: config.node.roles.clone(), config: config.clone() };
        let (layers, without) = (config.layers.layers(), config.without_stored);
        let settings = Self::with(db, live, layers, Some(own), clock, rng, Some(metrics), without);
        settings.refresh().await?;
        Ok(settings)
    }

    /// Of a command, which changes what is stored and serves nobody.
    pub fn of_command(db: Database, config: &Config, clock: Clock, rng: Rng) -> Self {
        let live = Live::from(Arc::new(config.clone()));
        Self::with(db, live, config.layers.layers(), None, clock, rng, None, true)
    }

    #[allow(clippy::too_many_arguments, reason = "both ways to make it, each with names")]
    fn with(
        db: Database,
        live: Live,
        own: Layers,
        node: Option<Own>,
        clock: Clock,
        rng: Rng,
        metrics: Option<Metrics>,
        without_stored: bool,
    ) -> Self {
        let (news, _) = watch::channel(0);
        Self(Arc::new(Inner {
            db,
            broker: OnceLock::new(),
            live,
            own,
            node,
            without_stored,
            applied: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            news,
            watched: Mutex::default(),
            clock,
            rng,
            metrics,
        }))
    }

    /// Changes are broadcast through this broker from now on.
    pub fn tell_through(&self, broker: Arc<dyn Broker>) {
        let _ = self.0.broker.set(broker);
    }

    /// The configuration in force.
    pub fn live(&self) -> &Live {
        &self.0.live
    }

    /// The number of the newest change that this node has seen; it changes with each.
    pub fn news(&self) -> watch::Receiver<u64> {
        self.0.news.subscribe()
    }

    /// Stored values that are not in force here, and why.
    pub fn rejected(&self) -> Vec<Ignored> {
        self.0.applied.lock().rejected.clone()
    }
}
