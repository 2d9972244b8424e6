//! The storefront: one page at all of its addresses, and its files.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use rust_embed::RustEmbed;

use super::bundle::{Files, embedded};
use super::console;
use super::site::Site;

#[derive(RustEmbed)]
#[folder = "frontend/storefront/dist/"]
struct Storefront;

const NOT_BUILT: &str = "The storefront is not part of this build. Run `./justw setup` and compile again.\n";

/// The storefront's pages with those of the control room, and a page for every address that nobody else answers.
/// `picture_origins`: whose pictures pages may show; `public_url`: where browsers reach the shop.
pub fn routes(picture_origins: &[String], public_url: &str) -> Router {
    of(embedded::<Storefront>, picture_origins, public_url).merge(console::routes(picture_origins, public_url))
}

fn of(files: Files, picture_origins: &[String], public_url: &str) -> Router {
    let site = Site::new(files, picture_origins, public_url, NOT_BUILT);
    Router::new().fallback(answer).with_state(Arc::new(site))
}

async fn answer(State(site): State<Arc<Site>>, method: Method, uri: Uri, request: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::NOT_FOUND.into_response();
    }
    let path: Vec<&str> = uri.path().split('/').skip(1).collect();
    site.answer(&request, &path, is_page)
}

/// The addresses of the storefront's pages.
fn is_page(path: &[&str]) -> bool {
    match path {
        [page] => matches!(*page, "" | "orders" | "points" | "account" | "sign-in" | "sign-up" | "help"),
        [list, id] => matches!(*list, "sales" | "orders") && !id.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
