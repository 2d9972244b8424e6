//! Sale sessions and sales: what is sold when, at which price, how often.

pub mod model;

pub use model::{Sale, SaleState, SaleStatus, Session, SessionStatus, StockLevel};
