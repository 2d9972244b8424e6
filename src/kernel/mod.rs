//! Values that every slice shares: ids, money, time, randomness. No I/O, no framework.

pub mod breaker;
pub mod clock;
pub mod errors;
pub mod gather;
pub mod ids;
pub mod money;
pub mod pages;
pub mod recent;
pub mod retry;
pub mod rng;
#[cfg(feature = "sabotage")]
pub mod sabotage;
pub mod tasks;
pub mod text;

/// The largest number that fits a GraphQL `Int`: rules keep what the API shows as one within it.
pub const INT_MAX: u64 = i32::MAX as u64;

pub use breaker::Breaker;
pub use clock::{Clock, ManualClock, Timestamp};
pub use ids::{
    AuditId, BillDifferenceId, Epoch, FailureId, LoginEventId, OrderId, PaymentId, ProductId, RefundId, SaleId, Seq,
    SessionId, TicketId, TransferId, UserId, Xid, next_epoch,
};
pub use money::{Currency, Money};
pub use pages::{Listed, Place, Wanted};
pub use recent::recent;
pub use retry::Backoff;
pub use rng::Rng;
