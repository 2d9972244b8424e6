//! doorbuster: a backend for limited-time sales.

pub mod broker;
pub mod config;
pub mod gate;
pub mod kernel;
pub mod store;
