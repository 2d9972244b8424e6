//! Pictures of products: `POST /pictures` takes an upload from an operator, `GET /pictures/{name}/{file}` serves what was made of it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde::Serialize;

use super::assets::policy;
use super::graphql::edge::{self, Edge};
use crate::kernel::UserId;
use crate::model::rights::Right;
use crate::pictures::{BYTES_MAX, File, Kind, Pictures, Refusal, UploadError};

/// What the routes need.
#[derive(Clone)]
struct Desk {
    pictures: Pictures,
    edge: Edge,
}

/// The routes.
pub fn routes(pictures: Pictures, edge: Edge) -> Router {
    Router::new()
        .route("/pictures", post(upload).layer(DefaultBodyLimit::max(BYTES_MAX)))
        .route("/pictures/{name}/{file}", get(serve))
        .with_state(Desk { pictures, edge })
}

/// An upload that was taken.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Taken {
    /// For `imageUrl` of a product.
    image_url: String,
    width: u32,
    height: u32,
}

/// An upload that was not.
#[derive(Serialize)]
struct Told {
    code: &'static str,
    message: String,
}

fn told(status: StatusCode, code: &'static str, message: impl Into<String>) -> Response {
    let body = Json(Told { code, message: message.into() });
    (status, [(CACHE_CONTROL, "no-store")], body).into_response()
}

async fn upload(State(desk): State<Desk>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let (parts, body) = request.into_parts();
    // Before the body is read: nobody else may have two megabytes taken.
    let operator = match operator(&desk.edge, &parts, peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))).await {
        Ok(operator) => operator,
        Err(response) => return response,
    };
    let media = parts.headers.get(CONTENT_TYPE).and_then(|media| media.to_str().ok());
    let Some(kind) = media.and_then(Kind::of_media) else { return refused(Refusal::ContentTypeInvalid) };
    let body = Request::from_parts(parts, body);
    let bytes = match axum::RequestExt::extract::<Bytes, _>(body).await {
        Ok(bytes) => bytes,
        Err(BytesRejection::FailedToBufferBody(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return refused(Refusal::TooLarge);
        }
        Err(_) => return told(StatusCode::BAD_REQUEST, "BAD_USER_INPUT", "The picture did not arrive as a whole."),
    };
    match desk.pictures.upload(operator, kind, bytes).await {
        Ok(name) => {
            let (width, height) = (name.width, name.height);
            let taken = Taken { image_url: name.widest().to_string(), width, height };
            (StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(taken)).into_response()
        }
        Err(UploadError::Refused(refusal)) => refused(refusal),
        Err(UploadError::Store(error)) => {
            tracing::warn!(%error, "could not store a picture");
            unavailable()
        }
    }
}

/// The operator who sent the request, or the response to who is none.
async fn operator(edge: &Edge, parts: &http::request::Parts, peer: IpAddr) -> Result<UserId, Response> {
    // Status and headers as of the endpoint, the body as of the other refusals here.
    let as_ours = |refusal: edge::response::refusal::Refusal| {
        let (code, message) = (refusal.code().unwrap_or("INTERNAL_SERVER_ERROR"), refusal.message().to_owned());
        let (head, _) = edge.refuse_plainly(&refusal).into_parts();
        Response::from_parts(head, Json(Told { code, message }).into_response().into_body())
    };
    let info = edge.info_of(parts, peer).await.map_err(as_ours)?;
    let Some(viewer) = info.viewer else {
        return Err(told(StatusCode::UNAUTHORIZED, "UNAUTHENTICATED", "Sign in to upload pictures."));
    };
    viewer.may(Right::RunSales).map_err(|why| told(StatusCode::FORBIDDEN, "FORBIDDEN", why))?;
    edge.count_upload(&info).await.map_err(as_ours)?;
    Ok(viewer.id)
}

fn refused(refusal: Refusal) -> Response {
    let (status, code) = match refusal {
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "TOO_LARGE"),
        Refusal::ContentTypeInvalid => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "CONTENT_TYPE_INVALID"),
        Refusal::NotAPicture => (StatusCode::UNPROCESSABLE_ENTITY, "NOT_A_PICTURE"),
        Refusal::MoreThanAPicture => (StatusCode::UNPROCESSABLE_ENTITY, "MORE_THAN_A_PICTURE"),
        Refusal::SizeInvalid => (StatusCode::UNPROCESSABLE_ENTITY, "SIZE_INVALID"),
    };
    told(status, code, refusal.to_string())
}

fn unavailable() -> Response {
    let mut response = told(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", "Pictures are unavailable at the moment.");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("2"));
    response
}

/// The file of a name never changes.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

async fn serve(State(desk): State<Desk>, uri: Uri, request: HeaderMap) -> Response {
    let Ok(file) = uri.path().parse::<File>() else { return absent() };
    let bytes = match desk.pictures.read(file).await {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return absent(),
        Err(error) => {
            tracing::warn!(%error, "could not read a picture");
            return unavailable();
        }
    };
    let tag = format!("\"{}-{}\"", file.name, file.width);
    let known = request.get(IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let is_known = known.is_some_and(|tags| tags.split(',').any(|known| known.trim() == tag));
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(file.name.kind.media())),
        (CACHE_CONTROL, HeaderValue::from_static(FOR_GOOD)),
        (CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy::PICTURE)),
        (ETAG, HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\""))),
    ];
    if is_known { (StatusCode::NOT_MODIFIED, headers).into_response() } else { (headers, bytes).into_response() }
}

fn absent() -> Response {
    (StatusCode::NOT_FOUND, [(CACHE_CONTROL, "no-store")]).into_response()
}
