//! The payments service: its parts.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::broker::Relay;
use crate::config;
use crate::gateway::PaymentGateway;
use crate::kernel::{Clock, Rng};
use crate::orders::Orders;
use crate::store::Database;
use crate::tcc::Coordinator;
use crate::telemetry::Metrics;

/// Paying for orders, closing those that are not paid, refunds, and everything that operators do about money. Cheap to clone.
#[derive(Clone)]
pub struct Payments(pub(super) Arc<Parts>);

/// The dependencies of [`Payments`].
#[derive(Clone)]
pub struct Parts {
    /// The truth.
    pub db: Database,
    /// The orders that are paid.
    pub orders: Orders,
    /// Where money is paid; `None`: only with points.
    pub gateway: Option<Arc<dyn PaymentGateway>>,
    /// `[payments]`
    pub payments: config::Section<config::Payments>,
    /// Wakes the worker that brings refunds further.
    pub refunds_due: Arc<Notify>,
    /// Wakes the worker that asks for payments.
    pub checks_due: Arc<Notify>,
    /// Wakes the worker that counts what waits for operators, if it runs on this node.
    pub counts_due: Arc<Notify>,
    /// Coordinates what is paid with points.
    pub tcc: Coordinator,
    /// Wakes the outbox relay after a commit.
    pub relay: Relay,
    /// Time.
    pub clock: Clock,
    /// Ids, and jitter of back-off.
    pub rng: Rng,
    /// Counts.
    pub metrics: Metrics,
}

impl Payments {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The same with another gateway.
    #[cfg(feature = "sabotage")]
    #[must_use]
    pub fn with_gateway(&self, gateway: Arc<dyn PaymentGateway>) -> Self {
        Self::new(Parts { gateway: Some(gateway), ..(*self.0).clone() })
    }
}
