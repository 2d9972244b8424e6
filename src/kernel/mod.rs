//! Values that every slice shares: ids, money, time, randomness. No I/O, no framework.

pub mod breaker;
pub mod clock;
pub mod ids;
pub mod money;
pub mod recent;
pub mod retry;
pub mod rng;
#[cfg(feature = "sabotage")]
pub mod sabotage;

pub use breaker::Breaker;
pub use clock::{Clock, ManualClock, Timestamp};
pub use ids::{
    AuditId, BillDifferenceId, Epoch, LoginEventId, OrderId, PaymentId, ProductId, RefundId, SaleId, Seq, SessionId,
    TicketId, TransferId, UserId, Xid,
};
pub use money::{Currency, Money};
pub use recent::recent;
pub use retry::Backoff;
pub use rng::Rng;
