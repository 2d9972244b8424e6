//! Rate limits: how often somebody may do something, and how often somebody may be wrong. All of them are here.
//!
//! - [`Rates`]: requests, operations, purchases and uploads, by address and by user (`[limits]`). The edge asks it.
//! - [`SignIns`]: attempts to sign in, wrong passwords and wrong codes, by address and by account (`[accounts]`). The accounts ask it.
//!
//! Each limit is a leaky bucket (GCRA). A node counts in its own memory ([`throttle`]); where nodes share counters ([`Tally`],
//! [`RedisTally`]), what a node lets through is counted there as well. Limits of what goes on at the same time (operations, sockets)
//! are none of rates: they are where it goes on.

mod rates;
mod redis_tally;
mod sign_ins;
mod tally;
pub mod throttle;

pub use rates::{Act, Asker, OverLimit, Rates};
pub use redis_tally::RedisTally;
pub use sign_ins::{Counted, SignIns};
pub use tally::{Over, Tally, TallyError, Use};
pub use throttle::Attempt;
