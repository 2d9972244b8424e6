//! The GraphQL endpoint: the edge (HTTP, sockets, limits) and the schema. async-graphql is used only below this folder.

pub mod context;
pub mod edge;
pub mod error;
pub mod loaders;
pub mod mutation;
pub mod plans;
pub mod query;
pub mod schema;
pub mod subscription;
pub mod types;

#[cfg(test)]
mod tests;
