//! Authentication of requests.

use async_trait::async_trait;
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::accounts::TellEnd;
use crate::api::graphql::edge::response::refusal::{Cause, Refusal};
use crate::api::graphql::error::Code;
use crate::model::accounts::Viewer;

/// Tokens can't be checked at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("access tokens can't be verified at the moment")]
pub struct AuthUnavailable;

/// Knows whose a token is.
#[async_trait]
pub trait Authenticate: Send + Sync + 'static {
    /// The user of the token; `None` if it is unknown or has expired.
    async fn viewer(&self, token: &str) -> Result<Option<Viewer>, AuthUnavailable>;

    /// Calls this with each token that ends from now on, anywhere.
    fn when_tokens_end(&self, _tell: TellEnd) {}
}

/// The token of `Authorization: Bearer …` (RFC 6750); `None` without the header.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    value.to_str().ok().and_then(token_of).map(Some).ok_or_else(not_signed_in)
}

/// The token in the value of an `Authorization` header.
pub fn token_of(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once(' ')?;
    let token = token.trim_start();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The response to an invalid token.
pub fn not_signed_in() -> Refusal {
    Refusal::new(
        Cause::Unauthenticated,
        Code::Unauthenticated,
        "The access token is invalid or has expired. Sign in again, or send the request without a token.",
    )
}

/// The answer while tokens can't be checked.
pub fn unavailable() -> Refusal {
    Refusal::retry(
        Cause::Unavailable,
        Code::Unavailable,
        "The access token can't be verified at the moment. Please try again.",
        2,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bearer_tokens_are_tokens() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc", Some("abc")),
            ("Basic abc", None),
            ("Bearer", None),
            ("Bearer ", None),
            ("abc", None),
        ] {
            assert_eq!(token_of(value), token, "{value}");
        }
    }
}
