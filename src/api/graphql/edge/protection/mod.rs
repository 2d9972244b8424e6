//! What keeps the server usable: limits of a document's size, rules for pages of other sites, rate limits, load shedding, and
//! their counters.

pub mod access;
pub mod exhausted;
pub mod guard;
pub mod load;
pub mod meters;
pub mod rates;
