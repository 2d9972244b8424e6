//! From an admitted ticket to an order. Read in this order: [`purchase`] (sale, gate, broker, ticket), [`record`] (the order
//! writer's transaction) and [`decide`](mod@decide) (what becomes of each ticket), [`gate_news`] (telling the gate), [`rebuild`] and
//! [`reconcile`] (keeping the gate true), [`search`] (looking up). How an order is paid, cancelled, expired and refunded is in
//! [`payments`](crate::payments).
//!
//! Invariants: live units never exceed the stock; a published ticket gets exactly one row; a buyer has at most one live order
//! per sale; a key belongs to one ticket for ever; units go back exactly once.

pub mod decide;
pub mod effects;
mod error;
pub mod gate_news;
pub mod publisher;
pub mod purchase;
pub mod rebuild;
pub mod reconcile;
pub mod record;
pub mod republish;
pub mod search;
pub mod service;
pub mod watching;

pub use crate::model::orders::{
    Closing, ListKey, Order, OrderList, OrderPage, OrderSearch, OrderState, Refusal, Ticket,
};
pub use error::OrdersError;
pub use purchase::{PurchaseRefusal, PurchaseRequest};
pub use search::SearchRefusal;
pub use service::{Orders, Parts};
pub use watching::GateView;

/// Where fault tests let the process die: `DOORBUSTER_SABOTAGE=pay.after_commit`, say.
#[cfg(feature = "sabotage")]
pub fn fail_point(point: &str) {
    crate::kernel::sabotage::crash_at(point);
}

#[cfg(not(feature = "sabotage"))]
/// Nothing without the `sabotage` feature.
pub const fn fail_point(_: &str) {}

#[cfg(test)]
mod tests;
