//! Compares the payment gateway's bills with the records. It is a singleton job; running it twice would be safe.

use crate::config::Config;
use crate::payments::Payments;

/// Compares the gateway's bills with the records, day by day, and keeps up the count of what waits for operators.
pub async fn reconcile(payments: &Payments, config: &Config) -> anyhow::Result<()> {
    tokio::select! {
        () = payments.keep_counts() => Ok(()),
        ended = compare(payments, config) => ended,
    }
}

async fn compare(payments: &Payments, config: &Config) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(*config.payments.bill_every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = payments.reconcile_due(*config.payments.bill_after, config.payments.bill_days).await {
            tracing::warn!(%error, "could not compare bills; will retry");
        }
    }
}
