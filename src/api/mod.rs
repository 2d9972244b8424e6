//! The outside: HTTP routes and the GraphQL endpoint.

pub mod assets;
pub mod graphql;
mod heads;
pub mod health;
pub mod payments;
pub mod pictures;
pub mod reports;
pub mod router;
mod unsent;
