//! The configuration: one TOML file with sections. `default.toml` documents each key and its default.

mod sections;
pub mod units;

pub use sections::*;
pub use units::{Secret, Size, Span};
