//! From an admitted ticket to an order, and what becomes of it.

pub mod decide;
pub mod messages;
pub mod model;

pub use model::{Closing, Order, OrderState, Refusal, Ticket};
