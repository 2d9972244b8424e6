//! `[access]`: browser origins, cookies and trusted proxies.

use schemars::JsonSchema;
use serde::Deserialize;

use super::Network;
use super::check::Check;

/// The forwarding header that proxies set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AddressHeader {
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// Browser origins, cookies and trusted proxies.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Other origins whose pages may call this server from a browser, such as `"https://shop.example"` (as sent in the `Origin`
    /// header). This server's own origin need not be listed. If empty, browsers block all other origins.
    #[schemars(extend("x-hot" = true))]
    pub origins: Vec<String>,
    /// Whether the sign-in cookie is limited to TLS (`Secure`, named `__Host-doorbuster`). Browsers also accept it on
    /// `http://localhost`. If false, the cookie has another name and works over plain HTTP.
    pub cookie_secure: bool,
    /// Whether every GET request needs one of the headers GraphQL-Require-Preflight, Apollo-Require-Preflight and
    /// X-Apollo-Operation-Name, which pages of other origins can't send without a preflight. A GET request with cookies always needs
    /// one, unless the browser reports that the page has the same origin.
    #[schemars(extend("x-hot" = true))]
    pub require_preflight: bool,
    /// Networks of the trusted proxies in front of the server. Only their forwarding headers are used: the client is the right-most
    /// address in the header that is not in one of these networks. If empty, forwarding headers are ignored.
    #[schemars(extend("x-hot" = true, "x-confirm" = true))]
    pub trusted_proxies: Vec<Network>,
    /// The forwarding header that the proxies set: "x-forwarded-for" or "forwarded". The other one is ignored, because a client could
    /// have set it.
    #[schemars(extend("x-hot" = true, "x-confirm" = true))]
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
