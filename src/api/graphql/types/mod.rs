//! Output types, one file per slice, and the scalars they share.

pub mod scalars;
