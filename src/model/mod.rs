//! Plain data: what the store reads and writes, what messages carry, and pure decisions about it. Nothing here does I/O, so
//! the store and every room above it can share it.

pub mod accounts;
pub mod answers;
pub mod audit;
pub mod bills;
pub mod books;
pub mod catalog;
pub mod edits;
pub mod facts;
pub mod gate;
pub mod lists;
pub mod messages;
pub mod nodes;
pub mod order_requests;
pub mod orders;
pub mod payments;
pub mod points;
pub mod results;
pub mod rights;
pub mod sale_facts;
pub mod sale_report;
pub mod sales;
pub mod settlement;
pub mod snapshot;
pub mod sums;
pub mod tcc;
pub mod upgrade;
