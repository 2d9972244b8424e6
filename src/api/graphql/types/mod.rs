//! Output types, one file per slice, and the scalars they share.

pub mod accounts;
pub mod scalars;
pub mod user_error;
