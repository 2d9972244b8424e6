//! A read-only view of the database and of the brokers' statistics. It creates, migrates and subscribes to nothing, so
//! it does not affect running nodes and works even when they do not.

use std::sync::Arc;

use anyhow::Context as _;

use crate::broker::Broker;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::pulsar::PulsarBroker;
use crate::config::Config;
use crate::kernel::{Clock, Rng};
use crate::model::snapshot::Snapshot;
use crate::sales;
use crate::store::Database;

/// The read-only view for commands.
pub struct Observer {
    /// The database, as its schema is.
    pub db: Database,
    /// The broker, to ask and not to use.
    pub broker: Arc<dyn Broker>,
    /// The sales.
    pub snapshot: Snapshot,
}

impl Observer {
    /// Finds out what there is.
    pub async fn look(config: &Config, clock: &Clock, rng: &Rng) -> anyhow::Result<Self> {
        let db = Database::look(&config.store).await.context("opening the database")?;
        let read = sales::read_snapshot(&db, &config.sales, clock).await;
        let snapshot = read
            .context("reading the database (its tables are created by `doorbuster serve` or `doorbuster migrate`)")?;
        let (clock, rng) = (clock.clone(), rng.clone());
        let broker: Arc<dyn Broker> = if config.broker.url.scheme() == Some("embedded") {
            Arc::new(EmbeddedBroker::look(db.clone(), clock, rng, &config.broker).await?)
        } else {
            Arc::new(PulsarBroker::look(&config.broker, clock, rng).await.context("querying the brokers")?)
        };
        Ok(Self { db, broker, snapshot })
    }

    /// Ends the look.
    pub async fn close(&self) {
        self.broker.close().await;
        self.db.close().await;
    }
}
