//! Documents: parsed, validated, measured and remembered once; with the variables of a request they become operations.

pub mod cache;
pub mod language;
pub mod prepared;
pub mod trusted;
