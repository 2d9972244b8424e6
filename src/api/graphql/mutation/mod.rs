//! Mutations, one file per slice.

pub mod accounts;
mod act;
pub mod catalog;
pub mod failures;
pub mod looked_at;
pub mod orders;
pub mod payments;
pub mod points;
pub mod purchase_plan;
pub mod sale_acts;
pub mod sales;
pub mod second_factor;
pub mod settings;
pub mod shop;
pub mod user_errors;
