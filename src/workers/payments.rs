//! Asks the payment gateway for what did not come by itself, and brings refunds to their end. One node does each at a time; doing it
//! twice would be safe.

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

async fn wait(at_most: Duration, woken: impl Future<Output = ()>) {
    tokio::select! {
        () = woken => {}
        () = tokio::time::sleep(at_most) => {}
    }
}
