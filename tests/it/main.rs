//! Integration tests, one binary.

#![allow(clippy::pedantic, clippy::unwrap_used, clippy::expect_used, reason = "a test that panics has done its work")]
#![allow(unreachable_code, clippy::diverging_sub_expression, reason = "a resolver that panics on purpose")]

mod contracts;
mod conformance {
    pub mod broker;
    pub mod gate;
    pub mod limits;
    pub mod store;
    pub mod tokens;
}

mod edge;
mod flows {
    pub mod away;
    pub mod cluster_faults;
    pub mod control;
    pub mod dashboards;
    pub mod dead_letters;
    pub mod gate_away;
    pub mod history;
    pub mod hot;
    pub mod kill_storm;
    pub mod monitor;
    pub mod nodes;
    pub mod operators;
    pub mod pictures;
    pub mod points;
    pub mod process;
    pub mod pulse;
    pub mod reports;
    pub mod restore;
    pub mod scenario;
    pub mod shop;
    pub mod sql_edits;
    pub mod staff;
    pub mod storage_faults;
    pub mod storefront;
    pub mod surges;
    #[cfg(feature = "sabotage")]
    pub mod upgrade;
}
#[cfg(feature = "sabotage")]
mod mistakes;
mod money;
mod store;
mod support;
