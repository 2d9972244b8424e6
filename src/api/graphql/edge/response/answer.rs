//! Answers as bytes. What an error may say is decided here: errors with a code go out as they are, the executor's own
//! complaints about input become `BAD_USER_INPUT`, and anything else is a fault of ours that only the log describes.

use std::fmt;

use async_graphql::{Response, ServerError, Value};
use bytes::Bytes;
use http::HeaderMap;
use serde::Serialize;

use super::refusal::{Cause, ERRORS_MAX, Refusal, code_of, error};
use crate::api::graphql::context::{DEVICE, SESSION};
use crate::api::graphql::error::Code;

/// Room for most answers.
const CAPACITY: usize = 512;

/// An executed operation's answer, or one payload of a subscription.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The JSON object.
    pub body: Bytes,
    /// The code of the first error, if there is one and it is one of ours.
    pub code: Option<Code>,
    /// Whether it has errors beside its data.
    pub partial: bool,
    /// Whether somebody was signed in or out.
    pub session: Option<Session>,
}

/// The effect of an operation on the client's sign-in.
#[derive(Clone, PartialEq, Eq)]
pub enum Session {
    /// Signed in.
    Begun {
        /// With this token.
        token: String,
        /// The device's new proof.
        device: Option<String>,
    },
    /// Signed out.
    Ended,
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begun { .. } => "Begun(…)",
            Self::Ended => "Ended",
        })
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extensions: Option<&'a std::collections::BTreeMap<String, Value>>,
}

impl Answer {
    /// From the executor's response to a document that is known to be valid. Where nothing was executed (the variables
    /// do not fit), it is a refusal.
    pub fn new(mut response: Response, request_id: &str) -> Result<Self, Refusal> {
        let nothing_ran = response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty());
        response.errors.truncate(ERRORS_MAX);
        if nothing_ran && !response.errors.is_empty() {
            response.errors.iter_mut().filter(|error| code_of(error).is_none()).for_each(blame_input);
            return Err(Refusal::of_errors(Cause::Document, response.errors));
        }
        for error in response.errors.iter_mut().filter(|error| code_of(error).is_none()) {
            if is_about_input(error) { blame_input(error) } else { mask(error, request_id) }
        }
        let body = json(&Body {
            errors: &response.errors,
            data: Some(&response.data),
            extensions: (!response.extensions.is_empty()).then_some(&response.extensions),
        });
        Ok(Self {
            body,
            code: response.errors.first().and_then(code_of).and_then(Code::parse),
            partial: !response.errors.is_empty(),
            session: session(&response.http_headers),
        })
    }
}

impl From<Bytes> for Answer {
    /// From a JSON object without errors.
    fn from(body: Bytes) -> Self {
        Self { body, code: None, partial: false, session: None }
    }
}

/// Resolvers tell it by a header that never leaves as such.
fn session(headers: &HeaderMap) -> Option<Session> {
    let told = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let token = told(SESSION)?;
    Some(if token.is_empty() { Session::Ended } else { Session::Begun { token, device: told(DEVICE) } })
}

impl Refusal {
    /// The JSON object of a refused request.
    pub fn body(&self) -> Bytes {
        json(&Body { errors: &self.errors, data: None, extensions: None })
    }

    /// The errors alone, as the payload of a socket's `error` message.
    pub fn errors_json(&self) -> Bytes {
        json(&self.errors)
    }
}

/// Serialises a value that always can be; an empty body would be a fault of this code.
fn json(value: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(CAPACITY);
    if let Err(error) = serde_json::to_writer(&mut bytes, value) {
        tracing::error!(%error, "could not serialise the response");
    }
    bytes.into()
}

fn blame_input(error: &mut ServerError) {
    error.extensions.get_or_insert_default().set("code", Code::BadUserInput.as_str());
}

/// Keeps to ourselves what went wrong; the request id leads from the answer to the log.
fn mask(fault: &mut ServerError, request_id: &str) {
    tracing::error!(request_id, error = fault.message, path = ?fault.path, "resolver failed");
    let message = format!("Something went wrong on our side (request {request_id}).");
    let masked = error(Code::InternalServerError, message, None);
    fault.message = masked.message;
    fault.extensions = masked.extensions;
}

/// The executor's `InputValueError` leaves no other trace than how it begins; errors of resolvers that come from Rust
/// errors carry their source. `Expected input type` is what an argument meets that can't be null, has a default, and is given
/// a variable that is null.
fn is_about_input(error: &ServerError) -> bool {
    let beginnings = ["Failed to parse \"", "Expected input type \"", "Variable "];
    error.source.is_none() && beginnings.iter().any(|beginning| error.message.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_graphql::PathSegment;

    fn failed(message: &str, path: bool) -> Response {
        let mut error = ServerError::new(message, None);
        if path {
            error.path.push(PathSegment::Field("a".into()));
        }
        Response::from_errors(vec![error])
    }

    fn text(answer: &Answer) -> &str {
        std::str::from_utf8(&answer.body).unwrap()
    }

    #[test]
    fn faults_of_ours_are_masked() {
        let answer = Answer::new(failed("secret password in a message", true), "r1").unwrap();
        assert_eq!(answer.code, Some(Code::InternalServerError));
        assert!(!text(&answer).contains("secret"), "{}", text(&answer));
        assert!(text(&answer).contains("request r1") && text(&answer).contains("\"data\":null"));
    }

    #[test]
    fn input_errors_and_coded_errors_are_not() {
        let answer = Answer::new(failed("Failed to parse \"Decimal\": no", true), "r1").unwrap();
        assert_eq!(answer.code, Some(Code::BadUserInput));
        assert!(text(&answer).contains("no") && text(&answer).contains("\"data\":null"));

        let refusal = Answer::new(failed("Invalid value", false), "r1").unwrap_err();
        assert_eq!(
            refusal.body(),
            r#"{"errors":[{"message":"Invalid value","extensions":{"code":"BAD_USER_INPUT"}}]}"#
        );

        let coded = Code::Forbidden.error("No.").into_server_error(async_graphql::Pos::default());
        let response = Response::from_errors(vec![coded.with_path(vec![PathSegment::Index(1)])]);
        let answer = Answer::new(response, "r1").unwrap();
        assert_eq!(answer.code, Some(Code::Forbidden));
        assert!(text(&answer).contains("No."));
    }

    #[test]
    fn at_most_ten_errors_leave() {
        let errors = (0..50).map(|_| failed("x", true).errors.remove(0)).collect();
        let answer = Answer::new(Response::from_errors(errors), "r").unwrap();
        assert_eq!(text(&answer).matches("INTERNAL_SERVER_ERROR").count(), ERRORS_MAX);
    }
}
