//! The outside: HTTP routes and the GraphQL endpoint.

pub mod assets;
pub mod graphql;
pub mod health;
pub mod router;
