//! Answers to requests that are not executed.

use async_graphql::{ErrorExtensionValues, Pos, ServerError, Value};
use http::StatusCode;

use super::guard::{Exceeded, Unfit};
use super::media::Media;
use crate::api::graphql::error::Code;

/// Errors in one answer at most; the rest would help nobody.
pub const ERRORS_MAX: usize = 10;

/// Why a request is not executed. Decides the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The body is not JSON, or its parameters have the wrong types.
    Malformed,
    /// The document can't be parsed, does not fit the schema, or its operation or variables can't be used.
    Document,
    /// The document is over a limit of size.
    DocumentSize,
    /// The body is over its limit.
    BodySize,
    /// The body took too long to arrive.
    SlowBody,
    /// The token is nobody's.
    Unauthenticated,
    /// A method that this address does not know.
    Method,
    /// A mutation by GET.
    MutationByGet,
    /// No media type of `Accept` can be served.
    NotAcceptable,
    /// A body of a media type that is not taken.
    ContentType,
    /// Something needed is not available, or the answer took too long.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Cause {
    /// The status for an answer of this media type. As the audits of `graphql-http` 1.23 want it: a request error in
    /// a document is 200 for clients of the older `application/json`.
    pub fn status(self, media: Media) -> StatusCode {
        match self {
            Self::Document if media == Media::Json => StatusCode::OK,
            Self::Malformed | Self::Document => StatusCode::BAD_REQUEST,
            Self::DocumentSize | Self::BodySize => StatusCode::PAYLOAD_TOO_LARGE,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Method | Self::MutationByGet => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::ContentType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `Allow` header that goes with the status.
    pub fn allow(self) -> Option<&'static str> {
        match self {
            Self::Method => Some("GET, POST"),
            Self::MutationByGet => Some("POST"),
            _ => None,
        }
    }
}

/// A request error: nothing was executed, and there is no data.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Why.
    pub cause: Cause,
    /// What the client is told, at least one.
    pub errors: Vec<ServerError>,
    /// When to come again, in seconds.
    pub retry_after: Option<u32>,
}

impl Refusal {
    /// With one error.
    pub fn new(cause: Cause, code: Code, message: impl Into<String>) -> Self {
        Self { cause, errors: vec![error(code, message, None)], retry_after: None }
    }

    /// With one error that says when to come again.
    pub fn retry(cause: Cause, code: Code, message: impl Into<String>, after_seconds: u32) -> Self {
        let mut error = error(code, message, None);
        error.extensions.get_or_insert_default().set("retryAfterSeconds", after_seconds);
        Self { cause, errors: vec![error], retry_after: Some(after_seconds) }
    }

    /// The code of its first error, if it is one of ours.
    pub fn code(&self) -> Option<&'static str> {
        code_of(self.errors.first()?).and_then(Code::parse).map(Code::as_str)
    }

    /// What its first error says.
    pub fn message(&self) -> &str {
        self.errors.first().map_or("", |error| &error.message)
    }

    /// With errors that have no code yet.
    pub fn of(cause: Cause, code: Code, mut errors: Vec<ServerError>) -> Self {
        errors.truncate(ERRORS_MAX);
        for error in &mut errors {
            error.extensions.get_or_insert_default().set("code", code.as_str());
        }
        Self { cause, errors, retry_after: None }
    }
}

/// An error with a code.
pub fn error(code: Code, message: impl Into<String>, position: Option<Pos>) -> ServerError {
    let mut extensions = ErrorExtensionValues::default();
    extensions.set("code", code.as_str());
    ServerError { extensions: Some(extensions), ..ServerError::new(message, position) }
}

/// The code of an error, if it has one.
pub fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        _ => None,
    }
}

impl From<Exceeded> for Refusal {
    fn from(exceeded: Exceeded) -> Self {
        let (cause, code) = match exceeded {
            Exceeded::Bytes(_) | Exceeded::Tokens(_) => (Cause::DocumentSize, Code::DocumentTooLarge),
            _ => (Cause::Document, Code::DocumentTooComplex),
        };
        Self::new(cause, code, exceeded.to_string())
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Exceeded(exceeded) => exceeded.into(),
            Unfit::Cycle(name) => Self::new(
                Cause::Document,
                Code::GraphqlValidationFailed,
                format!("Cannot spread fragment \"{name}\" within itself."),
            ),
        }
    }
}
