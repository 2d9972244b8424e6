//! GraphQL over HTTP: one request, one response.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use async_graphql::parser::types::OperationType;
use axum::BoxError;
use axum::body::HttpBody;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::headers::{REQUEST_ID, respond};
use super::sse::{self, Asked};
use super::ws;
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::edge::protection::access::Access;
use crate::api::graphql::edge::protection::meters::Transport;
use crate::api::graphql::edge::protection::rates::asker;
use crate::api::graphql::edge::request::auth::{bearer, not_signed_in, unavailable};
use crate::api::graphql::edge::request::media::{self, Media};
use crate::api::graphql::edge::request::params::Params;
use crate::api::graphql::edge::response::refusal::{Cause, Refusal, mutation_by_get};
use crate::api::graphql::edge::{Edge, in_time};
use crate::api::graphql::error::Code;
use crate::config::Statuses;
use crate::model::accounts::Viewer;

/// Answers anything sent to the endpoint, for a router.
pub async fn endpoint(State(edge): State<Edge>, request: Request) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    edge.answer(request, peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))).await
}

impl Edge {
    /// Answers anything sent to the endpoint over a connection from this address.
    pub async fn answer<B>(&self, request: http::Request<B>, peer: IpAddr) -> Response
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let request_id = self.request_id(&parts.headers);
        // The id is plain ASCII, the client's and ours.
        let header = HeaderValue::from_str(&request_id).unwrap_or(HeaderValue::from_static("-"));
        let address = self.0.addresses.of(peer, &parts.headers);
        let mut response = if ws::is_handshake(&parts) {
            ws::handshake(self, &mut parts, address, request_id).await
        } else {
            let media = Media::negotiate(&parts.headers);
            let answered = self.respond(&parts, body, media, address, request_id).await;
            answered.unwrap_or_else(|refusal| self.refuse(&refusal, media))
        };
        response.headers_mut().insert(REQUEST_ID, header);
        response
    }

    async fn respond<B>(
        &self,
        parts: &Parts,
        body: B,
        media: Option<Media>,
        address: IpAddr,
        request_id: String,
    ) -> Result<Response, Refusal>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let media = media.ok_or_else(not_acceptable)?;
        let is_get = match parts.method {
            Method::GET => true,
            Method::POST => false,
            _ => return Err(Refusal::new(Cause::Method, Code::BadUserInput, "Use GET or POST.")),
        };
        if !is_get && !media::is_json(&parts.headers) {
            return Err(content_type());
        }
        if !is_get && media::is_encoded(&parts.headers) {
            return Err(content_encoding());
        }
        self.0.rates.request(address)?;
        let info = self.identify(parts, address, request_id).await?;
        let body = if is_get { Bytes::new() } else { self.read(body, &parts.headers).await? };
        let params = if is_get { Params::from_uri(&parts.uri)? } else { Params::from_json(&body)? };
        if media == Media::EventStream {
            return sse::stream(self, params, info, Asked::new(parts, &body));
        }
        let prepared = self.prepare(params, &info)?;
        match prepared.operation().kind {
            OperationType::Mutation if is_get => return Err(mutation_by_get()),
            OperationType::Subscription => return Err(subscription()),
            OperationType::Query | OperationType::Mutation => {}
        }
        let answer = self.run(prepared, info).await?;
        self.meters().operation(Transport::Http, answer.code.map(Code::as_str));
        let status = if answer.partial { partial(self.0.config.statuses) } else { StatusCode::OK };
        let mut response = respond(status, media, answer.body);
        for cookie in self.0.access.set_cookies(&parts.headers, answer.session.as_ref()) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }

    pub(in crate::api::graphql::edge) fn refuse(&self, refusal: &Refusal, media: Option<Media>) -> Response {
        self.meters().operation(Transport::Http, refusal.code());
        // What can't be streamed or was not acceptable is plain JSON.
        let media = media.filter(|media| *media != Media::EventStream).unwrap_or(Media::Json);
        let mut response = respond(refusal.cause.status(media, self.0.config.statuses), media, refusal.body());
        let headers = response.headers_mut();
        if let Some(allow) = refusal.cause.allow() {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        if let Some(seconds) = refusal.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if let Some(exhausted) = refusal.exhausted {
            exhausted.write(headers);
        }
        if refusal.cause == Cause::Unauthenticated {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    /// Who sent a request to another route of the server, by the same rules as here.
    pub async fn viewer_of(&self, parts: &Parts, peer: IpAddr) -> Result<Option<Viewer>, Refusal> {
        Ok(self.info_of(parts, peer).await?.viewer)
    }

    /// The same, with where the request came from.
    pub async fn info_of(&self, parts: &Parts, peer: IpAddr) -> Result<RequestInfo, Refusal> {
        let address = self.0.addresses.of(peer, &parts.headers);
        self.0.rates.request(address)?;
        self.identify(parts, address, String::new()).await
    }

    /// Counts an upload of a picture by whoever is signed in.
    pub async fn count_upload(&self, info: &RequestInfo) -> Result<(), Refusal> {
        Ok(self.0.rates.upload(asker(info)).await?)
    }

    /// The response to a request that was refused there.
    pub fn refuse_plainly(&self, refusal: &Refusal) -> Response {
        self.refuse(refusal, None)
    }

    /// Who sent the request: nobody without a token, refused with one that is nobody's. A browser sends its cookie whatever
    /// has become of it: there, one that is nobody's is as none.
    async fn identify(&self, parts: &Parts, address: IpAddr, request_id: String) -> Result<RequestInfo, Refusal> {
        let bearer = bearer(&parts.headers)?;
        let cookie = if bearer.is_none() { self.0.access.cookie(&parts.headers) } else { None };
        self.0.access.check(parts, cookie.is_some())?;
        let mut token = bearer.or(cookie);
        let viewer = match token {
            None => None,
            Some(text) => match self.0.auth.viewer(text).await {
                Ok(None) if cookie.is_some() => {
                    token = None;
                    None
                }
                Ok(None) => return Err(not_signed_in()),
                Ok(viewer) => viewer,
                Err(_) => return Err(unavailable()),
            },
        };
        let token_in = Access::token_in(&parts.headers);
        let (token, device) = (token.map(Into::into), self.0.access.device(&parts.headers).map(Into::into));
        Ok(RequestInfo { viewer, token, address, request_id, known_version: None, device, token_in })
    }

    async fn read<B>(&self, body: B, headers: &HeaderMap) -> Result<Bytes, Refusal>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let too_large = || {
            let message = format!("The request body is larger than {} bytes.", self.0.body_max);
            Refusal::new(Cause::BodySize, Code::DocumentTooLarge, message)
        };
        let announced = headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > self.0.body_max) {
            return Err(too_large());
        }
        let collected = Limited::new(body, self.0.body_max).collect();
        match in_time(self.0.read_timeout, collected).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
            Ok(Err(_)) => Err(Refusal::new(
                Cause::Malformed,
                Code::BadUserInput,
                "The connection closed before the whole request body arrived.",
            )),
            Err(_) => {
                Err(Refusal::new(Cause::SlowBody, Code::BadUserInput, "The request body took too long to arrive."))
            }
        }
    }
}

/// The status of an answer with errors beside its data.
fn partial(profile: Statuses) -> StatusCode {
    match profile {
        Statuses::Audit => StatusCode::OK,
        Statuses::Draft => StatusCode::from_u16(294).unwrap_or(StatusCode::OK),
    }
}

fn not_acceptable() -> Refusal {
    let message = "Accept application/graphql-response+json, application/json or text/event-stream.";
    Refusal::new(Cause::NotAcceptable, Code::BadUserInput, message)
}

fn content_type() -> Refusal {
    Refusal::new(Cause::ContentType, Code::BadUserInput, "Send the request as application/json in UTF-8.")
}

fn content_encoding() -> Refusal {
    Refusal::new(Cause::ContentType, Code::BadUserInput, "Compressed request bodies are not supported.")
}

fn subscription() -> Refusal {
    let message = "Subscriptions need a streaming transport: a WebSocket (graphql-transport-ws) or \
                   Server-Sent Events (Accept: text/event-stream).";
    Refusal::new(Cause::Document, Code::OperationResolutionFailure, message)
}
