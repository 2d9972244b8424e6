//! `[access]`: browsers, proxies, and where requests come from.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Check, Network};

/// Where a proxy says for whom it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AddressHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Browsers, proxies, and where requests come from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Origins of other sites whose pages may call.
    pub origins: Vec<String>,
    /// Cookies only over TLS.
    pub cookie_secure: bool,
    /// Requests by GET need a header that makes browsers ask first, without cookies too.
    pub require_preflight: bool,
    /// Networks of proxies that are believed.
    pub trusted_proxies: Vec<Network>,
    /// The header in which they tell.
    pub address_header: AddressHeader,
}

impl Access {
    pub(super) fn validate(&self, check: &mut Check<'_>) {
        check.require(
            self.origins.iter().all(|origin| is_origin(origin)),
            &["access.origins"],
            "origins must have a scheme and a host, such as \"https://shop.example\", without a path; \"*\" is not supported",
        );
    }
}

/// Scheme, host and perhaps port, as browsers send it in `Origin`.
pub(super) fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']')
            })
    })
}
