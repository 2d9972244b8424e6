//! Requests and answers over HTTP.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::support::{Server, start, start_with, until};
use doorbuster::config::{Size, Span};

const JSON: &str = "application/json";
const NEW: &str = "application/graphql-response+json";

fn post(server: &Server, accept: &str, body: impl Into<String>) -> RequestBuilder {
    Client::new().post(server.url()).header(CONTENT_TYPE, JSON).header(ACCEPT, accept).body(body.into())
}

async fn query(server: &Server, text: &str) -> Value {
    let response = post(server, NEW, json!({"query": text}).to_string()).send().await.unwrap();
    response.json().await.unwrap()
}

async fn code(response: Response) -> String {
    let body: Value = response.json().await.unwrap();
    body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn documents_fail_with_their_code_and_no_data() {
    let server = start().await;
    let many_aliases = (0..200).map(|n| format!("a{n}: double(n: 1) ")).collect::<String>();
    let doubling = (0..24).map(|n| format!("fragment F{n} on Query {{ ...F{} ...F{} }} ", n + 1, n + 1));
    let doubling = format!("{{ ...F0 }} {} fragment F24 on Query {{ role }}", doubling.collect::<String>());
    for (body, code) in [
        (json!({"query": "{"}), "GRAPHQL_PARSE_FAILED"),
        (json!({"query": ""}), "GRAPHQL_PARSE_FAILED"),
        (json!({"query": "{ nope }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "{ double(n: \"x\") }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "{ ...F } fragment F on Query { ...F }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "subscription { count(to: 1) silence }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "subscription { count(to: 1) again: count(to: 1) }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "subscription { count(to: 1) count(to: 2) }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "subscription { count(to: 1) @skip(if: false) }"}), "GRAPHQL_VALIDATION_FAILED"),
        (json!({"query": "query A { role } query B { role }"}), "OPERATION_RESOLUTION_FAILURE"),
        (json!({"query": "query A { role }", "operationName": "B"}), "OPERATION_RESOLUTION_FAILURE"),
        (json!({"query": "subscription { count(to: 1) }"}), "OPERATION_RESOLUTION_FAILURE"),
        (json!({"query": "query($n: Int!) { double(n: $n) }"}), "BAD_USER_INPUT"),
        (json!({"query": "query($n: Int!) { double(n: $n) }", "variables": {"n": null}}), "BAD_USER_INPUT"),
        (json!({"query": "query($n: Int!) { double(n: $n) }", "variables": {"n": "x"}}), "BAD_USER_INPUT"),
        (json!({"query": "query($n: Int!) { double(n: $n) }", "variables": {"n": 1e20}}), "BAD_USER_INPUT"),
        (json!({"query": format!("{{ {many_aliases} }}")}), "DOCUMENT_TOO_COMPLEX"),
        (json!({"query": doubling}), "DOCUMENT_TOO_COMPLEX"),
        (json!({"query": "{".repeat(100)}), "DOCUMENT_TOO_COMPLEX"),
        (json!({"query": "mutation { a: salePurchase(n: 1) b: salePurchase(n: 2) }"}), "DOCUMENT_TOO_COMPLEX"),
    ] {
        for (accept, status) in [(NEW, 400), (JSON, 200)] {
            let response = post(&server, accept, body.to_string()).send().await.unwrap();
            assert_eq!(response.status(), status, "{body}");
            assert!(response.headers()[CONTENT_TYPE].to_str().unwrap().starts_with(accept), "{body}");
            let answer: Value = response.json().await.unwrap();
            assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{body}: {answer}");
            assert!(answer.get("data").is_none(), "{body}: {answer}");
        }
    }
}

#[tokio::test]
async fn requests_that_are_none_are_refused_by_status() {
    let server = start().await;
    let good = json!({"query": "{ role }"}).to_string();
    let url = server.url();
    let client = Client::new();
    let request =
        |method: Method, kind: &str, body: String| client.request(method, &url).header(CONTENT_TYPE, kind).body(body);
    let post = |kind: &str, body: &str| request(Method::POST, kind, body.to_owned());
    for (request, status) in [
        (post("text/plain", &good), 415),
        (post("application/x-www-form-urlencoded", "query={role}"), 415),
        (post("application/json; charset=utf-16", &good), 415),
        (client.post(&url).body(good.clone()), 415),
        (post(JSON, ""), 400),
        (post(JSON, "{"), 400),
        (post(JSON, "null"), 400),
        (post(JSON, &format!("[{good}]")), 400),
        (post(JSON, "\u{feff}{\"query\":\"{role}\"}"), 400),
        (post(JSON, r#"{"query":"{role}","variables":[]}"#), 400),
        (post(JSON, &json!({"query": "#".repeat(70_000)}).to_string()), 413),
        (post(JSON, &json!({"query": "#".repeat(40_000)}).to_string()), 413),
        (request(Method::PUT, JSON, good.clone()), 405),
        (request(Method::DELETE, JSON, good.clone()), 405),
        (request(Method::OPTIONS, JSON, String::new()), 405),
        (post(JSON, &good).header(ACCEPT, "text/html"), 406),
        (client.get(&url), 400),
        (client.get(format!("{url}?query=mutation{{bump}}")), 405),
        (post(JSON, &good).header(AUTHORIZATION, "Bearer nobody"), 401),
        (post(JSON, &good).header(AUTHORIZATION, "Basic x"), 401),
        (post(JSON, &good).header(AUTHORIZATION, "Bearer down"), 503),
    ] {
        let response = request.send().await.unwrap();
        let headers = response.headers().clone();
        assert_eq!(response.status(), status);
        assert_eq!(headers.contains_key(ALLOW), status == 405);
        assert_eq!(headers.contains_key(WWW_AUTHENTICATE), status == 401);
        assert_eq!(headers.contains_key(RETRY_AFTER), status == 503);
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert!(!code(response).await.is_empty(), "an error with a code at status {status}");
    }
    assert_eq!(server.state.bumps.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn queries_run_by_get_and_post() {
    let server = start().await;
    let search = "?query=query($n:Int!){double(n:$n)}&variables={\"n\":4}";
    let answer: Value = Client::new().get(server.url() + search).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"data": {"double": 8}}));
    let body = json!({"query": "query A { a: double(n: 1) ...F } query B { role } fragment F on Query { double(n: 2) }",
        "operationName": "A", "extensions": {"any": 1}, "other": true});
    let answer: Value = post(&server, "*/*", body.to_string()).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"data": {"a": 2, "double": 4}}));
    // The same document again, from memory, with its other operation.
    let body = json!({"query": body["query"], "operationName": "B"});
    let answer: Value = post(&server, "*/*", body.to_string()).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"data": {"role": null}}));
    assert_eq!(query(&server, "mutation { bump }").await, json!({"data": {"bump": 1}}));
    assert_eq!(query(&server, "{ address }").await["data"]["address"], "127.0.0.1");
}

#[tokio::test]
async fn tokens_say_who_asks() {
    let server = start().await;
    let ask = |token: &str| {
        post(&server, JSON, json!({"query": "{ role me }"}).to_string())
            .header(AUTHORIZATION, format!("bearer {token}"))
    };
    let answer: Value = ask("operator").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["data"]["role"], "OPERATOR");
    let answer = query(&server, "{ me }").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn faults_are_masked_and_contained() {
    let server = start().await;
    let answer = query(&server, "{ fail role }").await;
    assert_eq!(answer["data"], json!({"fail": null, "role": null}));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    assert!(!answer.to_string().contains("secret"));
    let response = post(&server, NEW, json!({"query": "{ panic }"}).to_string()).send().await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(code(response).await, "INTERNAL_SERVER_ERROR");
    assert_eq!(query(&server, "{ double(n: 2) }").await["data"]["double"], 4);
}

#[tokio::test]
async fn requests_are_named() {
    let server = start().await;
    let ask = |id: &str| post(&server, JSON, json!({"query": "{ fail }"}).to_string()).header("x-request-id", id);
    let response = ask("abc-123").send().await.unwrap();
    assert_eq!(response.headers()["x-request-id"], "abc-123");
    assert!(response.text().await.unwrap().contains("request abc-123"));
    for odd in ["", "no spaces", &"x".repeat(65), "<script>"] {
        let response = ask(odd).send().await.unwrap();
        assert_eq!(response.headers()["x-request-id"].len(), 16, "{odd}");
    }
}

#[tokio::test]
async fn introspection_can_be_switched_off() {
    let server = start().await;
    assert!(query(&server, "{ __schema { queryType { name } } }").await.get("data").is_some());
    let server = start_with(|config| config.graphql.introspection = false).await;
    let answer = query(&server, "{ doubel(n: 1) }").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert!(!answer.to_string().contains("double"), "a suggestion: {answer}");
    let answer = query(&server, "{ ...F } fragment F on Query { __type(name: \"Query\") { name } }").await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(query(&server, "{ __typename }").await["data"]["__typename"], "Query");
}

#[tokio::test]
async fn operations_that_take_too_long_are_given_up() {
    let server = start_with(|config| config.graphql.execution_timeout.0 = std::time::Duration::from_millis(50)).await;
    for text in ["{ never }", "mutation { bumpLater }"] {
        let response = post(&server, JSON, json!({"query": text}).to_string()).send().await.unwrap();
        assert_eq!(response.status(), 503);
        assert_eq!(code(response).await, "UNAVAILABLE");
    }
    // The mutation runs on.
    server.state.go_on.notify_one();
    until("the mutation ends", || server.state.bumps.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn answers_that_are_too_large_are_refused() {
    let server = start_with(|config| config.graphql.response_max = Size(4096)).await;
    let ask = |bytes: usize| post(&server, NEW, json!({"query": format!("{{ big(bytes: {bytes}) }}")}).to_string());
    assert_eq!(ask(4000).send().await.unwrap().status(), 200);
    let response = ask(5000).send().await.unwrap();
    assert_eq!(response.status(), 400);
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["errors"][0]["extensions"]["code"], "DOCUMENT_TOO_COMPLEX");
    assert!(answer.get("data").is_none() && answer.to_string().contains("4096"), "{answer}");
}

#[tokio::test]
async fn a_mutation_outlives_its_connection() {
    // By the executor, and by a way around it.
    for mutation in ["mutation { bumpLater }", "mutation { short: bumpLater }"] {
        let server = start_with(|config| config.server.linger = Span(Duration::ZERO)).await;
        let request = post(&server, JSON, json!({"query": mutation, "variables": {}}).to_string()).send();
        let request = tokio::spawn(request);
        server.state.started.notified().await;
        request.abort();
        assert!(request.await.unwrap_err().is_cancelled());
        // The server has noticed once it has closed its end: then nothing but the mutation's own task is left of it.
        server.shutdown.cancel();
        server.serving.await.unwrap();
        server.state.go_on.notify_one();
        until("the mutation ends", || server.state.bumps.load(Ordering::SeqCst) == 1).await;
    }
}

#[tokio::test]
async fn health_and_metrics_answer() {
    let server = start_with(|config| config.server.body_max = Size(1024)).await;
    let get = |path: &str| Client::new().get(format!("http://{}{path}", server.address)).send();
    assert_eq!(get("/health/live").await.unwrap().status(), 200);
    let ready = get("/health/ready").await.unwrap();
    assert_eq!(ready.headers()["x-content-type-options"], "nosniff");
    assert_eq!(ready.status(), 200, "what is only told keeps nobody away");
    let told: Value = ready.json().await.unwrap();
    assert_eq!((&told["ready"], &told["information"][0]["healthy"]), (&json!(true), &json!(false)));
    assert_eq!(get("/metrics").await.unwrap().text().await.unwrap(), "# EOF\n");
    assert_eq!(get("/nothing").await.unwrap().status(), 404);
}
