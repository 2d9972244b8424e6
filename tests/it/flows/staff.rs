//! Roles over HTTP and sockets: what observers and support see and may do, and the second factor with a cookie.

use std::time::Duration;

use aws_lc_rs::hmac;
use doorbuster::kernel::{Clock, Timestamp};
use doorbuster::model::accounts::Role;
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use serde_json::{Value, json};

use crate::support::{Shop, Terms};

impl Shop {
    /// The token of somebody new with this role, who is named like it.
    async fn staff(&self, role: Role) -> String {
        let name = role.as_str().to_lowercase();
        self.app.accounts().create_staff(&name, "password123", "Somebody", role).await.unwrap().unwrap();
        self.sign_in(&name).await
    }
}

const PRICE: u64 = 30;

/// An order of a new buyer's, paid with points: the order and the payment.
async fn paid(shop: &Shop, buyer: &str) -> (String, String) {
    let token = shop.buyer(buyer).await;
    let sale = shop.draft(&Terms { points_price: Some(PRICE as i64), ..Terms::default() }).await;
    assert_eq!(shop.act("publish", &sale).await, None);
    let grant = "mutation($u: String!) { pointsGrant(input: { username: $u, points: 100, reason: \"a gift\", \
                 idempotencyKey: \"grant-001\" }) { userErrors { code } } }";
    shop.data(Some(&shop.operator), grant, json!({ "u": buyer })).await;
    let ticket = shop.buy(&token, &sale, "key-00001", 1).await.unwrap();
    let order = shop.decided(&token, &ticket).await["order"]["id"].clone();
    let pay = "mutation($o: ID!) { orderPay(input: { orderId: $o, method: POINTS, idempotencyKey: \"pay-00001\" }) \
               { order { status id } payment { id } userErrors { code } } }";
    let paid = shop.data(Some(&token), pay, json!({ "o": order })).await["orderPay"].clone();
    assert_eq!(paid["order"]["status"], "PAID", "{paid}");
    (order.as_str().unwrap().to_owned(), paid["payment"]["id"].as_str().unwrap().to_owned())
}

const REFUND: &str = "mutation($p: ID!) { paymentRefund(input: { paymentId: $p, reason: \"broken\", \
                      idempotencyKey: \"back-00001\" }) { refund { points } userErrors { code message field } } }";

#[tokio::test(flavor = "multi_thread")]
async fn support_refunds_up_to_a_limit_and_operators_without_one() {
    let shop = Shop::open_with(&format!("support_refund_max_points = {}", PRICE - 1)).await;
    let support = shop.staff(Role::Support).await;
    let observer = shop.staff(Role::Observer).await;
    let (order, payment) = paid(&shop, "alice").await;
    let input = json!({ "p": payment });
    let refused = shop.data(Some(&support), REFUND, input.clone()).await["paymentRefund"].clone();
    let error = &refused["userErrors"][0];
    assert_eq!((&refused["refund"], &error["code"]), (&Value::Null, &json!("AMOUNT_ABOVE_LIMIT")));
    assert_eq!(error["field"], json!(["input", "amount"]));
    assert!(error["message"].as_str().unwrap().contains("29 points"), "{error}");
    assert_eq!(shop.fault(Some(&observer), REFUND, input.clone()).await, "FORBIDDEN");
    let look = "query($o: ID!) { paymentLookup(id: $o) { order { status buyer { username } } refunds { number } } }";
    for token in [&support, &observer] {
        let found = shop.data(Some(token), look, json!({ "o": order })).await["paymentLookup"].clone();
        assert_eq!(found["order"], json!({ "status": "PAID", "buyer": { "username": "alice" } }));
        assert_eq!(found["refunds"], json!([]), "nothing went back");
    }
    let done = shop.data(Some(&shop.operator), REFUND, input).await["paymentRefund"].clone();
    assert_eq!(done, json!({ "refund": { "points": PRICE }, "userErrors": [] }));

    let shop = Shop::open_with(&format!("support_refund_max_points = {PRICE}")).await;
    let support = shop.staff(Role::Support).await;
    let (_, payment) = paid(&shop, "alice").await;
    let done = shop.data(Some(&support), REFUND, json!({ "p": payment })).await["paymentRefund"].clone();
    assert_eq!(done, json!({ "refund": { "points": PRICE }, "userErrors": [] }));
    let log = "{ auditEntries(filter: { act: \"payment.refund\" }) { nodes { operator { username role } subject } } }";
    let log = shop.data(Some(&shop.operator), log, json!({})).await["auditEntries"]["nodes"].clone();
    let by = json!({ "username": "support", "role": "SUPPORT" });
    assert_eq!(log, json!([{ "operator": by, "subject": payment }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn observers_see_drafts_and_buyers_and_support_only_buyers() {
    let shop = Shop::open().await;
    let (draft, sale) = (shop.draft(&Terms::default()).await, shop.sale(&Terms::default()).await);
    let (support, observer) = (shop.staff(Role::Support).await, shop.staff(Role::Observer).await);
    shop.buyer("alice").await;
    let sales = "query($d: ID!, $s: ID!) { draft: sale(id: $d) { id } node(id: $d) { id } sale(id: $s) { gateUpToDate } \
                 saleSessions(first: 9) { nodes { sales(first: 9) { totalCount } } } }";
    let users = "{ users(search: \"alice\") { nodes { username points { balance } orders { totalCount } } } }";
    for (token, sees) in [(&observer, true), (&support, false)] {
        let seen = shop.data(Some(token), sales, json!({ "d": draft, "s": sale })).await;
        assert_eq!(seen["draft"].is_object() && seen["node"].is_object(), sees, "{seen}");
        assert_eq!(seen["sale"]["gateUpToDate"].is_null(), !sees, "{seen}");
        assert_eq!(seen.to_string().contains(&draft), sees);
        let found = shop.data(Some(token), users, json!({})).await["users"]["nodes"].clone();
        let alice = json!({ "username": "alice", "points": { "balance": 0 }, "orders": { "totalCount": 0 } });
        assert_eq!(found, json!([alice]), "points and orders of buyers are for all of the staff");
    }
    // What is executed once for all who watch is asked of each by the edge.
    for (token, refused) in [(&observer, false), (&support, true)] {
        let url = format!("http://{}/graphql", shop.address());
        let query = json!({ "query": "subscription { shopPulse { at } }" });
        let request = reqwest::Client::new().post(url).header("accept", "text/event-stream").bearer_auth(token);
        let mut answer = request.json(&query).send().await.unwrap();
        let first = answer.chunk().await.unwrap().unwrap();
        let mut text = String::from_utf8_lossy(&first).into_owned();
        while !refused && !text.contains("\"shopPulse\"") {
            let more = tokio::time::timeout(Duration::from_secs(20), answer.chunk()).await.unwrap().unwrap().unwrap();
            text.push_str(&String::from_utf8_lossy(&more));
        }
        assert_eq!(text.contains("\"FORBIDDEN\""), refused, "{text}");
    }
    for token in [&observer, &support] {
        let url = format!("http://{}/pictures", shop.address());
        let upload = reqwest::Client::new().post(url).header(CONTENT_TYPE, "image/png").bearer_auth(token);
        assert_eq!(upload.body("x").send().await.unwrap().status(), 403);
    }
}

/// What an authenticator app shows: written from RFC 6238, not from the program.
fn code(secret: &str, now: Timestamp, steps: i64) -> String {
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let digest = hmac::sign(&key, &(now.as_millis() / 30_000 + steps).to_be_bytes());
    let at = usize::from(digest.as_ref()[19] & 15);
    let word = u32::from_be_bytes(digest.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", word % 1_000_000)
}

/// An answer, and the session's cookie if it set one.
async fn with_cookie(shop: &Shop, cookie: Option<&str>, query: &str, input: Value) -> (Value, Option<String>) {
    let url = format!("http://{}/graphql", shop.address());
    let request = reqwest::Client::new().post(url).header("doorbuster-session", "cookie");
    let request = if let Some(cookie) = cookie { request.header(COOKIE, cookie) } else { request };
    let answer = request.json(&json!({ "query": query, "variables": { "i": input } })).send().await.unwrap();
    let cookies = answer.headers().get_all(SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let pair = cookies.filter_map(|cookie| cookie.split(';').next()).find(|pair| pair.contains("doorbuster="));
    let pair = pair.map(str::to_owned);
    (answer.json().await.unwrap(), pair)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_required_second_factor_is_set_up_before_anything_else() {
    let shop = Shop::open_with("second_factor = \"required\"").await;
    let sign_in = "mutation($i: UserSignInInput!) { it: userSignIn(input: $i) { user { username } accessToken { token } \
                   userErrors { code field } } }";
    let credentials = json!({ "username": "operator", "password": "password123" });
    let (answer, cookie) = with_cookie(&shop, None, sign_in, credentials.clone()).await;
    let cookie = cookie.unwrap_or_else(|| panic!("{answer}"));
    let state = "{ viewer { secondFactor { policy enabledAt recoveryCodesLeft } } }";
    let look = "{ orders { totalCount } }";
    let (seen, _) = with_cookie(&shop, Some(&cookie), look, Value::Null).await;
    assert_eq!(seen["errors"][0]["extensions"]["code"], "FORBIDDEN", "{seen}");
    assert!(seen["errors"][0]["message"].as_str().unwrap().contains("second factor"), "{seen}");
    let (seen, _) = with_cookie(&shop, Some(&cookie), state, Value::Null).await;
    let none = json!({ "policy": "REQUIRED", "enabledAt": null, "recoveryCodesLeft": 0 });
    assert_eq!(seen["data"]["viewer"]["secondFactor"], none, "{seen}");

    let begin = "mutation($i: UserSecondFactorBeginInput!) { it: userSecondFactorBegin(input: $i) { secret otpauthUrl qrCode \
                 userErrors { code field } } }";
    let (refused, _) = with_cookie(&shop, Some(&cookie), begin, json!({ "password": "wrong" })).await;
    assert_eq!(
        refused["data"]["it"]["userErrors"],
        json!([{ "code": "INVALID_CREDENTIALS", "field": ["input", "password"] }])
    );
    let (begun, _) = with_cookie(&shop, Some(&cookie), begin, json!({ "password": "password123" })).await;
    let begun = &begun["data"]["it"];
    let secret = begun["secret"].as_str().unwrap_or_else(|| panic!("{begun}"));
    assert!(begun["otpauthUrl"].as_str().unwrap().contains(&format!("secret={secret}")));
    let rows: Vec<&str> = begun["qrCode"].as_array().unwrap().iter().map(|row| row.as_str().unwrap()).collect();
    assert!(rows.iter().all(|row| row.len() == rows.len() && row.bytes().all(|one| one == b'0' || one == b'1')));
    // The corner that scanners look for.
    assert!(rows[0].starts_with("11111110") && rows[1].starts_with("10000010") && rows[6].starts_with("11111110"));

    let confirm = "mutation($i: UserSecondFactorConfirmInput!) { it: userSecondFactorConfirm(input: $i) { user { username } \
                   accessToken { token } recoveryCodes userErrors { code field } } }";
    let now = Clock::system().now();
    let (confirmed, fresh) = with_cookie(&shop, Some(&cookie), confirm, json!({ "code": code(secret, now, 0) })).await;
    let confirmed = &confirmed["data"]["it"];
    assert_eq!((&confirmed["userErrors"], &confirmed["accessToken"]), (&json!([]), &Value::Null), "the cookie has it");
    let codes = confirmed["recoveryCodes"].as_array().unwrap().clone();
    assert_eq!(codes.len(), 10);
    let fresh = fresh.unwrap();
    let (seen, _) = with_cookie(&shop, Some(&fresh), look, Value::Null).await;
    assert_eq!(seen["data"]["orders"]["totalCount"], 0, "{seen}");
    let (seen, _) = with_cookie(&shop, Some(&cookie), "{ viewer { user { id } } }", Value::Null).await;
    assert!(!seen.to_string().contains("user_"), "the session before has ended: {seen}");

    let with = |code: &str| json!({ "username": "operator", "password": "password123", "code": code });
    let codes_of =
        async |input: Value| with_cookie(&shop, None, sign_in, input).await.0["data"]["it"]["userErrors"].clone();
    let required = json!([{ "code": "SECOND_FACTOR_REQUIRED", "field": ["input", "code"] }]);
    assert_eq!(codes_of(credentials).await, required);
    let invalid = json!([{ "code": "SECOND_FACTOR_INVALID", "field": ["input", "code"] }]);
    assert_eq!(codes_of(with("000000")).await, invalid);
    let recovery = codes[0].as_str().unwrap();
    let (signed_in, cookie) = with_cookie(&shop, None, sign_in, with(recovery)).await;
    assert_eq!(signed_in["data"]["it"]["userErrors"], json!([]));
    assert_eq!(codes_of(with(recovery)).await, invalid, "once");

    let disable = "mutation($i: UserSecondFactorDisableInput!) { it: userSecondFactorDisable(input: $i) { user { username } \
                   userErrors { code field } } }";
    let input = json!({ "password": "password123", "code": codes[1] });
    let (disabled, last) = with_cookie(&shop, cookie.as_deref(), disable, input).await;
    assert_eq!(disabled["data"]["it"]["userErrors"], json!([]), "{disabled}");
    let (seen, _) = with_cookie(&shop, last.as_deref(), look, Value::Null).await;
    assert_eq!(seen["errors"][0]["extensions"]["code"], "FORBIDDEN", "it has to be set up anew: {seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_role_ends_sessions_of_a_running_server() {
    let shop = Shop::open().await;
    let observer = shop.staff(Role::Observer).await;
    let look = "{ settings { key } }";
    shop.data(Some(&observer), look, json!({})).await;
    let url = format!("http://{}/graphql", shop.address());
    let request = reqwest::Client::new().post(url).header("accept", "text/event-stream").bearer_auth(&observer);
    let mut stream = request.json(&json!({ "query": "subscription { shopPulse { at } }" })).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    shop.app.accounts().change_role("observer", Role::Support, Some("operator")).await.unwrap().unwrap();
    assert_eq!(shop.fault(Some(&observer), look, json!({})).await, "UNAUTHENTICATED");
    let end = async { while stream.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
    tokio::time::timeout(Duration::from_secs(20), end).await.expect("the event stream ends with the session");
    let again = shop.sign_in("observer").await;
    assert_eq!(shop.fault(Some(&again), look, json!({})).await, "FORBIDDEN");
    let log = "{ auditEntries(filter: { act: \"operator.role\" }) { nodes { operator { username } detail } } }";
    let log = shop.data(Some(&shop.operator), log, json!({})).await["auditEntries"]["nodes"].clone();
    assert_eq!(log[0]["operator"]["username"], "operator");
}
