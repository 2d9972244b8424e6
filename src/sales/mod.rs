//! Sale sessions and sales: products with their time slot, price and stock.

mod edits;
mod input;
pub mod messages;
mod operate;
mod outcome;
mod report;
mod service;
mod shop;
pub mod state;
mod terms;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod watch;

pub use crate::model::sales::{
    Counted, Outcome, Sale, SaleState, SaleStatus, Session, SessionStatus, ShopState, StockLevel,
};
pub use crate::model::snapshot::{Offer, Snapshot};
pub use edits::list_edits;
pub use input::{Grounds, SaleChange, SaleInput, SessionInput, StockAdd};
pub use report::{ReportError, Sink, read_report};
pub use service::{Parts, Sales, UnknownTimeZone, read_snapshot};
pub use state::Act;
pub use terms::{GateCopy, GateCopyError};
pub use watch::watch_changes;
