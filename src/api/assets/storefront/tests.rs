use axum::body::{Body, to_bytes};
use axum::http::{HeaderName, Request, header};
use tower::ServiceExt as _;

use super::super::bundle::{FOR_GOOD, File, REVALIDATE};
use super::super::site::{PAGE, PERMISSIONS_POLICY};
use super::*;

/// A small build: a page in three variants, a script in three, a style sheet that is stored compressed only, a manifest.
fn sample(path: &str) -> Option<File> {
    let bytes: &'static [u8] = match path {
        "index.html" => b"<!doctype html><title>Shop</title>",
        "index.html.br" => b"the page in brotli",
        "index.html.gz" => b"the page in gzip",
        "assets/main-1a2b.js" => b"export {};",
        "assets/main-1a2b.js.br" => b"the script in brotli",
        "assets/main-1a2b.js.gz" => b"the script in gzip",
        "assets/main-3c4d.css.br" => b"the style in brotli",
        "shop.webmanifest" => b"{}",
        ".hidden" => b"no",
        _ => return None,
    };
    let mut hash = [0; 32];
    hash[..path.len().min(32)].copy_from_slice(&path.as_bytes()[..path.len().min(32)]);
    Some(File { bytes: bytes.into(), hash })
}

fn nothing(_: &str) -> Option<File> {
    None
}

async fn ask_of(files: Files, method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    of(files, &[], "http://127.0.0.1:8080").oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

async fn ask(path: &str, headers: &[(HeaderName, &str)]) -> Response {
    ask_of(sample, Method::GET, path, headers).await
}

fn value(response: &Response, name: HeaderName) -> &str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

async fn text(response: Response) -> String {
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn every_page_is_the_same_file_under_a_strict_policy() {
    for path in [
        "/",
        "/?x=1",
        "/sales/sal_1",
        "/orders",
        "/orders/ord_1?from=cashier",
        "/points",
        "/account",
        "/sign-in",
        "/sign-up",
        "/help",
    ] {
        let response = ask(path, &[]).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(value(&response, header::CONTENT_TYPE), "text/html; charset=utf-8");
        assert_eq!(value(&response, header::CACHE_CONTROL), "no-cache");
        assert_eq!(value(&response, header::VARY), "accept-encoding");
        assert_eq!(value(&response, header::CONTENT_ENCODING), "");
        assert!(
            value(&response, header::CONTENT_SECURITY_POLICY).starts_with("default-src 'none'; script-src 'self';")
        );
        assert!(value(&response, PERMISSIONS_POLICY).contains("camera=()"));
        let tag = value(&response, header::ETAG).to_owned();
        assert_eq!(text(response).await, "<!doctype html><title>Shop</title>");
        let again = ask(path, &[(header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
    }
}

#[tokio::test]
async fn each_client_gets_a_variant_that_it_can_read() {
    for (accepted, coding, body) in [
        (Some("gzip, deflate, br, zstd"), "br", "the page in brotli"),
        (Some("gzip"), "gzip", "the page in gzip"),
        (Some("br;q=0, gzip;q=0.5"), "gzip", "the page in gzip"),
        (Some("identity"), "", "<!doctype html><title>Shop</title>"),
        (None, "", "<!doctype html><title>Shop</title>"),
    ] {
        let headers: Vec<_> = accepted.map(|accepted| (header::ACCEPT_ENCODING, accepted)).into_iter().collect();
        let response = ask("/", &headers).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(value(&response, header::CONTENT_ENCODING), coding, "{accepted:?}");
        assert_eq!(value(&response, header::VARY), "accept-encoding");
        assert_eq!(text(response).await, body);
    }
    let refused = ask("/assets/main-3c4d.css", &[(header::ACCEPT_ENCODING, "identity")]).await;
    assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn files_with_a_hash_in_their_name_are_cached_for_good_and_others_are_not() {
    let script = ask("/assets/main-1a2b.js", &[(header::ACCEPT_ENCODING, "br")]).await;
    assert_eq!(script.status(), StatusCode::OK);
    assert_eq!(value(&script, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
    assert_eq!(value(&script, header::CACHE_CONTROL), FOR_GOOD);
    let manifest = ask("/shop.webmanifest", &[]).await;
    assert_eq!(manifest.status(), StatusCode::OK);
    assert_eq!(value(&manifest, header::CONTENT_TYPE), "application/manifest+json");
    assert_eq!(value(&manifest, header::CACHE_CONTROL), REVALIDATE);
}

#[tokio::test]
async fn an_unknown_address_is_a_page_only_for_who_navigates() {
    let page = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8";
    for path in
        ["/nothing", "/sales", "/sales/", "/orders/a/b", "/index.html", "/console", "/.hidden", "/shop/%2e%2e/x"]
    {
        let response = ask(path, &[(header::ACCEPT, page)]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        let tag = value(&response, header::ETAG).to_owned();
        assert_eq!(text(response).await, "<!doctype html><title>Shop</title>", "{path}");
        let again = ask(path, &[(header::ACCEPT, page), (header::IF_NONE_MATCH, &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_FOUND, "{path}");
        let other = ask(path, &[(header::ACCEPT, "*/*")]).await;
        assert_eq!(other.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(text(other).await, "", "{path}");
    }
    for path in ["/assets/gone-9z.js", "/assets/main-1a2b.js.br", "/assets/"] {
        let response = ask(path, &[(header::ACCEPT, page)]).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(text(response).await, "", "{path}");
    }
}

#[tokio::test]
async fn only_reading_is_possible() {
    let head = ask_of(sample, Method::HEAD, "/orders", &[]).await;
    assert_eq!(head.status(), StatusCode::OK);
    assert_eq!(text(head).await, "");
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        assert_eq!(ask_of(sample, method, "/", &[]).await.status(), StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_server_without_the_storefront_says_how_to_build_it() {
    let response = ask_of(nothing, Method::GET, "/", &[]).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(text(response).await.contains("./justw setup"));
    let built = embedded::<Storefront>(PAGE).is_some();
    let response = routes(&[], "").oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(response.status(), if built { StatusCode::OK } else { StatusCode::NOT_FOUND });
}
