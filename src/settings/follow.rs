//! How a node takes stored settings over: it hears of a change, or finds it when it looks, and puts one whole configuration in force.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::messages::{SETTINGS_CHANGE, SETTINGS_CHANGE_VERSION, SettingsChange};
use super::{Applied, HotSettings, Own, POLL_EVERY};
use crate::broker::{BrokerError, Consumer, envelope};
use crate::config::{Config, Ignored, StoredValue};
use crate::model::messages::{Message, Received, Topic};
use crate::nodes::NodeSettings;
use crate::store::{self, StoreError};

/// Messages taken from the broker at once at most.
const BATCH: usize = 64;

/// How often the job `settings` looks for changes that nobody confirmed.
const EXPIRE_EVERY: Duration = Duration::from_millis(500);

impl HotSettings {
    /// Looks for changes until the task is dropped. While the database is away, the node keeps what it has.
    pub async fn poll(&self) {
        let mut ticks = tokio::time::interval(POLL_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "could not read the stored settings; those in force stay");
            }
        }
    }

    /// Follows what other nodes announce. Returns only when the broker fails.
    pub async fn hear(&self, consumer: &mut dyn Consumer) -> Result<(), BrokerError> {
        loop {
            let news = match consumer.receive(BATCH, Duration::ZERO).await {
                Ok(messages) => {
                    let news = messages.iter().any(|message| self.is_news(message));
                    if let Some(last) = messages.last() {
                        consumer.ack(last.position).await?;
                    }
                    news
                }
                Err(BrokerError::Lagged(_)) => true,
                Err(error) => return Err(error),
            };
            if news && let Err(error) = self.refresh().await {
                tracing::warn!(%error, "could not read the stored settings; will look again");
            }
        }
    }

    fn is_news(&self, message: &Received) -> bool {
        let change = envelope::decode::<SettingsChange>(SETTINGS_CHANGE, SETTINGS_CHANGE_VERSION, &message.payload);
        let known = self.0.applied.lock().revision;
        change.map_or(true, |change| known.is_none_or(|known| change.revision > known))
    }

    /// Ends changes that nobody confirmed in time, as the holder of the job's lease.
    pub async fn expire(&self) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(EXPIRE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.expire_once().await?;
        }
    }

    /// Reads what is stored, if it has changed, and puts it in force.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let _turn = self.0.turn.lock().await;
        let (revision, nodes) = store::read!(&self.0.db, |conn| {
            Ok((sql::settings::revision(conn).await?, sql::nodes::list(conn).await?))
        })?;
        self.0.watched.lock().note(&nodes);
        let known = self.0.applied.lock().revision;
        if known == Some(revision) {
            return Ok(());
        }
        let stored = store::read!(&self.0.db, |conn| sql::settings::all(conn).await)?;
        if let Some(own) = &self.0.node {
            self.apply(own, revision, stored, known.is_none());
        }
        self.0.news.send_replace(revision);
        Ok(())
    }

    /// Puts the configuration with these values in force, whole or not at all. Only at a start, when there is none yet to be kept, those
    /// that contradict the node's own are left out.
    fn apply(&self, own: &Own, revision: u64, stored: Vec<StoredValue>, first: bool) {
        let mut applied = Applied { revision: Some(revision), ..Applied::default() };
        if self.0.without_stored {
            let why = "the node was started with --without-stored-settings";
            applied.rejected = stored.iter().map(|value| ignored(value, why)).collect();
        } else if !(first && stored.is_empty()) {
            let over = self.0.own.overlaid(&stored, &own.name, &own.roles);
            (applied.shadowed, applied.rejected) = (over.shadowed, over.ignored);
            match over.layers.config() {
                Ok(config) => self.put(own, config),
                Err(errors) if first => match self.0.own.with_most_of(&stored, &own.name, &own.roles) {
                    Ok((config, over)) => {
                        (applied.shadowed, applied.rejected) = (over.shadowed, over.ignored);
                        self.put(own, config);
                    }
                    Err(_) => applied.rejected.extend(blamed(&stored, &errors)),
                },
                Err(errors) => applied.rejected.extend(blamed(&stored, &errors)),
            }
            tracing::info!(revision, stored = stored.len(), "stored settings are in force");
        }
        for Ignored { key, scope, revision, problem } in &applied.rejected {
            tracing::error!(key, scope, revision, problem, "a stored setting is not in force on this node");
        }
        if let Some(metrics) = &self.0.metrics {
            metrics.settings_revision.set(revision as i64);
            metrics.settings_rejected.set(applied.rejected.len() as i64);
            metrics.settings_shadowed.set(applied.shadowed.len() as i64);
        }
        *self.0.applied.lock() = applied;
    }

    fn put(&self, own: &Own, mut config: Config) {
        config.store.node.clone_from(&own.config.store.node);
        config.store.server.clone_from(&own.config.store.server);
        self.0.live.put(config);
    }

    /// Tells the other nodes; those that don't hear it find it by themselves.
    pub(super) async fn announce(&self, revision: u64) {
        let Some(broker) = self.0.broker.get() else { return };
        let change = SettingsChange { revision };
        let published = match envelope::encode(SETTINGS_CHANGE, SETTINGS_CHANGE_VERSION, &change) {
            Ok(payload) => {
                let message = Message { key: "settings".into(), payload, deliver_at: None };
                broker.publish(Topic::SettingsChanges, vec![message]).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = published {
            tracing::warn!(error, revision, "could not broadcast a change of settings; the others look for it");
        }
    }

    /// What this node says of its settings, for its row.
    pub fn told(&self) -> NodeSettings {
        let applied = self.0.applied.lock();
        NodeSettings {
            revision: applied.revision,
            rejected: serde_json::to_string(&applied.rejected).ok(),
            local: serde_json::to_string(&self.0.own.local_values()).ok(),
        }
    }
}

fn ignored(value: &StoredValue, problem: &str) -> Ignored {
    Ignored {
        key: value.key.clone(),
        scope: value.scope.clone(),
        revision: value.revision,
        problem: problem.to_owned(),
    }
}

/// The stored values that are to blame; all of them where none is named.
fn blamed(stored: &[StoredValue], errors: &crate::config::ConfigErrors) -> Vec<Ignored> {
    let keys: BTreeSet<&str> = errors.0.iter().flat_map(|problem| problem.keys.iter().map(String::as_str)).collect();
    let problem = errors.0.first().map(|problem| problem.message.clone()).unwrap_or_default();
    let named: Vec<_> = stored.iter().filter(|value| keys.contains(value.key.as_str())).collect();
    let all = if named.is_empty() { stored.iter().collect() } else { named };
    all.into_iter().map(|value| ignored(value, &problem)).collect()
}
