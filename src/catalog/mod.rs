//! What is sold.

pub mod model;

pub use model::Product;
