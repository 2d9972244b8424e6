//! Sign-outs take effect on every node: the hash of the revoked token is broadcast, and nodes evict it from their
//! cache. Every node that receives it also writes a tombstone to the shared cache (see [`super::shared`]), because the
//! node that revoked the token may be unable to. A node that receives no heartbeats (see [`super::say_so`]) trusts cached and
//! shared tokens for `2 * accounts.sign_out_heartbeat` only. If both a broadcast and its tombstone are lost, a node
//! accepts the token for at most `accounts.token_cache_ttl`.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use super::batcher::Batcher;
use super::messages::{SESSION_CHANGE, SESSION_CHANGE_VERSION, SessionChange};
use super::metrics::Metrics;
use crate::broker::{Broker, BrokerError, envelope};
use crate::config;
use crate::model::accounts::TokenHash;
use crate::model::messages::{Message, Topic};

/// Tries to publish before an announcement is given up.
const TRIES: u32 = 4;
/// The pause after the first failed try; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Announces sign-outs in the background.
pub struct SignOuts {
    queue: Batcher<TokenHash>,
    metrics: Metrics,
}

impl SignOuts {
    /// Starts the task that publishes.
    pub fn new(broker: Arc<dyn Broker>, config: &config::Accounts, metrics: Metrics) -> Self {
        let counters = metrics.clone();
        let queue = Batcher::start("sign-outs", config.background_queue, move |ended| {
            publish(broker.clone(), ended, counters.clone())
        });
        Self { queue, metrics }
    }

    /// Tells all nodes that this token ended.
    pub fn announce(&self, ended: TokenHash) {
        if !self.queue.offer(ended) {
            self.metrics.sign_outs_not_broadcast.inc();
            tracing::warn!("could not broadcast sign-out: the broker queue is full");
        }
    }

    /// Waits until the announcements so far are with the broker, or given up.
    pub async fn flush(&self) {
        self.queue.flush().await;
    }
}

async fn publish(broker: Arc<dyn Broker>, ended: Vec<TokenHash>, metrics: Metrics) {
    let count = ended.len() as u64;
    let change = SessionChange { ended: ended.iter().map(|hash| BASE64URL_NOPAD.encode(hash)).collect() };
    let mut pause = FIRST_PAUSE;
    for attempt in 1..=TRIES {
        // It always has a JSON form.
        let Ok(payload) = envelope::encode(SESSION_CHANGE, SESSION_CHANGE_VERSION, &change) else { break };
        let message = Message { key: bytes::Bytes::new(), payload, deliver_at: None };
        let Err(error) = broker.publish(Topic::SessionChanges, vec![message]).await else { return };
        if attempt == TRIES || matches!(error, BrokerError::Closed) {
            tracing::warn!(%error, count, "could not broadcast sign-outs; other nodes learn of them later");
            break;
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    metrics.sign_outs_not_broadcast.inc_by(count);
}
