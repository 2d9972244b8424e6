//! Money: paying an order, closing one that is not paid, refunds, and reconciliation with the gateway. Read in this order: [`pay`]
//! (begin), [`settle`] (what the gateway says), [`attempts`] (asking it), [`points`] (paying with them), [`close`] (cancel and
//! expire), [`refund`] and [`returns`] (money going back), [`ledger`] and [`money_lists`] (looking up), [`bills`] and
//! [`reconciliation`] (the gateway's bill of each day), [`looked_at`] (reviews by operators), [`book`] (recording refunds that
//! were made on the gateway's site), [`audit`] (verification of all of it). The states are in
//! [`model::payments`](crate::model::payments), the contract with the gateway in [`gateway`](crate::gateway).
//!
//! Invariants: at most one payment of an order is kept; what is pending to go back plus what went back never exceeds what came
//! in; an intent is committed before the gateway hears of it, and is asked for again under the same number and amount until its
//! outcome is known; only a definite answer moves money's state; logs are never changed.

pub mod attempts;
pub mod audit;
pub mod bills;
pub mod book;
pub mod close;
mod due;
pub mod ledger;
pub mod looked_at;
pub mod money_lists;
pub mod pay;
pub mod points;
pub mod reconciliation;
pub mod refund;
pub mod returns;
mod service;
pub mod settle;
pub mod waiting;

pub use crate::gateway::{BadMessage, Outcome, PaymentGateway, TradeSnapshot, TradeStatus};
pub use crate::model::payments::{
    Amount, Flag, LogEntry, Method, Payment, PaymentState, Refund, RefundCause, RefundState, StoredNotification,
    Verdict,
};
pub use book::BookRefusal;
pub use close::Cancelled;
pub use ledger::PaymentFile;
pub use looked_at::LookRefusal;
pub use pay::{Action, Begun, PayRefusal, PayRequest};
pub use refund::{OperatorRefund, RefundLimit, RefundRefusal, RefundRequest};
pub use service::{Parts, Payments};
