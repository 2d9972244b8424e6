//! Files compiled into the binary: GraphiQL at `/graphiql`, the demo's product pictures at `/pictures`.
//!
//! GraphiQL's build leaves only brotli and gzip variants of its large files, which halves what the
//! binary carries; a client that accepts neither is told so. A debug build reads the files from disk.

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use data_encoding::HEXLOWER;
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "frontend/graphiql/dist/"]
struct Graphiql;

#[derive(RustEmbed)]
#[folder = "assets/demo/"]
struct Pictures;

/// Only what GraphiQL needs: its editor sets styles from code, has its fonts in the style sheet and runs workers.
const GRAPHIQL_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     font-src 'self' data:; img-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// A picture opened on its own runs and loads nothing.
const PICTURE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

const REVALIDATE: &str = "no-cache";
const ONE_DAY: &str = "public, max-age=86400";
/// For names that contain a hash of the content.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

const NOT_BUILT: &str = "GraphiQL is not part of this build. `./justw setup` builds it; compile again afterwards.\n";
const NO_CODING: &str = "This file is stored compressed: accept br or gzip.\n";

/// The routes of all embedded files. They need no state and no sign-in.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    graphiql().merge(pictures())
}

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
    match Graphiql::get("index.html") {
        Some(file) => Found::plain(file).respond(&request, "index.html", REVALIDATE, GRAPHIQL_POLICY),
        None => (StatusCode::NOT_FOUND, NOT_BUILT).into_response(),
    }
}

async fn asset(Path(name): Path<String>, request: HeaderMap) -> Response {
    if !is_file_name(&name) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let path = format!("assets/{name}");
    if let Some(file) = Graphiql::get(&path) {
        return Found::plain(file).respond(&request, &name, FOR_GOOD, GRAPHIQL_POLICY);
    }
    let accepted = Accepted::of(&request);
    let mut stored = false;
    for coding in [Coding::Brotli, Coding::Gzip] {
        let Some(file) = Graphiql::get(&format!("{path}.{}", coding.extension())) else {
            continue;
        };
        stored = true;
        if accepted.allows(coding) {
            return Found::coded(file, coding).respond(&request, &name, FOR_GOOD, GRAPHIQL_POLICY);
        }
    }
    if stored {
        (StatusCode::NOT_ACCEPTABLE, [(header::VARY, "accept-encoding")], NO_CODING).into_response()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

async fn picture(Path(name): Path<String>, request: HeaderMap) -> Response {
    match Pictures::get(&name).filter(|_| is_file_name(&name)) {
        Some(file) => Found::plain(file).respond(&request, &name, ONE_DAY, PICTURE_POLICY),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// One plain name: no folders, nothing hidden.
fn is_file_name(name: &str) -> bool {
    !name.starts_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    fn extension(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gz",
        }
    }

    fn token(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }
}

/// The client's `Accept-Encoding`. Without one, anything goes (RFC 9110, 12.5.3); of that, gzip is
/// what old clients can read.
struct Accepted<'a>(Option<&'a str>);

impl<'a> Accepted<'a> {
    fn of(request: &'a HeaderMap) -> Self {
        Self(request.get(header::ACCEPT_ENCODING).map(|value| value.to_str().unwrap_or_default()))
    }

    fn allows(&self, coding: Coding) -> bool {
        let Some(list) = self.0 else {
            return coding == Coding::Gzip;
        };
        let weight = |wanted: &str| {
            list.split(',').find_map(|entry| {
                let (token, parameters) = entry.split_once(';').unwrap_or((entry, ""));
                token.trim().eq_ignore_ascii_case(wanted).then(|| quality(parameters))
            })
        };
        weight(coding.token()).or_else(|| weight("*")).is_some_and(|quality| quality > 0.0)
    }
}

fn quality(parameters: &str) -> f32 {
    let weight = parameters.trim().strip_prefix("q=").map(str::parse);
    weight.map_or(1.0, |parsed| parsed.unwrap_or(0.0))
}

/// A file as it is stored.
struct Found {
    file: EmbeddedFile,
    coding: Option<Coding>,
}

impl Found {
    fn plain(file: EmbeddedFile) -> Self {
        Self { file, coding: None }
    }

    fn coded(file: EmbeddedFile, coding: Coding) -> Self {
        Self { file, coding: Some(coding) }
    }

    /// The answer for the file that the client knows as `name`.
    fn respond(self, request: &HeaderMap, name: &str, cache: &'static str, policy: &'static str) -> Response {
        let hash = self.file.metadata.sha256_hash();
        let tag = format!("\"{}\"", HEXLOWER.encode(&hash[..16]));
        let unchanged = is_known(request, &tag);
        let mut response =
            if unchanged { StatusCode::NOT_MODIFIED.into_response() } else { self.file.data.into_response() };
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
        set(header::CACHE_CONTROL, cache);
        set(header::CONTENT_SECURITY_POLICY, policy);
        set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        set(header::REFERRER_POLICY, "no-referrer");
        if let Some(coding) = self.coding {
            set(header::VARY, "accept-encoding");
            if !unchanged {
                set(header::CONTENT_ENCODING, coding.token());
            }
        }
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        match HeaderValue::try_from(content_type(name)) {
            Ok(kind) if !unchanged => drop(headers.insert(header::CONTENT_TYPE, kind)),
            _ => drop(headers.remove(header::CONTENT_TYPE)),
        }
        response
    }
}

fn content_type(name: &str) -> String {
    let kind = mime_guess::from_path(name).first_or_octet_stream();
    if kind.type_() == mime_guess::mime::TEXT { format!("{kind}; charset=utf-8") } else { kind.to_string() }
}

fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    known.is_some_and(|list| {
        list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
    })
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        routes::<()>().oneshot(request).await.unwrap()
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
                assert_eq!(value(&response, header::CONTENT_SECURITY_POLICY), GRAPHIQL_POLICY);
                assert_eq!(value(&response, header::CACHE_CONTROL), REVALIDATE);
            }
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let wanted = if built { "doorbuster GraphiQL" } else { "./justw setup" };
            assert!(String::from_utf8_lossy(&body).contains(wanted));
        }
    }
}
