//! The plain adapter of async-graphql on the same schema, as a baseline for audits and benchmarks.

use async_graphql::{Executor, ObjectType, Schema, SubscriptionType};
use async_graphql_axum::{GraphQL, GraphQLSubscription};
use axum::Router;
use axum::routing::{get_service, post_service};

/// `POST /graphql` and the socket at `/graphql/ws`, as `async-graphql-axum` serves them. Not for production.
pub fn bare_adapter<Q, M, S>(schema: Schema<Q, M, S>) -> Router
where
    Q: ObjectType + 'static,
    M: ObjectType + 'static,
    S: SubscriptionType + 'static,
    Schema<Q, M, S>: Executor,
{
    let socket = get_service(GraphQLSubscription::new(schema.clone()));
    Router::new()
        .route("/graphql", post_service(GraphQL::new(schema.clone())).get_service(GraphQL::new(schema)))
        .route("/graphql/ws", socket)
}
