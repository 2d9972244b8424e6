use std::net::IpAddr;
use std::sync::Arc;

use async_graphql::{Request, Value, value};

use crate::api::graphql::context::{RequestInfo, TokenIn};
use crate::api::graphql::schema;
use crate::app::App;
use crate::config::{self, Config, Secret, Size};
use crate::kernel::{ManualClock, Rng, Timestamp};
use crate::model::accounts::Viewer;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));
const PASSWORD: &str = "correct horse";

struct Shop {
    app: App,
    _folder: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut config::Accounts)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::default_embedded();
        config.store.url = Secret::new(format!("sqlite://{}/shop.db", folder.path().display()));
        config.accounts.hash_memory = Size(8 * 1024);
        config.accounts.hash_passes = 1;
        change(&mut config.accounts);
        let clock = ManualClock::at(Timestamp::from_millis(1_795_428_000_000)).clock();
        Self { app: App::build(config, clock, Rng::system()).await.unwrap(), _folder: folder }
    }

    /// Sends a document with a token, as the edge does; answers the whole response.
    async fn send(&self, token: Option<&str>, document: &str) -> serde_json::Value {
        let viewer = match token {
            Some(token) => self.app.accounts().viewer(token).await.unwrap(),
            None => None,
        };
        self.execute(info(viewer, token), document).await
    }

    async fn execute(&self, info: RequestInfo, document: &str) -> serde_json::Value {
        let schema = schema::build(Arc::new(self.app.services()));
        serde_json::to_value(schema.execute(Request::new(document).data(info)).await).unwrap()
    }
}

fn info(viewer: Option<Viewer>, token: Option<&str>) -> RequestInfo {
    RequestInfo {
        viewer,
        token: token.map(str::to_owned),
        address: HOME,
        request_id: "test".into(),
        known_version: None,
        device: None,
        token_in: TokenIn::Answer,
    }
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
    let answer = shop.send(None, &sign_up("Alice", PASSWORD, "Alice L.")).await;
    let payload = &answer["data"]["userSignUp"];
    let user = &payload["user"];
    assert!(user["id"].as_str().unwrap().starts_with("user_"), "{answer}");
    assert_eq!((&user["username"], &user["displayName"]), (&"alice".into(), &"Alice L.".into()));
    assert_eq!((&user["role"], &user["createdAt"]), (&"BUYER".into(), &"2026-11-23T10:00:00.000Z".into()));
    assert_eq!(payload["accessToken"]["expiresAt"], "2026-11-30T10:00:00.000Z");
    assert_eq!(payload["userErrors"], serde_json::json!([]));

    let token = payload["accessToken"]["token"].as_str().unwrap();
    let viewer = shop.send(Some(token), VIEWER).await;
    assert_eq!(viewer["data"]["viewer"]["user"], serde_json::json!({ "username": "alice", "role": "BUYER" }));

    let out = shop.send(Some(token), SIGN_OUT).await;
    let expected = serde_json::json!({ "user": { "username": "alice" }, "userErrors": [] });
    assert_eq!(out["data"]["userSignOut"], expected, "{out}");
    assert_eq!(shop.send(Some(token), VIEWER).await["data"]["viewer"], serde_json::Value::Null);
    let again = shop.send(Some(token), SIGN_OUT).await;
    assert_eq!(again["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn nobody_is_no_error_for_a_query_and_one_for_signing_out() {
    let shop = Shop::open().await;
    for token in [None, Some("garbage")] {
        let viewer = shop.send(token, VIEWER).await;
        assert_eq!(viewer, serde_json::json!({ "data": { "viewer": null } }));
        let out = shop.send(token, SIGN_OUT).await;
        assert_eq!(out["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{out}");
    }
}

#[tokio::test]
async fn a_sign_out_that_was_overtaken_says_so() {
    let shop = Shop::open().await;
    let answer = shop.send(None, &sign_up("alice", PASSWORD, "Alice")).await;
    let token = answer["data"]["userSignUp"]["accessToken"]["token"].as_str().unwrap().to_owned();
    let viewer = shop.app.accounts().viewer(&token).await.unwrap();
    assert!(shop.app.accounts().sign_out(&token).await.unwrap());
    // This request was authenticated before the other one ended the token.
    let late = shop.execute(info(viewer, Some(&token)), SIGN_OUT).await;
    let expected = serde_json::json!({ "user": null, "userErrors": [{ "code": "ALREADY_SIGNED_OUT", "field": null }] });
    assert_eq!(late["data"]["userSignOut"], expected, "{late}");
}

#[tokio::test]
async fn all_that_is_wrong_with_a_sign_up_is_told_at_once() {
    let shop = Shop::open().await;
    let answer = shop.send(None, &sign_up("a", "short", " ")).await;
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

    shop.send(None, &sign_up("alice", PASSWORD, "Alice")).await;
    let taken = shop.send(None, &sign_up("alice", &"x".repeat(129), "Alice")).await;
    let errors = &taken["data"]["userSignUp"]["userErrors"];
    assert_eq!((&errors[0]["code"], &errors[1]["code"]), (&"USERNAME_TAKEN".into(), &"PASSWORD_TOO_LONG".into()));
}

#[tokio::test]
async fn a_failed_sign_in_does_not_tell_whether_the_account_exists() {
    let shop = Shop::open().await;
    shop.send(None, &sign_up("alice", PASSWORD, "Alice")).await;
    let wrong_password = shop.send(None, &sign_in("alice", "wrong password")).await;
    let wrong_name = shop.send(None, &sign_in("nobody", PASSWORD)).await;
    assert_eq!(wrong_password, wrong_name);
    assert_eq!(wrong_name["data"]["userSignIn"]["userErrors"][0]["code"], "INVALID_CREDENTIALS");
    let right = shop.send(None, &sign_in("alice", PASSWORD)).await;
    assert_eq!(right["data"]["userSignIn"]["user"]["username"], "alice");
}

#[tokio::test]
async fn a_token_that_goes_into_a_cookie_is_not_in_the_answer() {
    let shop = Shop::open().await;
    for (document, field) in
        [(sign_up("alice", PASSWORD, "Alice"), "userSignUp"), (sign_in("alice", PASSWORD), "userSignIn")]
    {
        let nowhere = RequestInfo { token_in: TokenIn::Nowhere, ..info(None, None) };
        let refused = shop.execute(nowhere, &document).await;
        assert_eq!(refused["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "{refused}");
        let answer = shop.execute(RequestInfo { token_in: TokenIn::Cookie, ..info(None, None) }, &document).await;
        assert_eq!(answer["data"][field]["user"]["username"], "alice", "{answer}");
        assert_eq!(answer["data"][field]["accessToken"], serde_json::Value::Null);
        assert!(!answer.to_string().contains("doorbuster_"), "{answer}");
    }
}

#[tokio::test]
async fn too_many_attempts_are_told_when_to_come_again() {
    let shop = Shop::with(|config| config.sign_ins_per_account_per_minute = 1).await;
    // There is no such user.
    shop.send(None, &sign_in("alice", PASSWORD)).await;
    let answer = shop.send(None, &sign_in("alice", PASSWORD)).await;
    let extensions = &answer["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "RATE_LIMITED", "{answer}");
    assert!((1..=60).contains(&extensions["retryAfterSeconds"].as_u64().unwrap()), "{answer}");
}
