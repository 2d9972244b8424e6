//! Documents by id and by hash, and what an operation costs.

use data_encoding::HEXLOWER;
use doorbuster::api::graphql::edge::documents::trusted;
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::support::{Server, TRUSTED, UNFIT, start, start_with};
use crate::support::Shop;

fn post(server: &Server, body: &Value) -> RequestBuilder {
    Client::new().post(server.url()).json(body)
}

async fn ask(server: &Server, body: Value) -> Value {
    post(server, &body).send().await.unwrap().json().await.unwrap()
}

fn persisted(text: &str) -> Value {
    let hash = HEXLOWER.encode(&Sha256::digest(text));
    json!({"persistedQuery": {"version": 1, "sha256Hash": hash}})
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn a_document_is_registered_by_its_hash() {
    let server = start().await;
    let text = "query($n: Int!) { double(n: $n) }";
    let unknown = ask(&server, json!({"extensions": persisted(text)})).await;
    assert_eq!(unknown["errors"][0]["message"], "PersistedQueryNotFound");
    assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND");
    let variables = json!({"n": 4});
    let first = json!({"query": text, "extensions": persisted(text), "variables": variables});
    assert_eq!(ask(&server, first).await, json!({"data": {"double": 8}}));
    let again = json!({"extensions": persisted(text), "variables": variables});
    assert_eq!(ask(&server, again).await, json!({"data": {"double": 8}}));
    let extensions = persisted(text).to_string();
    let query = [("extensions", extensions.as_str()), ("variables", r#"{"n":5}"#)];
    let by_get: Value = Client::new().get(server.url()).query(&query).send().await.unwrap().json().await.unwrap();
    assert_eq!(by_get, json!({"data": {"double": 10}}));
}

#[tokio::test]
async fn only_good_documents_with_their_own_hash_are_registered() {
    let server = start().await;
    let forged = json!({"query": "{ role }", "extensions": persisted("{ echo(text: \"x\") }")});
    assert_eq!(code(&ask(&server, forged).await), "BAD_USER_INPUT");
    for bad in ["{ nope }", "{"] {
        let refused = ask(&server, json!({"query": bad, "extensions": persisted(bad)})).await;
        assert!(code(&refused).starts_with("GRAPHQL_"), "{refused}");
        let unknown = ask(&server, json!({"extensions": persisted(bad)})).await;
        assert_eq!(code(&unknown), "PERSISTED_QUERY_NOT_FOUND", "{bad}");
    }
}

#[tokio::test]
async fn strangers_do_not_push_out_what_is_asked_for_often() {
    let server = start_with(|config| config.graphql.persisted_cache = 20).await;
    let text = "query Popular { role }";
    ask(&server, json!({"query": text, "extensions": persisted(text)})).await;
    for n in 0..300 {
        let answer = ask(&server, json!({"extensions": persisted(text)})).await;
        assert_eq!(answer, json!({"data": {"role": null}}), "after {n} others");
        let other = format!("query Q{n} {{ role }}");
        ask(&server, json!({"query": other, "extensions": persisted(&other)})).await;
    }
    let mut kept = 0;
    for n in 0..300 {
        let other = json!({"extensions": persisted(&format!("query Q{n} {{ role }}"))});
        kept += usize::from(code(&ask(&server, other).await) != "PERSISTED_QUERY_NOT_FOUND");
    }
    assert!(kept < 150, "the cache is bounded, but has {kept} of them");
}

#[tokio::test]
async fn trusted_documents_have_an_id() {
    let server = start().await;
    let role = json!({"data": {"role": null}});
    assert_eq!(ask(&server, json!({"documentId": trusted::id(TRUSTED)})).await, role);
    assert_eq!(ask(&server, json!({"extensions": persisted(TRUSTED)})).await, role, "as a persisted query");
    for unknown in [trusted::id(UNFIT), trusted::id("{ role }"), "x".into()] {
        assert_eq!(code(&ask(&server, json!({"documentId": unknown})).await), "PERSISTED_QUERY_NOT_FOUND");
    }
    let mut socket = server.socket().await;
    let payload = json!({"documentId": trusted::id(TRUSTED)});
    socket.send(json!({"id": "1", "type": "subscribe", "payload": payload})).await;
    assert_eq!(socket.next().await["payload"], role);
}

#[tokio::test]
async fn a_server_can_take_trusted_documents_only() {
    let server = start_with(|config| config.graphql.trusted_only = true).await;
    let role = json!({"data": {"role": null}});
    assert_eq!(ask(&server, json!({"documentId": trusted::id(TRUSTED)})).await, role);
    assert_eq!(ask(&server, json!({"query": TRUSTED})).await, role, "by its text");
    let other = "{ double(n: 2) }";
    let refused = post(&server, &json!({"query": other})).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert_eq!(code(&ask(&server, json!({"query": other, "extensions": persisted(other)})).await), "FORBIDDEN");
    let by = |token: &'static str, body: Value| post(&server, &body).bearer_auth(token).send();
    assert_eq!(by("buyer", json!({"query": other})).await.unwrap().status(), 403);
    let registered = by("operator", json!({"query": other, "extensions": persisted(other)})).await.unwrap();
    assert_eq!(registered.json::<Value>().await.unwrap(), json!({"data": {"double": 4}}));
    // What an operator registered is still nobody else's.
    assert_eq!(code(&ask(&server, json!({"extensions": persisted(other)})).await), "PERSISTED_QUERY_NOT_FOUND");
    let mut socket = server.socket().await;
    socket.subscribe("1", other).await;
    assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], "FORBIDDEN");
}

#[tokio::test]
async fn an_answer_tells_its_cost_when_asked() {
    let server = start().await;
    let extensions = json!({"cost": true});
    let answer = ask(&server, json!({"query": "{ role double(n: 1) }", "extensions": extensions})).await;
    assert_eq!(answer["data"], json!({"role": null, "double": 2}));
    let cost = &answer["extensions"]["cost"];
    assert_eq!(cost["cost"], json!({"requested": 2, "limit": 5000}));
    assert_eq!((&cost["fields"]["requested"], &cost["depth"]["requested"]), (&json!(2), &json!(1)));
    assert!(ask(&server, json!({"query": "{ role }"})).await.get("extensions").is_none());
    let counted = json!({"query": "mutation { salePurchase(n: 1) }", "extensions": extensions});
    assert_eq!(ask(&server, counted).await["extensions"]["cost"]["rootFields"]["requested"], 1);
}

#[tokio::test]
async fn the_front_ends_documents_fit_the_schema() {
    let shop = Shop::open().await;
    for (id, text) in trusted::compiled_in() {
        let body = json!({"documentId": id, "operationName": "None"});
        let url = format!("http://{}/graphql", shop.address());
        let answer: Value = Client::new().post(url).json(&body).send().await.unwrap().json().await.unwrap();
        // Found, and so valid: only the operation is not there.
        assert_eq!(code(&answer), "OPERATION_RESOLUTION_FAILURE", "{text}: {answer}");
    }
    shop.stop().await;
}
