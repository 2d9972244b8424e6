//! The statuses of the draft of August 2026, beside those that the audits want (`http.rs`).

use reqwest::Client;
use serde_json::json;

use super::support::start_with;
use doorbuster::config::Statuses;

#[tokio::test]
async fn the_draft_says_by_the_status_what_was_wrong() {
    let server = start_with(|config| config.graphql.statuses = Statuses::Draft).await;
    for (body, status) in [
        ("{".to_owned(), 400),
        (json!({"query": "{"}).to_string(), 400),
        (json!({}).to_string(), 422),
        (json!({"query": 1}).to_string(), 422),
        (json!({"query": "{ nope }"}).to_string(), 422),
        (json!({"query": "{ role }", "operationName": "Q"}).to_string(), 422),
        (json!({"query": "query($n: Int!) { double(n: $n) }"}).to_string(), 422),
        (json!({"query": "{ role }", "documentId": "x"}).to_string(), 422),
        (json!({"documentId": "x"}).to_string(), 422),
        (json!({"query": "{ fail }"}).to_string(), 294),
        (json!({"query": "{ me }"}).to_string(), 294),
        (json!({"query": "{ role }"}).to_string(), 200),
    ] {
        for accept in ["application/json", "application/graphql-response+json"] {
            let request = Client::new().post(server.url()).header("content-type", "application/json");
            let response = request.header("accept", accept).body(body.clone()).send().await.unwrap();
            assert_eq!(response.status(), status, "{accept} {body}");
        }
    }
}
