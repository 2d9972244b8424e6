//! The service on a database of its own.

mod acts;
mod freshness;
mod outcome;
mod report;
mod shop;
mod stock;
mod terms;
