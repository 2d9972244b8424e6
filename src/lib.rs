//! doorbuster: a backend for limited-time sales.

pub mod accounts;
pub mod api;
pub mod app;
pub mod bench;
pub mod broker;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod gate;
pub mod hub;
pub mod kernel;
pub mod lifecycle;
pub mod nodes;
pub mod orders;
pub mod payments;
pub mod pictures;
pub mod points;
pub mod sales;
pub mod settings;
pub mod store;
pub mod tcc;
pub mod telemetry;
pub mod tls;
pub mod workers;
