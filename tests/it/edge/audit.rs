//! What others wrote to judge servers with: needs Node and `npm ci` in `tests/edge-audit`.

use std::process::Stdio;

use async_graphql::{Executor, Schema};
use async_graphql_axum::{GraphQL, GraphQLSubscription};
use axum::Router;
use axum::routing::{get_service, post_service};
use tokio::net::TcpListener;
use tokio::process::Command;

use super::support::{Mutation, Query, Subscriptions, start};

/// `POST /graphql` and the socket at `/graphql/ws`, as `async-graphql-axum` serves them by itself.
fn bare_adapter(schema: impl Executor) -> Router {
    let socket = get_service(GraphQLSubscription::new(schema.clone()));
    Router::new()
        .route("/graphql", post_service(GraphQL::new(schema.clone())).get_service(GraphQL::new(schema)))
        .route("/graphql/ws", socket)
}

async fn audit(http: &str, socket: &str) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/edge-audit/audit.mjs");
    let output = Command::new("node").arg(script).args([http, socket]).stdin(Stdio::null()).output();
    let output = output.await.expect("node runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs `npm ci` in tests/edge-audit; `just audit` runs it"]
async fn audits_and_probes_all_pass() {
    let server = start().await;
    let (passed, text) = audit(&server.url(), &server.url().replace("http", "ws")).await;
    println!("edge:\n{text}");
    assert!(passed, "{text}");

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let schema = Schema::build(Query, Mutation, Subscriptions).data(server.state.clone()).finish();
    tokio::spawn(async move { axum::serve(listener, bare_adapter(schema)).await });
    let sockets = format!("ws://{address}/graphql/ws");
    let (passed, text) = audit(&format!("http://{address}/graphql"), &sockets).await;
    println!("async-graphql-axum, for comparison:\n{text}");
    assert!(!passed, "the baseline passes: the audits can't fail");
}
