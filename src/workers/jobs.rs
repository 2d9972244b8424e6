//! Periodic jobs, which do the work that a lost message would have left undone.

use std::time::Duration;

use crate::accounts::Accounts;
use crate::config::{Config, Orders as Settings, Sales as SaleSettings, Section};
use crate::hub::Hub;
use crate::orders::Orders;
use crate::orders::reconcile::Reconciler;
use crate::payments::Payments;
use crate::pictures::Pictures;
use crate::sales::Sales;
use crate::telemetry::Metrics;

/// Expires unpaid orders whose time is over, however their message fared, and brings the count of units held up to date.
pub async fn sweep(payments: &Payments, config: &Section<Settings>) -> anyhow::Result<()> {
    let mut tick = config.ticker(|orders| *orders.sweep_every);
    loop {
        tick.tick().await;
        loop {
            let batch = config.now().sweep_batch;
            if payments.sweep(batch).await? < batch {
                break;
            }
        }
        loop {
            let batch = config.now().sweep_batch;
            if payments.take_off_paid(batch).await? < batch {
                break;
            }
        }
    }
}

/// Keeps gate and database together. A round that fails, because one of the two is away, is followed by the next one in time:
/// a dependency that is back is not left unused for a worker's back-off.
pub async fn reconcile(
    orders: &Orders,
    config: &Section<Settings>,
    retention: Duration,
    metrics: &Metrics,
) -> anyhow::Result<()> {
    let _here = metrics.gate_drift.while_here();
    let mut reconciler = Reconciler::default();
    let mut tick = config.ticker(|orders| *orders.reconcile_every);
    loop {
        tick.tick().await;
        let pending_after = *config.now().pending_after;
        let round = reconciler.round(orders, retention, pending_after).await;
        let found = match round {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "could not compare the gate with the database");
                metrics.gate_comparisons_failed.inc();
                continue;
            }
        };
        metrics.gate_terms_replaced.inc_by(found.replaced);
        metrics.gate_drift.get("positive").set(found.surplus as i64);
        metrics.gate_drift.get("negative").set(found.deficit as i64);
    }
}

/// Lets the hub know the stock that each new snapshot found, and forget sales that are not listed any more.
pub async fn follow_snapshot(sales: &Sales, hub: &Hub) -> anyhow::Result<()> {
    let mut changes = sales.changes();
    loop {
        let snapshot = sales.snapshot();
        hub.retain_stock(|sale| snapshot.offer(sale).is_some());
        hub.merge_stock(snapshot.offers().iter().map(|offer| offer.stock));
        changes.changed().await?;
    }
}

/// Removes pictures that no product uses, a good deal more often than they are kept, but not more than once a second.
pub async fn remove_unused_pictures(pictures: &Pictures, config: &Section<SaleSettings>) -> anyhow::Result<()> {
    let mut tick =
        config.ticker(|sales| (*sales.unused_pictures / 24).clamp(Duration::from_secs(1), Duration::from_secs(3_600)));
    loop {
        tick.tick().await;
        let removed = pictures.remove_unused(*config.now().unused_pictures).await?;
        if removed > 0 {
            tracing::info!(removed, "removed pictures that no product uses");
        }
    }
}

/// Removes expired access tokens.
pub async fn purge_tokens(accounts: &Accounts, config: &Config) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(*config.accounts.purge_every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        accounts.purge_expired().await?;
    }
}
