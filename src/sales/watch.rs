//! Keeps the node's snapshot up to date.

use std::time::Duration;

use super::messages::{CATALOG_CHANGE, CATALOG_CHANGE_VERSION, CatalogChange};
use super::service::Sales;
use crate::broker::envelope::{self, EnvelopeError};
use crate::broker::{BrokerError, Consumer};
use crate::model::messages::Received;

/// Changes taken from the broker at once at most.
const BATCH: usize = 64;

/// Follows the changes that other nodes announce, and compares with the database every `sales.poll_every` should an
/// announcement be lost. Returns only when the broker fails.
pub async fn watch_changes(sales: &Sales, consumer: &mut dyn Consumer) -> Result<(), BrokerError> {
    let mut ticks = sales.poll_ticks();
    loop {
        let refreshed = tokio::select! {
            received = consumer.receive(BATCH, Duration::ZERO) => match received {
                Ok(messages) => {
                    let refreshed = follow(sales, &messages).await;
                    if let Some(last) = messages.last() {
                        consumer.ack(last.position).await?;
                    }
                    refreshed
                }
                Err(BrokerError::Lagged(missed)) => {
                    tracing::warn!(missed, "may have missed catalog changes");
                    sales.poll().await.map(drop)
                }
                Err(error) => return Err(error),
            },
            () = ticks.tick() => sales.poll().await.map(drop),
        };
        // The old snapshot stays; the next tick tries again.
        if let Err(error) = refreshed {
            tracing::warn!(%error, "could not refresh the sale snapshot");
        }
    }
}

async fn follow(sales: &Sales, messages: &[Received]) -> Result<(), crate::store::StoreError> {
    let revision = |message: &Received| -> Result<u64, EnvelopeError> {
        let change: CatalogChange = envelope::decode(CATALOG_CHANGE, CATALOG_CHANGE_VERSION, &message.payload)?;
        Ok(change.revision)
    };
    let known = sales.snapshot().version();
    let news = messages.iter().any(|message| {
        revision(message).map_or_else(
            |error| {
                tracing::warn!(%error, "could not decode a catalog change");
                true
            },
            |revision| revision > known,
        )
    });
    if news { sales.refresh().await.map(drop) } else { Ok(()) }
}
