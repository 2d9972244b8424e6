//! A browser's session against a whole shop: cookies, and event streams that are resumed.

use reqwest::header::{COOKIE, SET_COOKIE};
use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::support::{Shop, Terms};

const SIGN_UP: &str = "mutation($i: UserSignUpInput!) { userSignUp(input: $i) { user { id } userErrors { code } } }";

async fn ask(shop: &Shop, cookie: &str, query: &str, variables: Value) -> Response {
    let request =
        Client::new().post(format!("http://{}/graphql", shop.address())).header("doorbuster-session", "cookie");
    request.header(COOKIE, cookie).json(&json!({"query": query, "variables": variables})).send().await.unwrap()
}

fn cookie_of(response: &Response) -> String {
    let set = response.headers()[SET_COOKIE].to_str().unwrap();
    set.split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_browser_signs_up_asks_and_signs_out_by_cookie() {
    let shop = Shop::open().await;
    let input = json!({"i": {"username": "anne", "password": "password123", "displayName": "Anne"}});
    let signed_up = ask(&shop, "", SIGN_UP, input).await;
    let cookie = cookie_of(&signed_up);
    assert!(cookie.starts_with("__Host-doorbuster=doorbuster_"), "{cookie}");
    let who = "{ viewer { user { username } } }";
    let viewer = async |cookie: &str| ask(&shop, cookie, who, json!({})).await.json::<Value>().await.unwrap();
    assert_eq!(viewer(&cookie).await["data"]["viewer"]["user"]["username"], "anne");
    let out = ask(&shop, &cookie, "mutation { userSignOut { user { username } } }", json!({})).await;
    assert_eq!(cookie_of(&out), "__Host-doorbuster=");
    assert_eq!(viewer(&cookie).await, json!({"data": {"viewer": null}}), "the token has ended with it");
    let wrong = "mutation { userSignIn(input: { username: \"anne\", password: \"wrong-password\" }) { user { id } } }";
    assert!(ask(&shop, "", wrong, json!({})).await.headers().get(SET_COOKIE).is_none());
    shop.stop().await;
}

fn sign_in(password: &str) -> String {
    let input = format!("{{ username: \"anne\", password: \"{password}\" }}");
    format!(
        "mutation {{ userSignIn(input: {input}) {{ user {{ id }} accessToken {{ token }} userErrors {{ code }} }} }}"
    )
}

#[tokio::test]
async fn the_token_of_a_cookie_is_in_no_answer() {
    let shop = Shop::open().await;
    let input = json!({"i": {"username": "anne", "password": "password123", "displayName": "Anne"}});
    let sign_up = SIGN_UP.replace("user {", "accessToken { token } user {");
    let signed_up = ask(&shop, "", &sign_up, input).await;
    let token = cookie_of(&signed_up).split_once('=').unwrap().1.to_owned();
    let told = signed_up.text().await.unwrap();
    assert!(told.contains("\"accessToken\":null") && !told.contains(&token), "{told}");
    let signed_in = ask(&shop, "", &sign_in("password123"), json!({})).await;
    assert!(cookie_of(&signed_in).starts_with("__Host-doorbuster=doorbuster_"));
    let told: Value = signed_in.json().await.unwrap();
    assert_eq!(told["data"]["userSignIn"]["accessToken"], Value::Null, "{told}");
    // Where no cookie can be set nobody is signed in.
    let url = format!("http://{}/graphql", shop.address());
    let stream = Client::new().post(url).header("doorbuster-session", "cookie").header("accept", "text/event-stream");
    let events = stream.json(&json!({"query": sign_in("password123")})).send().await.unwrap().text().await.unwrap();
    assert!(events.contains("BAD_USER_INPUT") && !events.contains("doorbuster_"), "{events}");
    shop.stop().await;
}

#[tokio::test]
async fn a_device_that_signed_in_before_is_let_in_while_strangers_wait() {
    let shop = Shop::open_with("wrong_passwords_per_account_per_minute = 1").await;
    let input = json!({"i": {"username": "anne", "password": "password123", "displayName": "Anne"}});
    let signed_up = ask(&shop, "", SIGN_UP, input).await;
    let set: Vec<_> = signed_up.headers().get_all(SET_COOKIE).iter().map(|set| set.to_str().unwrap()).collect();
    let device = *set.iter().find(|set| set.starts_with("__Host-doorbuster-device=")).expect("the device is given one");
    assert!(device.contains("HttpOnly") && device.contains("Secure") && device.contains("SameSite=Lax"), "{device}");
    let device = device.split(';').next().unwrap();
    ask(&shop, "", &sign_in("wrong-password"), json!({})).await;
    let code = async |cookie: &str| {
        let told: Value = ask(&shop, cookie, &sign_in("password123"), json!({})).await.json().await.unwrap();
        told["errors"][0]["extensions"]["code"].as_str().unwrap_or("none").to_owned()
    };
    assert_eq!(code("").await, "RATE_LIMITED");
    assert_eq!(code("__Host-doorbuster-device=AAAA").await, "RATE_LIMITED");
    assert_eq!(code(device).await, "none");
    shop.stop().await;
}

async fn watch(shop: &Shop, token: &str, ticket: &str, last: Option<&str>) -> String {
    let query = "subscription($t: ID!) { purchaseTicketUpdated(id: $t) { status } }";
    let mut request = Client::new().post(format!("http://{}/graphql", shop.address())).bearer_auth(token);
    request = request.header("accept", "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let body = json!({"query": query, "variables": {"t": ticket}});
    let events = request.json(&body).send().await.unwrap().text().await.unwrap();
    let (before, complete) = events.split_once("event: complete\nid: ").expect("the stream is complete");
    let (id, rest) = complete.split_once('\n').unwrap();
    assert!(id.ends_with(":complete"), "{id}");
    format!("{before}event: complete\n{rest}")
}

#[tokio::test]
async fn an_event_stream_goes_on_from_the_last_event() {
    let shop = Shop::open().await;
    let (buyer, sale) = (shop.buyer("ben").await, shop.sale(&Terms::default()).await);
    let ticket = shop.buy(&buyer, &sale, "resume-0001", 1).await.unwrap();
    shop.decided(&buyer, &ticket).await;
    let confirmed = "event: next\nid: 2\ndata: {\"data\":{\"purchaseTicketUpdated\":{\"status\":\"CONFIRMED\"}}}\n\n";
    let complete = "event: complete\ndata:\n\n";
    let whole = format!("{confirmed}{complete}");
    for (last, expected) in [(None, whole.as_str()), (Some("1"), &whole), (Some("2"), complete), (Some("x"), &whole)] {
        assert_eq!(watch(&shop, &buyer, &ticket, last).await, expected, "{last:?}");
    }
    shop.stop().await;
}
