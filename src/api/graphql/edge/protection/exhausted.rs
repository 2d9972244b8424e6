//! A rate limit that is exceeded, as the client sees it.

use http::{HeaderMap, HeaderName, HeaderValue};

/// The limit (draft-ietf-httpapi-ratelimit-headers).
pub const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The remaining quota.
pub const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// A limit that somebody is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exhausted {
    /// The name of the limit.
    pub name: &'static str,
    /// Requests that it allows in its window.
    pub quota: u32,
    /// The window, in seconds.
    pub window_seconds: u32,
    /// When to try again, in seconds.
    pub wait_seconds: u32,
}

impl Exhausted {
    /// Tells the client.
    pub fn write(&self, headers: &mut HeaderMap) {
        let Self { name, quota, window_seconds, wait_seconds } = self;
        for (header, text) in [
            (POLICY, format!("\"{name}\";q={quota};w={window_seconds}")),
            (STATE, format!("\"{name}\";r=0;t={wait_seconds}")),
        ] {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(header, value);
            }
        }
    }
}
