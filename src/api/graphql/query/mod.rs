//! Queries, one file per slice.

pub mod accounts;
pub mod control;
pub mod edits;
pub mod node;
pub mod nodes;
pub mod orders;
pub mod payments;
pub mod pulse;
pub mod reports;
pub mod sale_plan;
pub mod sales;
pub mod settings;
