//! Files compiled into the binary: the storefront at `/`, the control room at `/console`, GraphiQL at `/graphiql`, the demo's
//! product pictures at `/pictures`.
//!
//! GraphiQL's build leaves only brotli and gzip variants of its large files, which halves what the
//! binary carries; a client that accepts neither gets 406. The storefront's build keeps the plain files as well. A debug build
//! reads the files from disk.

mod bundle;
mod console;
pub(super) mod policy;
mod site;
pub mod storefront;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use rust_embed::RustEmbed;

use bundle::{FOR_GOOD, Lookup, REVALIDATE, Terms, embedded, is_file_name};

#[derive(RustEmbed)]
#[folder = "frontend/graphiql/dist/"]
struct Graphiql;

#[derive(RustEmbed)]
#[folder = "assets/demo/"]
struct Pictures;

const ONE_DAY: &str = "public, max-age=86400";

const NOT_BUILT: &str = "GraphiQL is not part of this build. Run `./justw setup` and compile again.\n";

/// GraphiQL alone, for servers where it can be turned off.
pub fn graphiql<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/graphiql", get(page))
        .route("/graphiql/", get(page))
        .route("/graphiql/assets/{name}", get(asset))
}

/// The pictures of the demo's products.
pub fn pictures<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/pictures/{name}", get(picture))
}

async fn page(request: HeaderMap) -> Response {
    let terms = Terms::ok(REVALIDATE, policy::GRAPHIQL);
    let page = Lookup::of(embedded::<Graphiql>, "index.html", &request).respond(&request, "index.html", &terms);
    page.unwrap_or_else(|| (StatusCode::NOT_FOUND, NOT_BUILT).into_response())
}

async fn asset(Path(name): Path<String>, request: HeaderMap) -> Response {
    if !is_file_name(&name) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let terms = Terms::ok(FOR_GOOD, policy::GRAPHIQL);
    let file = Lookup::of(embedded::<Graphiql>, &format!("assets/{name}"), &request);
    file.respond(&request, &name, &terms).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

async fn picture(Path(name): Path<String>, request: HeaderMap) -> Response {
    if !is_file_name(&name) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let terms = Terms::ok(ONE_DAY, policy::PICTURE);
    let file = Lookup::of(embedded::<Pictures>, &name, &request);
    file.respond(&request, &name, &terms).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{HeaderName, Request, header};
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        graphiql::<()>().merge(pictures()).oneshot(request).await.unwrap()
    }

    fn value(response: &Response, name: HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[tokio::test]
    async fn pictures_are_small_titled_and_cached() {
        let names: Vec<_> = Pictures::iter().collect();
        assert_eq!(names.len(), 8, "{names:?}");
        for name in names {
            let response = ask(&format!("/pictures/{name}"), &[]).await;
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(value(&response, header::CONTENT_TYPE), "image/svg+xml");
            assert_eq!(value(&response, header::X_CONTENT_TYPE_OPTIONS), "nosniff");
            let tag = value(&response, header::ETAG).to_owned();
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert!(body.len() < 4096, "{name} has {} bytes", body.len());
            assert!(String::from_utf8_lossy(&body).contains("<title>"), "{name} has no title");
            let again = ask(&format!("/pictures/{name}"), &[(header::IF_NONE_MATCH, &tag)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(value(&again, header::ETAG), tag);
        }
    }

    #[tokio::test]
    async fn nothing_outside_the_folders_is_served() {
        for path in ["/pictures/none.svg", "/pictures/..%2F..%2FCargo.toml", "/pictures/", "/graphiql/assets/.gitkeep"]
        {
            assert_eq!(ask(path, &[]).await.status(), StatusCode::NOT_FOUND, "{path}");
        }
    }

    /// Says nothing where GraphiQL has not been built; CI builds it first.
    #[tokio::test]
    async fn graphiql_is_compressed_and_cached_for_good() {
        for name in Graphiql::iter().filter(|name| name.ends_with(".js.br")) {
            let path = format!("/graphiql/{}", name.trim_end_matches(".br"));
            for (accepted, coding) in [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, *", "gzip")] {
                let response = ask(&path, &[(header::ACCEPT_ENCODING, accepted)]).await;
                assert_eq!(response.status(), StatusCode::OK);
                assert_eq!(value(&response, header::CONTENT_ENCODING), coding, "{accepted}");
                assert_eq!(value(&response, header::CONTENT_TYPE), "text/javascript; charset=utf-8");
                assert_eq!(value(&response, header::CACHE_CONTROL), FOR_GOOD);
                assert_eq!(value(&response, header::VARY), "accept-encoding");
            }
            assert_eq!(value(&ask(&path, &[]).await, header::CONTENT_ENCODING), "gzip");
            let refused = ask(&path, &[(header::ACCEPT_ENCODING, "identity")]).await;
            assert_eq!(refused.status(), StatusCode::NOT_ACCEPTABLE);
        }
    }

    #[tokio::test]
    async fn the_page_is_there_or_says_how_to_build_it() {
        for path in ["/graphiql", "/graphiql/"] {
            let response = ask(path, &[]).await;
            let built = Graphiql::get("index.html").is_some();
            let expected = if built { StatusCode::OK } else { StatusCode::NOT_FOUND };
            assert_eq!(response.status(), expected);
            if built {
                assert_eq!(value(&response, header::CONTENT_SECURITY_POLICY), policy::GRAPHIQL);
                assert_eq!(value(&response, header::CACHE_CONTROL), REVALIDATE);
            }
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let wanted = if built { "doorbuster GraphiQL" } else { "./justw setup" };
            assert!(String::from_utf8_lossy(&body).contains(wanted));
        }
    }
}
