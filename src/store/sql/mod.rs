//! The queries, one file per slice. This folder is compiled once for each dialect, as a child of `store::postgres` and of
//! `store::sqlite`: `super::super::{Conn, schema}` are the dialect's. Row structs stay inside; functions return
//! domain types.

pub mod accounts;
pub mod acts;
pub mod audit;
pub mod backups;
pub mod bills;
pub mod books;
pub mod broker;
pub mod catalog;
pub mod edits;
pub mod held;
pub mod ledger;
pub mod money_lists;
pub mod nodes;
pub mod order_search;
pub mod orders;
pub mod outbox;
pub mod outcomes;
pub mod payments;
pub mod people;
pub mod pictures;
pub mod points;
pub mod refunds;
pub mod reservations;
pub mod restored;
pub mod revocations;
pub mod sale_report;
pub mod sales;
pub mod second_factors;
pub mod settings;
pub mod settle;
pub mod tcc;
pub mod upgrade;

use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;

/// A condition that always holds. Statements with it are not kept prepared, so PostgreSQL plans each execution with its values: for
/// those that one plan does not suit whatever the tables hold, and that are rare.
fn planned_each_time() -> SqlLiteral<Bool> {
    diesel::dsl::sql("(1 = 1 /* planned for each execution */)")
}

/// Narrows a boxed query to a page of a list that is sorted by a moment, the newest first, then by id, and that has only what is not
/// before `from` and before `until`. There is one bound at each end, which is a place in the index however many rows share a moment;
/// one that bounds nothing makes the list a range also for SQLite.
macro_rules! newest_first {
    ($query:expr, $wanted:expr, $from:expr, $until:expr, $at:expr, $id_column:expr, ($columns:literal, $id:ty)) => {{
        let until: Option<crate::kernel::Timestamp> = $until;
        let from: Option<crate::kernel::Timestamp> = $from;
        let last =
            until.map_or(crate::kernel::Timestamp::MAX, |until| until.minus(std::time::Duration::from_millis(1)));
        let query = $query.limit($wanted.read() as i64);
        let query = match $wanted.after {
            Some(place) if place.at <= last => {
                let behind = diesel::dsl::sql::<diesel::sql_types::Bool>(concat!("(", $columns, ") < ("));
                let behind = behind.bind::<diesel::sql_types::BigInt, _>(place.at);
                query.filter(behind.sql(", ").bind::<$id, _>(place.id).sql(")"))
            }
            _ => query.filter($at.le(last)),
        };
        let query = match ($wanted.before, from) {
            (Some(place), from) if from.is_none_or(|from| from <= place.at) => {
                let in_front = diesel::dsl::sql::<diesel::sql_types::Bool>(concat!("(", $columns, ") > ("));
                let in_front = in_front.bind::<diesel::sql_types::BigInt, _>(place.at);
                query.filter(in_front.sql(", ").bind::<$id, _>(place.id).sql(")"))
            }
            (_, Some(from)) => query.filter($at.ge(from)),
            _ => query,
        };
        if $wanted.from_end {
            query.order(($at.asc(), $id_column.asc()))
        } else {
            query.order(($at.desc(), $id_column.desc()))
        }
    }};
}
pub(super) use newest_first;

/// Behind everything that begins so, byte by byte.
fn end_of_prefix(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
