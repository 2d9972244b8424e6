//! Responses to requests that are rejected before execution.

use async_graphql::{ErrorExtensionValues, Pos, ServerError, Value};
use http::StatusCode;

use crate::api::graphql::edge::protection::exhausted::Exhausted;
use crate::api::graphql::edge::protection::guard::{Exceeded, Unfit};
use crate::api::graphql::edge::request::media::Media;
use crate::api::graphql::error::Code;
use crate::config::Statuses;

/// Errors in one answer at most; the rest would help nobody.
pub const ERRORS_MAX: usize = 10;

/// Why a request is not executed. Decides the HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The body is not JSON.
    Malformed,
    /// The parameters are missing or have the wrong types.
    IllFormed,
    /// The document can't be parsed.
    Unparsable,
    /// The document does not fit the schema, or its operation or variables can't be used.
    Document,
    /// The document is over a limit of size.
    DocumentSize,
    /// The body is over its limit.
    BodySize,
    /// The body took too long to arrive.
    SlowBody,
    /// The token is invalid.
    Unauthenticated,
    /// The user does not have permission, or the request may be forged by another site.
    Forbidden,
    /// Too many requests.
    RateLimited,
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
    /// The statuses for `application/json` and for the newer media type as the audits of `graphql-http` 1.23 want them,
    /// and for both in the draft of August 2026.
    const fn statuses(self) -> (u16, u16, u16) {
        match self {
            Self::Malformed => (400, 400, 400),
            Self::IllFormed => (400, 400, 422),
            Self::Unparsable => (200, 400, 400),
            Self::Document => (200, 400, 422),
            Self::DocumentSize | Self::BodySize => (413, 413, 413),
            Self::SlowBody => (408, 408, 408),
            Self::Unauthenticated => (401, 401, 401),
            Self::Forbidden => (403, 403, 403),
            Self::RateLimited => (429, 429, 429),
            Self::Method | Self::MutationByGet => (405, 405, 405),
            Self::NotAcceptable => (406, 406, 406),
            Self::ContentType => (415, 415, 415),
            Self::Unavailable => (503, 503, 503),
            Self::Internal => (500, 500, 500),
        }
    }

    /// The status for an answer of this media type.
    pub fn status(self, media: Media, profile: Statuses) -> StatusCode {
        let (json, newer, draft) = self.statuses();
        let status = match (profile, media) {
            (Statuses::Draft, _) => draft,
            (Statuses::Audit, Media::Json) => json,
            (Statuses::Audit, _) => newer,
        };
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Whether the request was understood as one, and only what it asks for is wrong: streams answer it in their own way.
    pub fn is_of_document(self) -> bool {
        matches!(self, Self::Document | Self::Unparsable)
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
    /// The cause, which decides the status and the code.
    pub cause: Cause,
    /// The errors that the client gets, at least one.
    pub errors: Vec<ServerError>,
    /// When to come again, in seconds.
    pub retry_after: Option<u32>,
    /// The limit of rates that it is over.
    pub exhausted: Option<Exhausted>,
}

impl Refusal {
    /// With one error.
    pub fn new(cause: Cause, code: Code, message: impl Into<String>) -> Self {
        Self::of_errors(cause, vec![error(code, message, None)])
    }

    /// With one error that says when to come again.
    pub fn retry(cause: Cause, code: Code, message: impl Into<String>, after_seconds: u32) -> Self {
        let mut error = error(code, message, None);
        error.extensions.get_or_insert_default().set("retryAfterSeconds", after_seconds);
        Self { retry_after: Some(after_seconds), ..Self::of_errors(cause, vec![error]) }
    }

    /// The code of its first error, if it is one of ours.
    pub fn code(&self) -> Option<&'static str> {
        code_of(self.errors.first()?).and_then(Code::parse).map(Code::as_str)
    }

    /// The message of its first error.
    pub fn message(&self) -> &str {
        self.errors.first().map_or("", |error| &error.message)
    }

    /// With errors that have no code yet.
    pub fn of(cause: Cause, code: Code, mut errors: Vec<ServerError>) -> Self {
        errors.truncate(ERRORS_MAX);
        for error in &mut errors {
            error.extensions.get_or_insert_default().set("code", code.as_str());
        }
        Self::of_errors(cause, errors)
    }

    /// With these errors, which have codes.
    pub fn of_errors(cause: Cause, errors: Vec<ServerError>) -> Self {
        Self { cause, errors, retry_after: None, exhausted: None }
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

/// GET must not change anything.
pub fn mutation_by_get() -> Refusal {
    Refusal::new(Cause::MutationByGet, Code::BadUserInput, "Mutations can't be sent by GET. Use POST.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draft_tells_apart_what_the_audits_do_not() {
        use Media::{GraphqlResponse, Json};
        for (cause, audit, draft) in [
            (Cause::Malformed, (400, 400), 400),
            (Cause::IllFormed, (400, 400), 422),
            (Cause::Unparsable, (200, 400), 400),
            (Cause::Document, (200, 400), 422),
            (Cause::MutationByGet, (405, 405), 405),
            (Cause::RateLimited, (429, 429), 429),
            (Cause::Unavailable, (503, 503), 503),
        ] {
            let status = |media, profile| cause.status(media, profile).as_u16();
            assert_eq!((status(Json, Statuses::Audit), status(GraphqlResponse, Statuses::Audit)), audit, "{cause:?}");
            assert_eq!((status(Json, Statuses::Draft), status(GraphqlResponse, Statuses::Draft)), (draft, draft));
        }
    }
}
