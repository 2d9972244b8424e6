//! What browsers need: cookies that scripts can't read, and that pages of other sites can't use.
//!
//! A browser sends cookies with every request, whatever page makes it. So a request that is signed in by cookie counts only if it can't
//! have come from another site unasked: its origin is ours or listed, and it has a content type or a header for which the
//! browser asks first (CORS preflight), or the browser says that the page is ours (`Sec-Fetch-Site`).

use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::api::graphql::context::TokenIn;
use crate::api::graphql::edge::response::answer::Session;
use crate::api::graphql::edge::response::refusal::{Cause, Refusal};
use crate::api::graphql::edge::transport::headers::{LAST_EVENT_ID, REQUEST_ID};
use crate::api::graphql::error::Code;
use crate::config::{self, Section};

/// Asks for a sign-in to set the cookie: `doorbuster-session: cookie`.
const WANTS_COOKIE: HeaderName = HeaderName::from_static("doorbuster-session");

/// Any of these, with any value, makes browsers ask before they send a request to another site.
const FORCES_PREFLIGHT: [HeaderName; 4] = [
    HeaderName::from_static("graphql-require-preflight"),
    HeaderName::from_static("apollo-require-preflight"),
    HeaderName::from_static("x-apollo-operation-name"),
    WANTS_COOKIE,
];

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Browsers keep a cookie for at most 400 days. When the sign-in ends is the server's to say.
const COOKIE_SECONDS: u32 = 400 * 24 * 3600;

/// How long a browser may remember what it was allowed.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3600);

/// The rules for requests from browsers.
pub struct Access {
    config: Section<config::Access>,
    secure: bool,
}

impl Access {
    /// As configured.
    pub fn new(config: Section<config::Access>) -> Self {
        let secure = config.now().cookie_secure;
        Self { config, secure }
    }

    /// Whether pages of other sites may call.
    pub fn has_origins(&self) -> bool {
        !self.config.now().origins.is_empty()
    }

    /// Tells browsers which other sites' pages may call.
    pub fn cors(&self) -> CorsLayer {
        let config = self.config.clone();
        let known = move |origin: &HeaderValue, _: &Parts| {
            config.now().origins.iter().any(|known| known.as_bytes() == origin.as_bytes())
        };
        let [preflight @ .., _] = FORCES_PREFLIGHT;
        let asked =
            [header::CONTENT_TYPE, header::AUTHORIZATION, header::ACCEPT, WANTS_COOKIE, REQUEST_ID, LAST_EVENT_ID];
        let shown = [header::RETRY_AFTER, REQUEST_ID, super::exhausted::POLICY, super::exhausted::STATE];
        CorsLayer::new()
            .allow_origin(AllowOrigin::predicate(known))
            .allow_credentials(true)
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(asked.into_iter().chain(preflight).collect::<Vec<_>>())
            .expose_headers(shown)
            .max_age(PREFLIGHT_AGE)
    }

    /// Whether the request came from no page, a page of this server, or one of a listed site.
    pub fn origin_is_known(&self, parts: &Parts) -> bool {
        let Some(origin) = parts.headers.get(header::ORIGIN) else { return true };
        let Ok(origin) = origin.to_str() else { return false };
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let host = host.or(parts.uri.authority().map(http::uri::Authority::as_str));
        let ours = origin.split_once("://").zip(host).is_some_and(|((_, site), host)| site.eq_ignore_ascii_case(host));
        ours || self.config.now().origins.iter().any(|known| known == origin)
    }

    /// The token in the sign-in cookie.
    pub fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        value_of(self.cookie_name(), headers)
    }

    /// The proof that the device got at an earlier sign-in.
    pub fn device<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        value_of(self.device_name(), headers)
    }

    /// Where who signs in gets the token.
    pub fn token_in(headers: &HeaderMap) -> TokenIn {
        if wants_cookie(headers) { TokenIn::Cookie } else { TokenIn::Answer }
    }

    /// Refuses what a page of another site may have sent in somebody's name.
    pub fn check(&self, parts: &Parts, by_cookie: bool) -> Result<(), Refusal> {
        if by_cookie && !self.origin_is_known(parts) {
            return Err(foreign());
        }
        // A POST has a content type for which browsers ask first, or is not taken.
        if parts.method == Method::POST || !(by_cookie || self.config.now().require_preflight) {
            return Ok(());
        }
        let has = |name: &HeaderName| parts.headers.get(name).is_some_and(|value| !value.is_empty());
        let site = parts.headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
        let is_ours = matches!(site, Some(b"same-origin" | b"none"));
        if is_ours || FORCES_PREFLIGHT.iter().any(has) { Ok(()) } else { Err(unasked()) }
    }

    /// The cookies to set after an operation that signed somebody in or out. That of the device stays when they leave.
    pub fn set_cookies(&self, headers: &HeaderMap, session: Option<&Session>) -> impl Iterator<Item = HeaderValue> {
        let (token, device) = match session {
            Some(Session::Begun { token, device }) => {
                (wants_cookie(headers).then_some((token.as_str(), COOKIE_SECONDS)), device.as_deref())
            }
            Some(Session::Ended) => (self.cookie(headers).is_some().then_some(("", 0)), None),
            None => (None, None),
        };
        let token = token.map(|(token, seconds)| self.written(self.cookie_name(), token, seconds));
        let device = device.map(|device| self.written(self.device_name(), device, COOKIE_SECONDS));
        [token, device].into_iter().flatten().filter_map(|cookie| HeaderValue::try_from(cookie).ok())
    }

    fn written(&self, name: &str, value: &str, seconds: u32) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
    }

    fn device_name(&self) -> &'static str {
        if self.secure { "__Host-doorbuster-device" } else { "doorbuster-device" }
    }

    fn cookie_name(&self) -> &'static str {
        // The prefix has browsers refuse cookies of this name that another host of the domain set.
        if self.secure { "__Host-doorbuster" } else { "doorbuster" }
    }
}

/// The value of a cookie, if it has one.
fn value_of<'a>(cookie: &str, headers: &'a HeaderMap) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == cookie).map(|(_, value)| value).filter(|value| !value.is_empty())
}

fn wants_cookie(headers: &HeaderMap) -> bool {
    headers.get(WANTS_COOKIE).is_some_and(|value| value == "cookie")
}

/// The answer to a page of another site.
pub fn foreign() -> Refusal {
    let message =
        "This origin is not allowed to send requests with cookies. Allowed origins are listed in access.origins.";
    Refusal::new(Cause::Forbidden, Code::Forbidden, message)
}

fn unasked() -> Refusal {
    let message =
        "Blocked as a possible cross-site request forgery. Add the header GraphQL-Require-Preflight with any value.";
    Refusal::new(Cause::Forbidden, Code::Forbidden, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn access_with(require_preflight: bool) -> Access {
        let mut config = config::Config::default_embedded().access;
        config.origins = vec!["https://shop.example".into()];
        (config.cookie_secure, config.require_preflight) = (true, require_preflight);
        Access::new(config.into())
    }

    fn access() -> Access {
        access_with(false)
    }

    fn parts(method: Method, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri("/graphql").header("host", "api.example:8080");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_our_own_and_listed_origins_are_known() {
        for (origin, known) in [
            (None, true),
            (Some("http://api.example:8080"), true),
            (Some("https://shop.example"), true),
            (Some("https://evil.example"), false),
            (Some("https://shop.example.evil.example"), false),
            (Some("http://shop.example"), false),
            (Some("null"), false),
        ] {
            let headers: Vec<_> = origin.iter().map(|origin| ("origin", *origin)).collect();
            assert_eq!(access().origin_is_known(&parts(Method::GET, &headers)), known, "{origin:?}");
        }
    }

    #[test]
    fn a_cookie_counts_only_when_another_site_could_not_have_sent_it() {
        for (method, headers, fine) in [
            (Method::POST, &[][..], true),
            (Method::POST, &[("origin", "https://shop.example")], true),
            (Method::POST, &[("origin", "https://evil.example")], false),
            (Method::GET, &[], false),
            (Method::GET, &[("sec-fetch-site", "cross-site")], false),
            (Method::GET, &[("sec-fetch-site", "same-site")], false),
            (Method::GET, &[("sec-fetch-site", "same-origin")], true),
            (Method::GET, &[("apollo-require-preflight", "true")], true),
            (Method::GET, &[("x-apollo-operation-name", "")], false),
            (Method::GET, &[("graphql-require-preflight", "1"), ("origin", "https://evil.example")], false),
        ] {
            let parts = parts(method.clone(), headers);
            assert_eq!(access().check(&parts, true).is_ok(), fine, "{method} {headers:?}");
            assert!(access().check(&parts, false).is_ok(), "without a cookie: {method} {headers:?}");
        }
        let strict = access_with(true);
        assert!(strict.check(&parts(Method::GET, &[]), false).is_err());
    }

    #[test]
    fn the_cookie_is_found_among_others_and_set_when_asked_for() {
        let cookie = |line: &str| access().cookie(&parts(Method::GET, &[("cookie", line)]).headers).map(str::to_owned);
        assert_eq!(cookie("a=b; __Host-doorbuster=doorbuster_x; c=d").as_deref(), Some("doorbuster_x"));
        assert_eq!(cookie("doorbuster=x"), None);
        assert_eq!(cookie("__Host-doorbuster="), None);

        let asked = parts(Method::POST, &[("doorbuster-session", "cookie")]).headers;
        let begun = Session::Begun { token: "doorbuster_x".into(), device: Some("y".into()) };
        let set = |headers: &HeaderMap, session: &Session| -> Vec<String> {
            access().set_cookies(headers, Some(session)).map(|cookie| cookie.to_str().unwrap().to_owned()).collect()
        };
        let rest = "Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure";
        let device = format!("__Host-doorbuster-device=y; {rest}");
        assert_eq!(set(&asked, &begun), [format!("__Host-doorbuster=doorbuster_x; {rest}"), device.clone()]);
        assert_eq!(set(&HeaderMap::new(), &begun), [device]);
        assert!(set(&asked, &Session::Ended).is_empty());
        let had = parts(Method::POST, &[("cookie", "__Host-doorbuster=x; __Host-doorbuster-device=y")]).headers;
        let cleared = set(&had, &Session::Ended);
        assert!(cleared.len() == 1 && cleared[0].starts_with("__Host-doorbuster=; Path=/; Max-Age=0"), "{cleared:?}");
        assert_eq!(access().device(&had), Some("y"));
    }
}
