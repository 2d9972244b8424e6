//! Sale sessions and sales: products with their time slot, price and stock.

mod input;
pub mod messages;
pub mod model;
mod operate;
mod outcome;
mod service;
mod shop;
pub mod snapshot;
pub mod state;
mod sums;
mod terms;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod watch;

pub use input::{SaleChange, SaleInput, SessionInput, StockAdd};
pub use model::{Sale, SaleState, SaleStatus, Session, SessionStatus, ShopState, StockLevel};
pub use outcome::{Counted, Outcome};
pub use service::{Parts, Sales, UnknownTimeZone, read_snapshot};
pub use snapshot::{Offer, Snapshot};
pub use state::Act;
pub use sums::SaleSums;
pub use terms::{GateCopy, GateCopyError};
pub use watch::watch_changes;

use crate::kernel::SaleId;

/// Live stock, as the node's hub hears of it.
pub trait StockView: Send + Sync + 'static {
    /// The newest level heard of; `None` when none was.
    fn level(&self, sale: SaleId) -> Option<StockLevel>;
}
