//! Header fields of the endpoint, and the head that every response of it has.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::api::graphql::edge::request::media::Media;

/// Names a request in the log and in its answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the last event that the client has seen.
pub const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// An answer with the headers that all answers have.
pub fn respond(status: StatusCode, media: Media, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, media.content_type());
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept, authorization, cookie"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
