//! A program for browsers: one page under all of its addresses, and the files that belong to it.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::bundle::{FOR_GOOD, Files, Lookup, REVALIDATE, Terms, is_file_name};
use super::policy;

/// The file that every page is.
pub const PAGE: &str = "index.html";
/// The header that says which features of the browser a page uses.
pub const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// The files of a build, and how they are answered.
pub struct Site {
    /// The build.
    pub files: Files,
    /// `Content-Security-Policy` of everything.
    pub policy: HeaderValue,
    /// What is said where the build is missing.
    pub not_built: &'static str,
}

impl Site {
    /// Pages that may show pictures of `picture_origins`, of a shop that browsers reach at `public_url`.
    pub fn new(files: Files, picture_origins: &[String], public_url: &str, not_built: &'static str) -> Self {
        // Origins are checked with the configuration; without a policy nothing would be served at all.
        let nothing = HeaderValue::from_static("default-src 'none'");
        Self { files, policy: policy::storefront(picture_origins, public_url).unwrap_or(nothing), not_built }
    }

    /// The answer for a path below the site's own: a page, a file, or a page that says that there is neither.
    pub fn answer(&self, request: &HeaderMap, path: &[&str], is_page: fn(&[&str]) -> bool) -> Response {
        if is_page(path) {
            return self.page(request, StatusCode::OK);
        }
        if let Some(file) = self.file(request, path) {
            return file;
        }
        // What is no navigation, such as a script or a picture, has no use for a page.
        if path.first() != Some(&"assets") && takes_html(request) {
            self.page(request, StatusCode::NOT_FOUND)
        } else {
            StatusCode::NOT_FOUND.into_response()
        }
    }

    fn page(&self, request: &HeaderMap, status: StatusCode) -> Response {
        let terms = Terms { status, cache: REVALIDATE, policy: self.policy.clone() };
        let page = Lookup::of(self.files, PAGE, request).respond(request, PAGE, &terms);
        let Some(mut page) = page else { return (StatusCode::NOT_FOUND, self.not_built).into_response() };
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

fn takes_html(request: &HeaderMap) -> bool {
    let accept = request.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|one| one.split(';').next().is_some_and(|kind| kind.trim() == "text/html"))
}
