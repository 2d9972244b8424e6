//! The outside: HTTP routes and the GraphQL endpoint.

pub mod graphql;
