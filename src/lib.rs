//! doorbuster: a backend for limited-time sales.

pub mod accounts;
pub mod api;
pub mod broker;
pub mod catalog;
pub mod config;
pub mod demo;
pub mod gate;
pub mod hub;
pub mod kernel;
pub mod orders;
pub mod sales;
pub mod store;
