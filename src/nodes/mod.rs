//! The nodes that share a database: their registry ([`Registry`]), and the assignment of singleton jobs ([`Leases`]).

mod leases;
mod registry;

pub use leases::{LeaseRow, Leases};
pub use registry::{NodeRow, NodeSettings, Registry, TellSettings};
