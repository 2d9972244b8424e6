//! Receives the sign-outs of other nodes (see [`super::sign_outs`]), and tells them that this node is there.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

use super::messages::{SESSION_CHANGE, SESSION_CHANGE_VERSION, SessionChange};
use super::service::Accounts;
use crate::broker::{Broker, BrokerError, Consumer, envelope};
use crate::model::accounts::TokenHash;
use crate::model::messages::{Message, Received, Topic};

/// Announcements taken from the broker at once at most.
const BATCH: usize = 256;

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
