//! Sessions and sales, and their status at a given time.

use std::time::Duration;

use crate::kernel::{Epoch, Money, ProductId, SaleId, SessionId, Timestamp};
use crate::model::gate::{SaleTerms, SaleVersion};

/// A time slot in which sales run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Identity.
    pub id: SessionId,
    /// The name for shoppers, such as "Ten o'clock".
    pub name: Option<String>,
    /// First moment.
    pub starts_at: Timestamp,
    /// First moment after it.
    pub ends_at: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
}

/// Where a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionStatus {
    /// Not begun.
    Upcoming,
    /// Now.
    Running,
    /// Over.
    Ended,
}

impl Session {
    /// Where it stands at `now`.
    pub fn status(&self, now: Timestamp) -> SessionStatus {
        if now < self.starts_at {
            SessionStatus::Upcoming
        } else if now < self.ends_at {
            SessionStatus::Running
        } else {
            SessionStatus::Ended
        }
    }
}

/// The state that the operator has set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SaleState {
    /// Being prepared; only operators see it.
    Draft,
    /// Sells in its session's window.
    Published,
    /// Stopped for now.
    Paused,
    /// Over for good, before its window was.
    Ended,
}

impl SaleState {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::Published => "PUBLISHED",
            Self::Paused => "PAUSED",
            Self::Ended => "ENDED",
        }
    }

    /// From its stored form.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Draft, Self::Published, Self::Paused, Self::Ended].into_iter().find(|state| state.as_str() == text)
    }
}

/// The status that shoppers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaleStatus {
    /// Not published.
    Draft,
    /// Published, window not begun.
    Upcoming,
    /// Can be bought now.
    Open,
    /// Stopped for now by an operator, alone or with the whole shop.
    Paused,
    /// In its window, no unit left at the moment.
    SoldOut,
    /// Over.
    Ended,
}

/// One product in one session. Stock that moves with purchases is in [`StockLevel`], not here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// Identity.
    pub id: SaleId,
    /// Short number, unique; order numbers begin with it.
    pub number: u64,
    /// When.
    pub session_id: SessionId,
    /// What.
    pub product_id: ProductId,
    /// Price of one unit.
    pub price: Money,
    /// Price of one unit in loyalty points; `None` when points are not taken.
    pub points_price: Option<u32>,
    /// Units in all.
    pub stock_total: u32,
    /// Units one buyer may hold.
    pub limit_per_buyer: u32,
    /// How long an order waits for its payment.
    pub pay_within: Duration,
    /// Whether refunded units are sold again.
    pub returns_on_refund: bool,
    /// The state that the operator has set.
    pub state: SaleState,
    /// Whether it is stopped together with the whole shop, whatever its own state.
    pub held: bool,
    /// Generation of its gate; 0 until published.
    pub epoch: Epoch,
    /// Grows with each operator act.
    pub version: u32,
    /// When it was created.
    pub created_at: Timestamp,
    /// When an operator last changed it.
    pub updated_at: Timestamp,
    /// When an operator ended it.
    pub ended_at: Option<Timestamp>,
}

/// How many units of a sale are free, and how many may come back. `version` grows with every change, so that the newest is known
/// from any two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct StockLevel {
    /// The sale.
    pub sale: SaleId,
    /// Units free.
    pub left: u32,
    /// Units in orders that wait for their payment. Programs before it was counted did not say it.
    #[serde(default)]
    pub held: u32,
    /// Units in all.
    pub total: u32,
    /// Grows with every change of any of them.
    pub version: u32,
    /// When it became so.
    pub at: Timestamp,
}

impl Sale {
    /// The status that shoppers see at `now` when `left` units are available.
    pub fn status(&self, session: &Session, left: u32, now: Timestamp) -> SaleStatus {
        match self.state {
            SaleState::Draft => SaleStatus::Draft,
            SaleState::Ended => SaleStatus::Ended,
            SaleState::Published | SaleState::Paused => match session.status(now) {
                SessionStatus::Ended => SaleStatus::Ended,
                _ if self.is_paused() => SaleStatus::Paused,
                SessionStatus::Upcoming => SaleStatus::Upcoming,
                SessionStatus::Running if left == 0 => SaleStatus::SoldOut,
                SessionStatus::Running => SaleStatus::Open,
            },
        }
    }

    /// Whether it is stopped for now, alone or together with the whole shop.
    pub fn is_paused(&self) -> bool {
        self.held || self.state == SaleState::Paused
    }

    /// Which state of the sale this is.
    pub const fn sale_version(&self) -> SaleVersion {
        SaleVersion { epoch: self.epoch, version: self.version }
    }

    /// The terms for the gate.
    pub fn terms(&self, session: &Session) -> SaleTerms {
        SaleTerms {
            sale: self.id,
            epoch: self.epoch,
            version: self.version,
            starts_at: session.starts_at,
            ends_at: session.ends_at,
            limit_per_buyer: self.limit_per_buyer,
            stock_total: self.stock_total,
            paused: self.is_paused(),
            ended: self.state == SaleState::Ended,
        }
    }
}

/// Whether the shop sells at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShopState {
    /// An operator has stopped all sales for now.
    pub paused: bool,
    /// Since when the stock has been at this level.
    pub since: Timestamp,
}

impl Default for ShopState {
    fn default() -> Self {
        Self { paused: false, since: Timestamp::from_millis(0) }
    }
}

/// What the purchases of a sale became.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    /// Accepted purchases.
    pub tickets: u64,
    /// Those that became orders.
    pub orders: u64,
    /// Units in orders that can still be paid.
    pub unpaid: u64,
    /// Units in paid orders.
    pub paid: u64,
    /// Units in orders whose money is on its way back.
    pub refunding: u64,
    /// Units in orders whose money went back.
    pub refunded: u64,
    /// The sum of the versions of all tickets.
    pub versions: u64,
    /// What their payments brought.
    pub moved: Moved,
}

/// What came in and went back by payments, money and points together: no amount of anything, but it changes whenever one does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Payments, whatever became of them.
    pub payments: u64,
    /// What came in.
    pub received: u64,
    /// What is on its way back.
    pub returning: u64,
    /// What went back.
    pub returned: u64,
}

/// What came of a sale. `total` is `sold`, `refunded`, `unpaid` and `unsold` together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Accepted purchases.
    pub tickets: u64,
    /// Those that became orders.
    pub orders: u64,
    /// Units in all.
    pub total: u64,
    /// Units in paid orders, also in those whose money is on its way back.
    pub sold: u64,
    /// Units of refunded orders that were not offered again.
    pub refunded: u64,
    /// Units in orders that can still be paid.
    pub unpaid: u64,
    /// Units that nobody has.
    pub unsold: u64,
    /// Whether no order waits for its payment or its refund.
    pub settled: bool,
    /// When this was counted.
    pub as_of: Timestamp,
    /// Differs whenever anything about its purchases or their money does.
    pub state: OutcomeState,
}

/// The numbers that an outcome was derived from. As long as they are the same, the rows are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutcomeState {
    /// Accepted purchases.
    pub tickets: u64,
    /// The sum of their versions.
    pub versions: u64,
    /// What their payments brought.
    pub moved: Moved,
}
