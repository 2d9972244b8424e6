//! Live stock of a sale.

use async_graphql::{ID, Object};

use super::int::clamped;
use super::sales::{SaleStatus, status};
use super::scalars::DateTime;
use crate::api::graphql::context::Services;
use crate::kernel::{SaleId, Timestamp};
use crate::model::sales::{SessionStatus, StockLevel};
use crate::model::snapshot::Offer;

/// The availability of a sale.
pub struct SaleStock {
    level: StockLevel,
    ends_at: Timestamp,
    status: SaleStatus,
    version: u32,
}

impl SaleStock {
    /// As this node knows it now; `None` for a sale that is not on sale.
    pub fn now(services: &Services, sale: SaleId) -> Option<Self> {
        let snapshot = services.sales.snapshot();
        let offer = snapshot.offer(sale).filter(|offer| !offer.is_draft())?;
        let level = services.stock(offer);
        let phase = match offer.session.status(services.clock.now()) {
            SessionStatus::Upcoming => 0,
            SessionStatus::Running => 1,
            SessionStatus::Ended => 2,
        };
        // Each part only grows, so the sum grows with each change of stock, of the sale, and of its place in time.
        let version = level.version.saturating_add(offer.sale.version).saturating_add(phase);
        Some(Self { level, ends_at: offer.session.ends_at, status: status(services, offer).into(), version })
    }

    /// When time alone next changes the sale's status.
    pub fn next_boundary(services: &Services, sale: SaleId, now: Timestamp) -> Option<Timestamp> {
        let snapshot = services.sales.snapshot();
        let Offer { session, .. } = snapshot.offer(sale)?;
        [session.starts_at, session.ends_at].into_iter().find(|boundary| *boundary > now)
    }

    /// The sale.
    pub fn sale(&self) -> SaleId {
        self.level.sale
    }

    /// See the field.
    pub fn version(&self) -> u32 {
        self.version
    }
}

/// The availability of a sale.
#[Object]
impl SaleStock {
    /// The ID of the sale.
    async fn sale_id(&self) -> ID {
        ID(self.level.sale.to_string())
    }

    /// The number of available units.
    async fn stock_remaining(&self) -> i32 {
        clamped(self.level.left)
    }

    /// The number of units in unpaid orders. If those orders are not paid, the units become available again.
    async fn units_held(&self) -> i32 {
        clamped(self.level.held)
    }

    /// Whether no units are available. Units of cancelled and expired orders become available again.
    async fn sold_out(&self) -> bool {
        self.level.left == 0
    }

    /// When the sale ends, exclusive. This time can be postponed.
    async fn ends_at(&self) -> DateTime {
        DateTime(self.ends_at)
    }

    /// The current status of the sale.
    async fn status(&self) -> SaleStatus {
        self.status
    }

    /// Increases with each change to any of these fields.
    #[graphql(name = "version")]
    async fn version_field(&self) -> i32 {
        clamped(self.version)
    }

    /// When the stock last changed.
    async fn as_of(&self) -> DateTime {
        DateTime(self.level.at)
    }
}
