//! The least that the server's work costs on the real tables: loops of bare statements.

pub mod postgres;
pub mod sqlite;
