//! A crowd of shoppers that speaks only the public API, what it saw, and whether that was right.

pub mod checker;
pub mod client;
pub mod crowd;
pub mod facts;
pub mod history;
pub mod plan;
pub mod ready;
pub mod server;
pub mod shopper;
pub mod socket;
pub mod tally;
pub mod usage;
pub mod wire;
