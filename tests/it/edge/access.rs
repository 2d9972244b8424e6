//! Browsers, other sites' pages, and proxies.

use reqwest::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, COOKIE, ORIGIN, SET_COOKIE, VARY,
};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error;

use super::support::{Server, Socket, start, start_with};
use doorbuster::config::{AddressHeader, Network};

const NAME: &str = "__Host-doorbuster";
const SHOP: &str = "https://shop.example";

async fn open_for_shop() -> Server {
    start_with(|config| config.access.origins = vec![SHOP.into()]).await
}

async fn post(server: &Server, query: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Client::new().post(server.url()).json(&json!({"query": query}));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn get(server: &Server, query: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Client::new().get(server.url()).query(&[("query", query)]);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

async fn data(response: Response) -> Value {
    response.json::<Value>().await.unwrap()["data"].clone()
}

#[tokio::test]
async fn a_cookie_signs_in_and_a_token_comes_first() {
    let server = start().await;
    let cookie = |token: &str| format!("theme=dark; {NAME}={token}");
    let role = async |headers: &[(&str, &str)]| data(post(&server, "{ role }", headers).await).await["role"].clone();
    assert_eq!(role(&[("cookie", &cookie("buyer"))]).await, "BUYER");
    assert_eq!(role(&[("cookie", &cookie("buyer")), ("authorization", "Bearer operator")]).await, "OPERATOR");
    assert_eq!(role(&[("cookie", &cookie("nobody"))]).await, Value::Null, "one that has ended is as none");
    assert_eq!(post(&server, "{ role }", &[("cookie", &cookie("down"))]).await.status(), 503);
}

#[tokio::test]
async fn a_page_of_another_site_can_not_use_the_cookie() {
    let server = open_for_shop().await;
    let cookie = format!("{NAME}=buyer");
    let own = format!("http://{}", server.address);
    for (origin, status) in [(own.as_str(), 200), (SHOP, 200), ("https://evil.example", 403), ("null", 403)] {
        let headers = [("cookie", cookie.as_str()), ("origin", origin)];
        assert_eq!(post(&server, "mutation { bump }", &headers).await.status(), status, "{origin}");
    }
    assert_eq!(server.state.bumps.load(std::sync::atomic::Ordering::SeqCst), 2);
    for (header, status) in [
        (("x-other", "1"), 403),
        (("sec-fetch-site", "cross-site"), 403),
        (("sec-fetch-site", "same-origin"), 200),
        (("graphql-require-preflight", "1"), 200),
        (("x-apollo-operation-name", "Q"), 200),
        (("apollo-require-preflight", ""), 403),
    ] {
        let response = get(&server, "{ role }", &[("cookie", &cookie), header]).await;
        assert_eq!(response.status(), status, "{header:?}");
    }
    let stream = [("cookie", cookie.as_str()), ("accept", "text/event-stream")];
    assert_eq!(get(&server, "subscription { count(to: 1) }", &stream).await.status(), 403);
    assert_eq!(get(&server, "{ role }", &[("origin", "https://evil.example")]).await.status(), 200, "as nobody");
    let strict = start_with(|config| config.access.require_preflight = true).await;
    assert_eq!(get(&strict, "{ role }", &[]).await.status(), 403);
    assert_eq!(get(&strict, "{ role }", &[("graphql-require-preflight", "1")]).await.status(), 200);
}

#[tokio::test]
async fn the_cookie_is_set_for_who_asks_and_out_of_reach_of_scripts() {
    let server = start().await;
    let asks = [("doorbuster-session", "cookie")];
    let set = post(&server, "{ session(token: \"buyer\") }", &asks).await;
    let cookie = set.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["__Host-doorbuster=buyer;", "HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let unasked = post(&server, "{ session(token: \"buyer\") }", &[]).await;
    assert!(unasked.headers().get(SET_COOKIE).is_none());
    assert!(
        !unasked.headers().keys().any(|name| name.as_str().contains("token")),
        "the token leaves in no other header"
    );
    let ended = post(&server, "{ session(token: \"\") }", &[(COOKIE.as_str(), "__Host-doorbuster=buyer")]).await;
    assert!(ended.headers()[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
    let plain = start_with(|config| config.access.cookie_secure = false).await;
    let set = post(&plain, "{ session(token: \"buyer\") }", &asks).await;
    let cookie = set.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("doorbuster=buyer;") && !cookie.contains("Secure"), "{cookie}");
}

#[tokio::test]
async fn browsers_learn_which_sites_may_call() {
    let server = open_for_shop().await;
    let ask = async |server: &Server, origin: &str| {
        let request = Client::new().request(Method::OPTIONS, server.url()).header(ORIGIN, origin);
        let request = request.header("access-control-request-method", "POST");
        request.header("access-control-request-headers", "content-type,authorization").send().await.unwrap()
    };
    let allowed = ask(&server, SHOP).await;
    assert_eq!(allowed.status(), 200);
    assert_eq!(allowed.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], SHOP);
    assert_eq!(allowed.headers()[ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
    let headers = allowed.headers()["access-control-allow-headers"].to_str().unwrap();
    assert!(headers.contains("authorization") && headers.contains("graphql-require-preflight"), "{headers}");
    assert!(ask(&server, "https://evil.example").await.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
    let answer = post(&server, "{ role }", &[("origin", SHOP)]).await;
    assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], SHOP);
    let vary: Vec<_> = answer.headers().get_all(VARY).iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.join(",").contains("origin"), "{vary:?}");
    let closed = start().await;
    assert!(ask(&closed, SHOP).await.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).is_none());
}

async fn handshake(server: &Server, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
    let mut request = format!("ws://{}/graphql", server.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "graphql-transport-ws".parse().unwrap());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    match client_async(request, TcpStream::connect(server.address).await.unwrap()).await {
        Ok((socket, _)) => Ok(Socket(socket)),
        Err(Error::Http(response)) => Err(response.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn sockets_are_for_known_origins_and_take_the_cookie() {
    let server = open_for_shop().await;
    assert_eq!(handshake(&server, &[("origin", "https://evil.example")]).await.err(), Some(403));
    assert_eq!(handshake(&server, &[("origin", "null")]).await.err(), Some(403));
    let cookie = format!("{NAME}=buyer");
    let mut socket = handshake(&server, &[("origin", SHOP), ("cookie", &cookie)]).await.unwrap();
    socket.init(Value::Null).await;
    socket.subscribe("1", "{ role }").await;
    assert_eq!(socket.next().await["payload"], json!({"data": {"role": "BUYER"}}));
    assert!(handshake(&server, &[("origin", &format!("http://{}", server.address))]).await.is_ok());
}

#[tokio::test]
async fn proxies_are_believed_only_where_they_are_trusted() {
    let trusting = |header| {
        start_with(move |config| {
            config.access.trusted_proxies = vec![Network::parse("127.0.0.0/8").unwrap()];
            config.access.address_header = header;
        })
    };
    let address = async |server: &Server, headers: &[(&str, &str)]| {
        data(post(server, "{ address }", headers).await).await["address"].clone()
    };
    let forged = ("x-forwarded-for", "203.0.113.9, 198.51.100.1");
    assert_eq!(address(&start().await, &[forged]).await, "127.0.0.1", "nobody is believed");
    let server = trusting(AddressHeader::XForwardedFor).await;
    assert_eq!(address(&server, &[forged]).await, "198.51.100.1");
    assert_eq!(address(&server, &[("forwarded", "for=198.51.100.1")]).await, "127.0.0.1", "the other header");
    let server = trusting(AddressHeader::Forwarded).await;
    assert_eq!(address(&server, &[forged, ("forwarded", "for=x, for=\"[2001:db8::7]:9\"")]).await, "2001:db8::7");
}
