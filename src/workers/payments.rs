//! Asks the payment gateway for what did not come by itself, and brings refunds to their end. One node does each at a time; doing it
//! twice would be safe. And compares the gateway's bills.

use std::time::Duration;

use crate::config::Config;
use crate::orders::Orders;

/// Payments or refunds taken up at once.
const BATCH: usize = 100;

/// Asks for payments that are due, and closes overdue orders whose payment was under way.
pub async fn check(orders: &Orders, config: &Config) -> anyhow::Result<()> {
    loop {
        let found = orders.check_payments(BATCH).await?;
        if found < BATCH {
            wait(*config.payments.poll_every, orders.checks_due()).await;
        }
    }
}

/// Sends refunds and asks what became of them, for ever.
pub async fn refund(orders: &Orders, config: &Config) -> anyhow::Result<()> {
    loop {
        let found = orders.drive_refunds(BATCH).await?;
        if found < BATCH {
            wait(*config.payments.poll_every, orders.refunds_due()).await;
        }
    }
}

/// Compares the gateway's bills with the books, day by day.
pub async fn reconcile(orders: &Orders, config: &Config) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(*config.payments.bill_every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = orders.reconcile_due(*config.payments.bill_after, config.payments.bill_days).await {
            tracing::warn!(%error, "bills not compared; they are looked for again");
        }
    }
}

async fn wait(at_most: Duration, woken: impl Future<Output = ()>) {
    tokio::select! {
        () = woken => {}
        () = tokio::time::sleep(at_most) => {}
    }
}
