//! Periodic jobs: what a lost message would have left undone.

use crate::config::Config;
use crate::orders::Orders;
use crate::orders::reconcile::Reconciler;
use crate::telemetry::Metrics;

/// Expires unpaid orders whose time is over, however their message fared.
pub async fn sweep(orders: &Orders, config: &Config) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(*config.orders.sweep_every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        loop {
            let expired = orders.sweep(config.orders.sweep_batch).await?;
            if expired < config.orders.sweep_batch {
                break;
            }
        }
    }
}

/// Keeps gate and database together.
pub async fn reconcile(orders: &Orders, config: &Config, metrics: &Metrics) -> anyhow::Result<()> {
    let mut reconciler = Reconciler::default();
    let mut tick = tokio::time::interval(*config.orders.reconcile_every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let found = reconciler.round(orders, *config.gate.retention, *config.orders.pending_after).await?;
        metrics.gate_drift.get("positive").set(found.surplus as i64);
        metrics.gate_drift.get("negative").set(found.deficit as i64);
    }
}
