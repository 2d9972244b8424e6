//! The control room at `/console`: a program for operators. Its files are for everybody; what it shows is not.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::get;
use rust_embed::RustEmbed;

use super::bundle::{Files, embedded};
use super::site::Site;

#[derive(RustEmbed)]
#[folder = "frontend/console/dist/"]
struct Console;

const NOT_BUILT: &str =
    "The control room is not part of this build. `./justw setup` builds it; compile again afterwards.\n";

/// The control room's pages. `picture_origins`: whose pictures pages may show; `public_url`: where browsers reach the shop.
pub fn routes(picture_origins: &[String], public_url: &str) -> Router {
    of(embedded::<Console>, picture_origins, public_url)
}

fn of(files: Files, picture_origins: &[String], public_url: &str) -> Router {
    let site = Site::new(files, picture_origins, public_url, NOT_BUILT);
    let pages = Router::new().route("/console", get(answer)).route("/console/", get(answer));
    pages.route("/console/{*path}", get(answer)).with_state(Arc::new(site))
}

async fn answer(State(site): State<Arc<Site>>, uri: Uri, request: HeaderMap) -> Response {
    let path: Vec<&str> = uri.path().split('/').skip(2).collect();
    site.answer(&request, &path, is_page)
}

/// The addresses of the control room's pages.
fn is_page(path: &[&str]) -> bool {
    match path {
        [] | [""] => true,
        [page] => matches!(
            *page,
            "schedule"
                | "products"
                | "orders"
                | "users"
                | "money"
                | "failures"
                | "audit"
                | "sign-ins"
                | "nodes"
                | "settings"
                | "account"
        ),
        [list, id] => matches!(*list, "sales" | "orders" | "reports") && !id.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Method, Request, StatusCode, header};
    use tower::ServiceExt as _;

    use super::super::bundle::{FOR_GOOD, File, REVALIDATE};
    use super::super::site::{PAGE, PERMISSIONS_POLICY};
    use super::*;

    fn sample(path: &str) -> Option<File> {
        let bytes: &'static [u8] = match path {
            "index.html" => b"<!doctype html><title>Control room</title>",
            "assets/main-1a2b.js" => b"export {};",
            _ => return None,
        };
        Some(File { bytes: bytes.into(), hash: [u8::try_from(path.len()).unwrap(); 32] })
    }

    async fn ask(method: Method, path: &str) -> (Response, String) {
        let request = Request::builder().method(method).uri(path).header(header::ACCEPT, "text/html");
        let router = of(sample, &[], "http://127.0.0.1:8080");
        let (parts, body) = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        (Response::from_parts(parts, Body::empty()), text)
    }

    #[tokio::test]
    async fn every_page_is_the_same_file_under_a_strict_policy() {
        for path in [
            "/console",
            "/console/",
            "/console/schedule?day=2026-11-30",
            "/console/sales/sal_1",
            "/console/orders/ord_1",
            "/console/money",
            "/console/sign-ins",
            "/console/account",
            "/console/reports/sal_1",
        ] {
            let (response, text) = ask(Method::GET, path).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(text, "<!doctype html><title>Control room</title>", "{path}");
            let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
            assert_eq!(response.headers()[header::CACHE_CONTROL], REVALIDATE);
            assert!(response.headers().contains_key(PERMISSIONS_POLICY));
        }
    }

    #[tokio::test]
    async fn files_are_below_the_console_and_nothing_else_is() {
        let (script, text) = ask(Method::GET, "/console/assets/main-1a2b.js").await;
        assert_eq!((script.status(), text.as_str()), (StatusCode::OK, "export {};"));
        assert_eq!(script.headers()[header::CACHE_CONTROL], FOR_GOOD);
        for path in ["/console/nothing", "/console/sales/", "/console/a/b/c", "/console/%2e%2e/x"] {
            let (response, text) = ask(Method::GET, path).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(text.contains("Control room"), "{path}");
        }
        let (gone, text) = ask(Method::GET, "/console/assets/gone-9z.js").await;
        assert_eq!((gone.status(), text.as_str()), (StatusCode::NOT_FOUND, ""));
        for path in ["/consoles", "/assets/main-1a2b.js", "/"] {
            assert_eq!(ask(Method::GET, path).await.0.status(), StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(ask(Method::POST, "/console").await.0.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[tokio::test]
    async fn a_server_without_the_control_room_says_how_to_build_it() {
        let request = || Request::get("/console").body(Body::empty()).unwrap();
        let response = of(|_| None, &[], "").oneshot(request()).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        let text = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&text).contains("./justw setup"));
        let built = embedded::<Console>(PAGE).is_some();
        let response = routes(&[], "").oneshot(request()).await.unwrap();
        assert_eq!(response.status(), if built { StatusCode::OK } else { StatusCode::NOT_FOUND });
    }
}
