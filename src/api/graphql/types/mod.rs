//! Output types, one file per slice, and the scalars they share.

pub mod accounts;
pub mod audit;
pub mod bills;
pub mod books;
pub mod catalog;
pub mod connection;
pub mod edits;
pub mod failures;
pub mod find;
pub mod int;
pub mod money_lists;
pub mod nodes;
pub mod objects;
pub mod orders;
pub mod outcome;
pub mod payments;
pub mod points;
pub mod pulse;
pub mod sale_report;
pub mod sales;
pub mod scalars;
pub mod second_factor;
pub mod settings;
pub mod shop;
pub mod stock;
pub mod user_error;
