//! Queries, one file per slice.

pub mod accounts;
pub mod node;
pub mod orders;
pub mod payments;
pub mod sale_plan;
pub mod sales;
