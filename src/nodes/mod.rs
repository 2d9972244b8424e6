//! The nodes that share a database: their registry ([`Registry`]), and the assignment of singleton jobs ([`Leases`]).

mod leases;
mod registry;
mod upgrades;

pub use crate::model::nodes::{LeaseRow, NodeCheck, NodeRow, NodeSettings, NodeVitals};
pub use leases::Leases;
pub use registry::{Registry, TellSettings, TellVitals};
pub use upgrades::{Finalised, Upgrades};
