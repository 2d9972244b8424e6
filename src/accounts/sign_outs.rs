//! Sign-outs take effect on every node: the hash of the revoked token is broadcast, and nodes evict it from their
//! cache. Every node that receives it also writes a tombstone to the shared cache (see [`super::shared`]), because the
//! node that revoked the token may be unable to. A node that receives no heartbeats (see [`say_so`]) trusts cached and
//! shared tokens for `2 * accounts.sign_out_heartbeat` only. If both a broadcast and its tombstone are lost, a node
//! accepts the token for at most `accounts.token_cache_ttl`.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use super::batcher::Batcher;
use super::messages::{SESSION_CHANGE, SESSION_CHANGE_VERSION, SessionChange};
use super::metrics::Metrics;
use super::service::Accounts;
use super::tokens::TokenHash;
use crate::broker::{Broker, BrokerError, Consumer, Message, Received, Topic, envelope};
use crate::config;

/// Announcements taken from the broker at once at most.
const BATCH: usize = 256;
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

/// Says again and again that this node is there, so that each knows whether it would hear of a sign-out. Where nobody
/// says so, nobody waits for it. Returns only when the broker is closed.
pub async fn say_so(accounts: &Accounts, broker: &dyn Broker, every: Duration) -> Result<(), BrokerError> {
    accounts.tokens().follows_others();
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let nothing = SessionChange { ended: Vec::new() };
    // It always has a JSON form.
    let Ok(payload) = envelope::encode(SESSION_CHANGE, SESSION_CHANGE_VERSION, &nothing) else { return Ok(()) };
    loop {
        tick.tick().await;
        let message = Message { key: bytes::Bytes::new(), payload: payload.clone(), deliver_at: None };
        match broker.publish(Topic::SessionChanges, vec![message]).await {
            Err(BrokerError::Closed) => return Err(BrokerError::Closed),
            Err(error) => tracing::debug!(%error, "could not send the heartbeat to other nodes"),
            Ok(()) => {}
        }
    }
}

/// Forgets the tokens that ended anywhere, and has who came with them looked at again. Returns only when the broker fails.
/// Sockets of the older protocol find out at their next ping.
pub async fn watch_sign_outs(accounts: &Accounts, consumer: &mut dyn Consumer) -> Result<(), BrokerError> {
    // What was announced before this moment was not heard: look everybody up once.
    accounts.tokens().doubt_all();
    loop {
        match consumer.receive(BATCH, Duration::ZERO).await {
            Ok(messages) => {
                accounts.tokens().hears();
                for message in &messages {
                    follow(accounts, message);
                }
                if let Some(last) = messages.last() {
                    consumer.ack(last.position).await?;
                }
            }
            Err(BrokerError::Lagged(missed)) => {
                tracing::warn!(missed, "may have missed sign-outs; all access tokens will be looked up again");
                accounts.tokens().doubt_all();
            }
            Err(error) => return Err(error),
        }
    }
}

fn follow(accounts: &Accounts, message: &Received) {
    match envelope::decode::<SessionChange>(SESSION_CHANGE, SESSION_CHANGE_VERSION, &message.payload) {
        Ok(change) => {
            for text in change.ended {
                let mut hash = TokenHash::default();
                if BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut hash) == Ok(hash.len()) {
                    accounts.tokens().heard(hash);
                }
            }
        }
        // A newer node's words. Better to look everybody up than to believe somebody who is gone.
        Err(error) => {
            tracing::warn!(%error, "could not decode a session change; all access tokens will be looked up again");
            accounts.tokens().doubt_all();
        }
    }
}

#[cfg(test)]
mod tests;
