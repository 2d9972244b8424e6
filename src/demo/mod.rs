//! A simulated crowd that uses only the public API, and a check of what it observed.
//!
//! [`plan`] decides what each [`shopper`] will do; the [`crowd`] plays it against a [`server`] in a process of its own and
//! writes the [`history`]; the [`checker`] joins that with the [`facts`] of the database. Then the winners are [`payers`], at a
//! [`gateway`] that moves no money.

pub mod checker;
pub mod client;
pub mod crowd;
pub mod facts;
pub mod gateway;
pub mod history;
pub mod payers;
pub mod plan;
pub mod ready;
pub mod run;
pub mod screen;
pub mod seed;
pub mod server;
pub mod shopper;
pub mod socket;
pub mod stage;
pub mod tally;
pub mod usage;
pub mod verdict;
pub mod wire;
