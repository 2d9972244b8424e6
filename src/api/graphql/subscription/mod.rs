//! Subscriptions, one file per slice. The first payload is always the present state.

pub mod orders;
pub mod pulse;
pub mod sales;
pub mod settings;
