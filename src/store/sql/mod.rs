//! The queries, one file per slice. This folder is compiled once for each dialect, as a child of `store::postgres` and of
//! `store::sqlite`: `super::super::{Conn, schema}` are the dialect's. Row structs stay inside; functions return
//! domain types.

pub mod accounts;
pub mod audit;
pub mod bills;
pub mod books;
pub mod broker;
pub mod catalog;
pub mod held;
pub mod ledger;
pub mod money_lists;
pub mod nodes;
pub mod orders;
pub mod outbox;
pub mod payments;
pub mod points;
pub mod refunds;
pub mod reservations;
pub mod sales;
pub mod settle;
pub mod tcc;

use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;

/// A condition that always holds. Statements with it are not kept prepared, so PostgreSQL plans each execution with its values: for
/// those that one plan does not suit whatever the tables hold, and that are rare.
fn planned_each_time() -> SqlLiteral<Bool> {
    diesel::dsl::sql("(1 = 1 /* planned for each execution */)")
}
