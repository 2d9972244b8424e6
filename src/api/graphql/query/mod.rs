//! Queries, one file per slice.

pub mod accounts;
