//! The four parameters of a request (GraphQL over HTTP, section 5.1), from a body, a query string or a socket.

use std::collections::HashMap;

use async_graphql::Variables;
use axum::extract::Query;
use http::Uri;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::refusal::{Cause, Refusal};
use crate::api::graphql::error::Code;

/// What a client wants executed.
#[derive(Debug, Default)]
pub struct Params {
    /// The document.
    pub query: String,
    /// Which of its operations; an empty name is none.
    pub operation_name: Option<String>,
    /// Values of its variables.
    pub variables: Variables,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<Variables>,
    /// Type-checked only.
    #[serde(rename = "extensions")]
    _extensions: Option<HashMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

impl Params {
    /// From a JSON object. Other keys are ignored; an array (a batch) is not taken.
    pub fn from_json(body: &[u8]) -> Result<Self, Refusal> {
        // A derived struct would also read an array.
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => {}
            Some(b'[') => return Err(malformed("A request is one JSON object; batches are not taken.")),
            _ => return Err(malformed("The body must be a JSON object with `query`.")),
        }
        let body: Body =
            serde_json::from_slice(body).map_err(|error| malformed(format!("The body is wrong: {error}.")))?;
        Self::new(body.query, body.operation_name, body.variables)
    }

    /// From the query string of a GET.
    pub fn from_uri(uri: &Uri) -> Result<Self, Refusal> {
        let Query(search) = Query::<Search>::try_from_uri(uri)
            .map_err(|error| malformed(format!("The query string is wrong: {}.", error.body_text())))?;
        let variables = search.variables.map(|text| parameter("variables", &text)).transpose()?.flatten();
        if let Some(text) = search.extensions {
            parameter::<HashMap<String, IgnoredAny>>("extensions", &text)?;
        }
        Self::new(search.query, search.operation_name, variables)
    }

    fn new(query: Option<String>, name: Option<String>, variables: Option<Variables>) -> Result<Self, Refusal> {
        let query = query.ok_or_else(|| malformed("The parameter `query` is missing."))?;
        Ok(Self {
            query,
            operation_name: name.filter(|name| !name.is_empty()),
            variables: variables.unwrap_or_default(),
        })
    }
}

fn parameter<'a, T: Deserialize<'a>>(name: &str, text: &'a str) -> Result<Option<T>, Refusal> {
    serde_json::from_str(text).map_err(|error| malformed(format!("The parameter `{name}` is wrong: {error}.")))
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(Cause::Malformed, Code::BadUserInput, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_typed_objects() {
        for body in [
            "",
            "1",
            "null",
            "[]",
            "[{\"query\":\"{a}\"}]",
            "{",
            "{}",
            "{\"query\":null}",
            "{\"query\":1}",
            "{\"query\":\"{a}\",\"query\":\"{b}\"}",
            "{\"query\":\"{a}\",\"variables\":[]}",
            "{\"query\":\"{a}\",\"variables\":\"{}\"}",
            "{\"query\":\"{a}\",\"operationName\":[]}",
            "{\"query\":\"{a}\",\"extensions\":7}",
            "[\"{a}\"]",
            "{\"query\":\"{a}\"} x",
        ] {
            let refusal = Params::from_json(body.as_bytes()).expect_err(body);
            assert_eq!(refusal.cause, Cause::Malformed, "{body}");
        }
        assert!(Params::from_json(b"{\"query\":\"\xff\"}").is_err());
        let deep = format!("{{\"query\":\"{{a}}\",\"variables\":{{\"x\":{}1{}}}}}", "[".repeat(200), "]".repeat(200));
        assert!(Params::from_json(deep.as_bytes()).is_err());
        let body = br#" {"query":"{a}","operationName":"","variables":null,"extensions":{"x":[1]},"other":1}"#;
        let params = Params::from_json(body).unwrap();
        assert_eq!((params.query.as_str(), params.operation_name, params.variables.len()), ("{a}", None, 0));
    }

    #[test]
    fn query_strings_carry_json() {
        let from = |text: &str| Params::from_uri(&text.parse().unwrap());
        let params = from("/graphql?query=%7Ba%7D&variables=%7B%22x%22%3A1%7D&operationName=Q&other=1").unwrap();
        assert_eq!((params.query.as_str(), params.operation_name.as_deref()), ("{a}", Some("Q")));
        assert_eq!(params.variables.len(), 1);
        for bad in
            ["/graphql", "/graphql?query=a&variables=x", "/graphql?query=a&extensions=1", "/graphql?query=a&query=b"]
        {
            assert!(from(bad).is_err(), "{bad}");
        }
    }
}
