//! From an admitted ticket to an order, and what becomes of it.

pub mod model;

pub use model::{Order, OrderState, Refusal, Ticket};
