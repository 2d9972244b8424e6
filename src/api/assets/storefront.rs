//! The storefront: one page at all of its addresses, and its files.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

use super::bundle::{FOR_GOOD, Files, Lookup, REVALIDATE, Terms, embedded, is_file_name};
use super::policy;

#[derive(RustEmbed)]
#[folder = "frontend/storefront/dist/"]
struct Storefront;

const PAGE: &str = "index.html";
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

const NOT_BUILT: &str = "The storefront is not part of this build. Run `./justw setup` and compile again.\n";

struct Shop {
    files: Files,
    policy: HeaderValue,
}

/// The storefront's pages, and a page for every address that nobody else answers. `picture_origins`: whose pictures pages may
/// show; `public_url`: where browsers reach the shop.
pub fn routes(picture_origins: &[String], public_url: &str) -> Router {
    of(embedded::<Storefront>, picture_origins, public_url)
}

fn of(files: Files, picture_origins: &[String], public_url: &str) -> Router {
    // Origins are checked with the configuration; without a policy nothing would be served at all.
    let nothing = HeaderValue::from_static("default-src 'none'");
    let policy = policy::storefront(picture_origins, public_url).unwrap_or(nothing);
    Router::new().fallback(answer).with_state(Arc::new(Shop { files, policy }))
}

async fn answer(State(shop): State<Arc<Shop>>, method: Method, uri: Uri, request: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::NOT_FOUND.into_response();
    }
    let path: Vec<&str> = uri.path().split('/').skip(1).collect();
    if is_page(&path) {
        return shop.page(&request, StatusCode::OK);
    }
    if let Some(file) = shop.file(&request, &path) {
        return file;
    }
    // What is no navigation, such as a script or a picture, has no use for a page.
    if path[0] != "assets" && takes_html(&request) {
        shop.page(&request, StatusCode::NOT_FOUND)
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// The addresses of the storefront's pages.
fn is_page(path: &[&str]) -> bool {
    match path {
        [page] => matches!(*page, "" | "orders" | "points" | "account" | "sign-in" | "sign-up" | "help"),
        [list, id] => matches!(*list, "sales" | "orders") && !id.is_empty(),
        _ => false,
    }
}

fn takes_html(request: &HeaderMap) -> bool {
    let accept = request.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|one| one.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}

impl Shop {
    fn page(&self, request: &HeaderMap, status: StatusCode) -> Response {
        let terms = Terms { status, cache: REVALIDATE, policy: self.policy.clone() };
        let page = Lookup::of(self.files, PAGE, request).respond(request, PAGE, &terms);
        let Some(mut page) = page else { return (StatusCode::NOT_FOUND, NOT_BUILT).into_response() };
        page.headers_mut().insert(PERMISSIONS_POLICY, HeaderValue::from_static(policy::PERMISSIONS));
        page
    }

    /// A file of the build under its own path, but for the page and the stored variants.
    fn file(&self, request: &HeaderMap, path: &[&str]) -> Option<Response> {
        let is_stored_variant = |name: &str| matches!(name.rsplit_once('.'), Some((_, "br" | "gz")));
        let name = path.last().filter(|name| **name != PAGE && !is_stored_variant(name))?;
        if !path.iter().all(|part| is_file_name(part)) {
            return None;
        }
        let cache = if path[0] == "assets" { FOR_GOOD } else { REVALIDATE };
        let terms = Terms { status: StatusCode::OK, cache, policy: self.policy.clone() };
        Lookup::of(self.files, &path.join("/"), request).respond(request, name, &terms)
    }
}

#[cfg(test)]
mod tests;
