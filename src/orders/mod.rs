//! From an admitted ticket to an order, and its life cycle. Read in this order: [`purchase`] (sale, gate, broker, ticket),
//! [`record`] (the order writer's transaction), [`close`] (cancel and expire), [`rebuild`] and [`reconcile`] (keeping the
//! gate true); and of money: [`pay`] (begin), [`settle`] (what the gateway says), [`attempts`] (asking it), [`refund`] and
//! [`returns`] (money going back), [`ledger`], [`search`] and [`money_lists`] (looking up), [`bills`] (the gateway's
//! bill of each day), [`looked_at`] (reviews by operators), [`book`] (recording refunds that were made on the
//! gateway's site), [`audit`] (verification of all of it).
//!
//! Invariants: live units never exceed the stock; a published ticket gets exactly one row; a buyer has at most one live order
//! per sale; a key belongs to one ticket for ever; units go back exactly once.

pub mod attempts;
pub mod audit;
pub mod bills;
pub mod book;
pub mod close;
pub mod decide;
mod due;
pub mod effects;
pub mod gate_news;
pub mod ledger;
pub mod looked_at;
pub mod messages;
pub mod model;
pub mod money_lists;
pub mod pay;
pub mod points;
pub mod publisher;
pub mod purchase;
pub mod rebuild;
pub mod reconcile;
pub mod record;
pub mod refund;
pub mod republish;
pub mod returns;
pub mod search;
pub mod service;
pub mod settle;
pub mod watching;

pub use book::BookRefusal;
pub use close::Cancelled;
pub use ledger::PaymentFile;
pub use looked_at::LookRefusal;
pub use model::{Closing, Order, OrderState, Refusal, Ticket};
pub use pay::{Action, Begun, PayRefusal, PayRequest};
pub use purchase::{PurchaseRefusal, PurchaseRequest};
pub use refund::{OperatorRefund, RefundRefusal, RefundRequest};
pub use search::{OrderSearch, SearchRefusal};
pub use service::{ListKey, OrderList, OrderPage, Orders, OrdersError, Parts};
pub use watching::GateView;

/// Where fault tests let the process die: `DOORBUSTER_SABOTAGE=pay.after_commit`, say.
#[cfg(feature = "sabotage")]
fn fail_point(point: &str) {
    crate::kernel::sabotage::crash_at(point);
}

#[cfg(not(feature = "sabotage"))]
const fn fail_point(_: &str) {}

#[cfg(test)]
mod tests;
