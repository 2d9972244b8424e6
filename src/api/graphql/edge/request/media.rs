//! Media types of requests and answers (GraphQL over HTTP, sections 5 and 6).

use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};

/// The media types of responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Media {
    /// `application/json`: the older one; what clients get that do not say.
    Json,
    /// `application/graphql-response+json`.
    GraphqlResponse,
    /// `text/event-stream`: graphql-sse, distinct connections mode.
    EventStream,
}

impl Media {
    /// The `Content-Type` of the answer.
    pub const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::EventStream => "text/event-stream; charset=utf-8",
        })
    }

    /// The client's preferred media type; `None` if it accepts none of them.
    pub fn negotiate(headers: &HeaderMap) -> Option<Self> {
        let mut best: Option<(u16, Self)> = None;
        let mut said = false;
        for value in headers.get_all(ACCEPT) {
            for range in value.to_str().ok()?.split(',').filter(|range| !range.trim().is_empty()) {
                said = true;
                let (quality, media) = accepted(range);
                if let Some(media) = media
                    && quality > best.map_or(0, |(quality, _)| quality)
                {
                    best = Some((quality, media));
                }
            }
        }
        match best {
            Some((_, media)) => Some(media),
            None if said => None,
            None => Some(Self::Json),
        }
    }
}

/// One range of `Accept` with its quality in thousandths.
fn accepted(range: &str) -> (u16, Option<Media>) {
    let mut parts = range.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let mut quality = 1000;
    let mut readable = true;
    for (name, value) in parts.filter_map(|parameter| parameter.split_once('=')) {
        if name.eq_ignore_ascii_case("q") {
            quality = value.parse::<f32>().map_or(0, |q| (q.clamp(0.0, 1.0) * 1000.0) as u16);
        } else if name.eq_ignore_ascii_case("charset") {
            readable = is_utf8(value);
        }
    }
    let is = |name: &str| kind.eq_ignore_ascii_case(name);
    let media = if is("application/graphql-response+json") {
        Some(Media::GraphqlResponse)
    } else if is("application/json") || is("application/*") || is("*/*") {
        Some(Media::Json)
    } else if is("text/event-stream") {
        Some(Media::EventStream)
    } else {
        None
    };
    (quality, media.filter(|_| readable))
}

/// Whether the body is said to be JSON in UTF-8. Browsers can't send this type across origins without asking first,
/// which is why no other type is taken.
pub fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(value)) = headers.get(CONTENT_TYPE).map(HeaderValue::to_str) else { return false };
    if value == "application/json" {
        return true;
    }
    let mut parts = value.split(';').map(str::trim);
    parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts
            .filter_map(|parameter| parameter.split_once('='))
            .all(|(name, value)| !name.eq_ignore_ascii_case("charset") || is_utf8(value))
}

/// Whether the body is said to be compressed.
pub fn is_encoded(headers: &HeaderMap) -> bool {
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    headers.get_all(CONTENT_ENCODING).iter().any(|value| !is_plain(value))
}

fn is_utf8(charset: &str) -> bool {
    let charset = charset.trim_matches('"');
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn the_best_accepted_type_wins() {
        use Media::{EventStream, GraphqlResponse, Json};
        for (accept, media) in [
            (&[][..], Some(Json)),
            (&[""], Some(Json)),
            (&["*/*"], Some(Json)),
            (&["application/json"], Some(Json)),
            (&["application/graphql-response+json"], Some(GraphqlResponse)),
            (&["application/graphql-response+json; charset=utf-8, application/json;q=0.9"], Some(GraphqlResponse)),
            (&["application/json;q=0.5", "application/graphql-response+json;q=0.8"], Some(GraphqlResponse)),
            (&["application/json, application/graphql-response+json;q=0.9"], Some(Json)),
            (&["text/event-stream"], Some(EventStream)),
            (&["text/html, */*;q=0.1"], Some(Json)),
            (&["text/html"], None),
            (&["application/json;q=0"], None),
            (&["application/json; charset=latin1"], None),
        ] {
            assert_eq!(Media::negotiate(&headers(ACCEPT, accept)), media, "{accept:?}");
        }
    }

    #[test]
    fn only_json_in_utf8_is_taken() {
        for (value, taken) in [
            ("application/json", true),
            ("Application/JSON; charset=\"UTF-8\"", true),
            ("application/json; charset=utf-16", false),
            ("application/json5", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
        ] {
            assert_eq!(is_json(&headers(CONTENT_TYPE, &[value])), taken, "{value}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
