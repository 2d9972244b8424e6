//! The nodes that run on one database: who they are ([`Registry`]), and which of them does what only one may do at a time
//! ([`Leases`]).

mod leases;
mod registry;

pub use leases::{LeaseRow, Leases};
pub use registry::{NodeRow, Registry};
