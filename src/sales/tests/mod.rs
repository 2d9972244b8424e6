//! The service on SQLite.

mod acts;
mod freshness;
mod stock;
