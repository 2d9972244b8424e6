//! From an admitted ticket to an order, and what becomes of it. Read in this order: [`purchase`] (sale, gate, broker, ticket),
//! [`record`] (the order writer's transaction), [`close`] (cancel and expire), [`rebuild`] and [`reconcile`] (keeping the
//! gate true).
//!
//! Invariants: live units never exceed the stock; a published ticket gets exactly one row; a buyer has at most one live order
//! per sale; a key belongs to one ticket for ever; units go back exactly once.

pub mod close;
pub mod decide;
pub mod effects;
pub mod messages;
pub mod model;
pub mod publisher;
pub mod purchase;
pub mod rebuild;
pub mod reconcile;
pub mod record;
pub mod service;

pub use close::Cancelled;
pub use model::{Closing, Order, OrderState, Refusal, Ticket};
pub use purchase::{PurchaseRefusal, PurchaseRequest};
pub use service::{ListKey, OrderList, OrderPage, Orders, OrdersError, Parts};
