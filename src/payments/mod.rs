//! Money: attempts to pay, refunds, and the contract with the gateway that moves it. Read in this order: [`model`] (what is
//! stored, and which states follow which), [`gateway`] (the contract), `alipay` (its implementation). What becomes of an *order*
//! when its money moves is in `orders/{pay,settle,refund}.rs`.
//!
//! Invariants: at most one payment of an order is kept; what is pending to go back plus what went back never exceeds what came
//! in; an intent is committed before the gateway hears of it, and is asked for again under the same number and amount until its
//! outcome is known; only a definite answer moves money's state; logs are never changed.

pub mod alipay;
pub mod gateway;
pub mod model;
pub mod reconciliation;

pub use gateway::{BadMessage, Outcome, PaymentGateway, TradeSnapshot, TradeStatus};
pub use model::{
    Amount, Flag, LogEntry, Method, Payment, PaymentState, Refund, RefundCause, RefundState, StoredNotification,
    Verdict,
};
