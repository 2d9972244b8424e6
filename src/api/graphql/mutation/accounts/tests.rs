use std::sync::Arc;

use async_graphql::{EmptySubscription, Request, Schema, Value, value};

use super::AccountsMutation;
use crate::accounts::testing::{HOME, PASSWORD, Shop};
use crate::api::graphql::context::{RequestInfo, Services};
use crate::api::graphql::query::accounts::AccountsQuery;
use crate::api::graphql::testing::services;
use crate::config::Config;

type Sut = Schema<AccountsQuery, AccountsMutation, EmptySubscription>;

fn schema(shop: &Shop) -> Sut {
    let base = services(&shop.db, shop.broker.clone(), &shop.clock.clock(), Config::default_embedded());
    let services = Services { accounts: shop.accounts.clone(), ..base };
    Schema::build(AccountsQuery, AccountsMutation, EmptySubscription).data(Arc::new(services)).finish()
}

/// Sends a document as the edge does; answers the whole response.
async fn send(shop: &Shop, token: Option<&str>, document: &str) -> serde_json::Value {
    let viewer = match token {
        Some(token) => shop.accounts.viewer(token).await.unwrap(),
        None => None,
    };
    let info = RequestInfo { viewer, token: token.map(str::to_owned), address: HOME, request_id: "test".into() };
    serde_json::to_value(schema(shop).execute(Request::new(document).data(info)).await).unwrap()
}

fn sign_up(username: &str, password: &str, display_name: &str) -> String {
    let input = value!({ "username": username, "password": password, "displayName": display_name });
    format!(
        "mutation {{ userSignUp(input: {}) {{
            user {{ id username displayName role createdAt }}
            accessToken {{ token expiresAt }}
            userErrors {{ code message field }}
        }} }}",
        literal(&input)
    )
}

fn sign_in(username: &str, password: &str) -> String {
    let input = value!({ "username": username, "password": password });
    format!(
        "mutation {{ userSignIn(input: {}) {{ user {{ username }} accessToken {{ token }} userErrors {{ code message field }} }} }}",
        literal(&input)
    )
}

fn literal(value: &Value) -> String {
    value.to_string()
}

const SIGN_OUT: &str = "mutation { userSignOut { user { username } userErrors { code field } } }";
const VIEWER: &str = "{ viewer { user { username role } } }";

#[tokio::test]
async fn sign_up_look_sign_out() {
    let shop = Shop::open().await;
    let answer = send(&shop, None, &sign_up("Alice", PASSWORD, "Alice L.")).await;
    let payload = &answer["data"]["userSignUp"];
    let user = &payload["user"];
    assert!(user["id"].as_str().unwrap().starts_with("user_"), "{answer}");
    assert_eq!((&user["username"], &user["displayName"]), (&"alice".into(), &"Alice L.".into()));
    assert_eq!((&user["role"], &user["createdAt"]), (&"BUYER".into(), &"2026-11-23T10:00:00.000Z".into()));
    assert_eq!(payload["accessToken"]["expiresAt"], "2026-11-30T10:00:00.000Z");
    assert_eq!(payload["userErrors"], serde_json::json!([]));

    let token = payload["accessToken"]["token"].as_str().unwrap();
    let viewer = send(&shop, Some(token), VIEWER).await;
    assert_eq!(viewer["data"]["viewer"]["user"], serde_json::json!({ "username": "alice", "role": "BUYER" }));

    let out = send(&shop, Some(token), SIGN_OUT).await;
    let expected = serde_json::json!({ "user": { "username": "alice" }, "userErrors": [] });
    assert_eq!(out["data"]["userSignOut"], expected, "{out}");
    assert_eq!(send(&shop, Some(token), VIEWER).await["data"]["viewer"], serde_json::Value::Null);
    let again = send(&shop, Some(token), SIGN_OUT).await;
    assert_eq!(again["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn nobody_is_no_error_for_a_query_and_one_for_signing_out() {
    let shop = Shop::open().await;
    for token in [None, Some("garbage")] {
        let viewer = send(&shop, token, VIEWER).await;
        assert_eq!(viewer, serde_json::json!({ "data": { "viewer": null } }));
        let out = send(&shop, token, SIGN_OUT).await;
        assert_eq!(out["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{out}");
    }
}

#[tokio::test]
async fn a_sign_out_that_was_overtaken_says_so() {
    let shop = Shop::open().await;
    let answer = send(&shop, None, &sign_up("alice", PASSWORD, "Alice")).await;
    let token = answer["data"]["userSignUp"]["accessToken"]["token"].as_str().unwrap().to_owned();
    let viewer = shop.accounts.viewer(&token).await.unwrap();
    assert!(shop.accounts.sign_out(&token).await.unwrap());
    // This request was authenticated before the other one ended the token.
    let info = RequestInfo { viewer, token: Some(token), address: HOME, request_id: "test".into() };
    let late = schema(&shop).execute(Request::new(SIGN_OUT).data(info)).await;
    let late = serde_json::to_value(late).unwrap();
    let expected = serde_json::json!({ "user": null, "userErrors": [{ "code": "ALREADY_SIGNED_OUT", "field": null }] });
    assert_eq!(late["data"]["userSignOut"], expected, "{late}");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_sign_up_is_told_at_once() {
    let shop = Shop::open().await;
    let answer = send(&shop, None, &sign_up("a", "short", " ")).await;
    let payload = &answer["data"]["userSignUp"];
    assert_eq!((&payload["user"], &payload["accessToken"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    let errors = payload["userErrors"].as_array().unwrap();
    let told: Vec<_> = errors.iter().map(|error| (error["code"].as_str().unwrap(), error["field"].clone())).collect();
    let expected = [
        ("USERNAME_INVALID", serde_json::json!(["input", "username"])),
        ("PASSWORD_TOO_SHORT", serde_json::json!(["input", "password"])),
        ("DISPLAY_NAME_INVALID", serde_json::json!(["input", "displayName"])),
    ];
    assert_eq!(told, expected);

    send(&shop, None, &sign_up("alice", PASSWORD, "Alice")).await;
    let taken = send(&shop, None, &sign_up("alice", &"x".repeat(129), "Alice")).await;
    let errors = &taken["data"]["userSignUp"]["userErrors"];
    assert_eq!((&errors[0]["code"], &errors[1]["code"]), (&"USERNAME_TAKEN".into(), &"PASSWORD_TOO_LONG".into()));
}

#[tokio::test]
async fn a_failed_sign_in_does_not_tell_whether_the_account_exists() {
    let shop = Shop::open().await;
    send(&shop, None, &sign_up("alice", PASSWORD, "Alice")).await;
    let wrong_password = send(&shop, None, &sign_in("alice", "wrong password")).await;
    let wrong_name = send(&shop, None, &sign_in("nobody", PASSWORD)).await;
    assert_eq!(wrong_password, wrong_name);
    assert_eq!(wrong_name["data"]["userSignIn"]["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    let right = send(&shop, None, &sign_in("alice", PASSWORD)).await;
    assert_eq!(right["data"]["userSignIn"]["user"]["username"], "alice");
}

#[tokio::test]
async fn too_many_attempts_are_told_when_to_come_again() {
    let shop = Shop::with(|config| config.sign_ins_per_account_per_minute = 1).await;
    send(&shop, None, &sign_in("alice", PASSWORD)).await;
    let answer = send(&shop, None, &sign_in("alice", PASSWORD)).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED", "{answer}");
    assert!((1..=60).contains(&extensions["retryAfterSeconds"].as_u64().unwrap()), "{answer}");
}

#[tokio::test]
async fn everything_is_described() {
    let shop = Shop::open().await;
    let answer = send(
        &shop,
        None,
        "{ __schema { types { name kind description
            fields { name description args { name description } }
            inputFields { name description } enumValues { name description } } } }",
    )
    .await;
    let mut missing = Vec::new();
    collect(&answer["data"]["__schema"]["types"], "", &mut missing);
    // The specification describes these, and the roots are merged into the shop's own.
    let elsewhere = ["/ID:", "/AccountsQuery:", "/AccountsMutation:"];
    let ours = |path: &&String| !path.starts_with("/__") && !elsewhere.contains(&path.as_str());
    assert_eq!(missing.iter().filter(ours).collect::<Vec<_>>(), Vec::<&String>::new());
}

fn collect(node: &serde_json::Value, path: &str, missing: &mut Vec<String>) {
    for item in node.as_array().into_iter().flatten() {
        let path = format!("{path}/{}", item["name"].as_str().unwrap());
        if item["description"].as_str().is_none_or(str::is_empty) {
            missing.push(format!("{path}:"));
        }
        for part in ["fields", "args", "inputFields", "enumValues"] {
            collect(&item[part], &path, missing);
        }
    }
}
