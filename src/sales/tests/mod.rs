//! The service on a database of its own.

mod acts;
mod freshness;
mod stock;
mod terms;
