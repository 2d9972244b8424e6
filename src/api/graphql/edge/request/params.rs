//! The four parameters of a request (GraphQL over HTTP, section 5.1), from a body, a query string or a socket.

use std::borrow::Cow;
use std::collections::HashMap;

use async_graphql::Variables;
use axum::extract::Query;
use data_encoding::HEXLOWER_PERMISSIVE;
use http::Uri;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::given::Given;
use crate::api::graphql::edge::response::refusal::{Cause, Refusal};
use crate::api::graphql::error::Code;

/// SHA-256 of a document's text.
pub type Hash = [u8; 32];

/// The operation that a client requests.
#[derive(Debug, Default)]
pub struct Params {
    /// The document, or what it is known by.
    pub document: Source,
    /// Which of its operations; an empty name is none.
    pub operation_name: Option<String>,
    /// Values of its variables, as JSON that nobody has looked at.
    pub variables: Option<Box<RawValue>>,
    /// Whether the answer is to tell what the operation costs: `extensions: {cost: true}`.
    pub cost: bool,
}

/// A document, or what it is known by.
#[derive(Debug, PartialEq, Eq)]
pub enum Source {
    /// Its text.
    Text(String),
    /// Its text, to be remembered by its hash (automatic persisted queries).
    Registered(String, Hash),
    /// The hash that it was registered by, or that a trusted document has.
    Hash(Hash),
    /// The id of a trusted document, `sha256:…`.
    Id(String),
}

impl Default for Source {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

type Extensions<'a> = HashMap<Cow<'a, str>, &'a RawValue>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<Box<RawValue>>,
    #[serde(borrow)]
    extensions: Option<Extensions<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Search {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PersistedQuery {
    version: u32,
    sha256_hash: String,
}

impl Params {
    /// From a JSON object. Other keys are ignored; an array (a batch) is not taken.
    pub fn from_json(body: &[u8]) -> Result<Self, Refusal> {
        // A derived struct would also read an array.
        match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => {}
            Some(b'[') => return Err(malformed("Batches are not supported. Send one JSON object per request.")),
            _ => return Err(malformed("The body must be a JSON object with `query`.")),
        }
        let body: Body = serde_json::from_slice(body).map_err(|error| wrong("The body is", &error))?;
        let extensions = body.extensions.unwrap_or_default();
        Self::new(source(body.query, body.document_id, &extensions)?, body.operation_name, body.variables, &extensions)
    }

    /// From the query string of a GET.
    pub fn from_uri(uri: &Uri) -> Result<Self, Refusal> {
        let Query(search) = Query::<Search>::try_from_uri(uri)
            .map_err(|error| ill_formed(format!("The query string is invalid: {}.", error.body_text())))?;
        let variables = search.variables.map(|text| parameter("variables", &text)).transpose()?.flatten();
        let extensions = match &search.extensions {
            Some(text) => parameter::<Extensions>("extensions", text)?.unwrap_or_default(),
            None => Extensions::new(),
        };
        Self::new(source(search.query, search.document_id, &extensions)?, search.operation_name, variables, &extensions)
    }

    /// The same, if the variables are an object in which no key comes twice.
    pub fn checked(self) -> Result<Self, Refusal> {
        variables(self.variables.as_deref())?;
        Ok(self)
    }

    fn new(
        document: Source,
        name: Option<String>,
        variables: Option<Box<RawValue>>,
        extensions: &Extensions,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            document,
            operation_name: name.filter(|name| !name.is_empty()),
            variables,
            cost: extension(extensions, "cost")?.unwrap_or(false),
        })
    }
}

/// The variables in a request's JSON.
pub fn variables(json: Option<&RawValue>) -> Result<Variables, Refusal> {
    let given = json.map(|json| serde_json::from_str::<Option<Given>>(json.get())).transpose();
    Ok(given.map_err(|error| wrong("The variables are", &error))?.flatten().unwrap_or_default().0)
}

/// Exactly one way to say which document.
fn source(text: Option<String>, id: Option<String>, extensions: &Extensions) -> Result<Source, Refusal> {
    let persisted = extension::<PersistedQuery>(extensions, "persistedQuery")?;
    let hash = persisted.map(|persisted| persisted.hash()).transpose()?;
    match (text, id, hash) {
        (Some(text), None, None) => Ok(Source::Text(text)),
        (Some(text), None, Some(hash)) => Ok(Source::Registered(text, hash)),
        (None, Some(id), None) => Ok(Source::Id(id)),
        (None, None, Some(hash)) => Ok(Source::Hash(hash)),
        (None, None, None) => Err(ill_formed("The parameter `query` is missing.")),
        _ => Err(ill_formed("Send `documentId` without `query` and `extensions.persistedQuery`.")),
    }
}

impl PersistedQuery {
    fn hash(&self) -> Result<Hash, Refusal> {
        let hash = HEXLOWER_PERMISSIVE.decode(self.sha256_hash.as_bytes()).ok();
        let hash = hash.and_then(|bytes| bytes.try_into().ok()).filter(|_| self.version == 1);
        hash.ok_or_else(|| {
            ill_formed("`extensions.persistedQuery` must be {version: 1, sha256Hash: 64 hexadecimal digits}.")
        })
    }
}

/// One of our extensions, if the request has it; others are the client's business.
fn extension<'a, T: Deserialize<'a>>(extensions: &Extensions<'a>, name: &str) -> Result<Option<T>, Refusal> {
    let Some(value) = extensions.get(name) else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|error| ill_formed(format!("`extensions.{name}` is invalid: {error}.")))
}

fn parameter<'a, T: Deserialize<'a>>(name: &str, text: &'a str) -> Result<Option<T>, Refusal> {
    serde_json::from_str(text).map_err(|error| ill_formed(format!("The parameter `{name}` is invalid: {error}.")))
}

fn wrong(what: &str, error: &serde_json::Error) -> Refusal {
    let cause = if error.is_data() { Cause::IllFormed } else { Cause::Malformed };
    Refusal::new(cause, Code::BadUserInput, format!("{what} wrong: {error}."))
}

fn malformed(message: impl Into<String>) -> Refusal {
    Refusal::new(Cause::Malformed, Code::BadUserInput, message)
}

fn ill_formed(message: impl Into<String>) -> Refusal {
    Refusal::new(Cause::IllFormed, Code::BadUserInput, message)
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
            "{\"query\":\"{a}\",\"variables\":{\"x\":{\"y\":1,\"y\":2}}}",
            "{\"query\":\"{a}\",\"variables\":\"{}\"}",
            "{\"query\":\"{a}\",\"operationName\":[]}",
            "{\"query\":\"{a}\",\"extensions\":7}",
            "[\"{a}\"]",
            "{\"query\":\"{a}\"} x",
        ] {
            let refusal = Params::from_json(body.as_bytes()).and_then(Params::checked).expect_err(body);
            assert!(matches!(refusal.cause, Cause::Malformed | Cause::IllFormed), "{body}");
        }
        assert!(Params::from_json(b"{\"query\":\"\xff\"}").is_err());
        let deep = format!("{{\"query\":\"{{a}}\",\"variables\":{{\"x\":{}1{}}}}}", "[".repeat(200), "]".repeat(200));
        assert!(Params::from_json(deep.as_bytes()).and_then(Params::checked).is_err());
        let body = br#" {"query":"{a}","operationName":"","variables":null,"extensions":{"x":[1]},"other":1}"#;
        let params = Params::from_json(body).unwrap();
        assert_eq!((params.document, params.operation_name), (Source::Text("{a}".into()), None));
        assert_eq!((variables(params.variables.as_deref()).unwrap().len(), params.cost), (0, false));
    }

    #[test]
    fn what_is_no_json_is_told_from_what_does_not_fit() {
        let cause = |body: &str| Params::from_json(body.as_bytes()).unwrap_err().cause;
        assert_eq!((cause("{"), cause("{\"query\":}")), (Cause::Malformed, Cause::Malformed));
        assert_eq!((cause("{}"), cause("{\"query\":1}")), (Cause::IllFormed, Cause::IllFormed));
    }

    #[test]
    fn documents_are_named_in_one_way() {
        let source = |body: &str| Params::from_json(body.as_bytes()).map(|params| params.document);
        let hash = "ab".repeat(32);
        let persisted =
            format!("\"extensions\":{{\"cost\":true,\"persistedQuery\":{{\"version\":1,\"sha256Hash\":\"{hash}\"}}}}");
        assert_eq!(source("{\"documentId\":\"sha256:x\"}").unwrap(), Source::Id("sha256:x".into()));
        assert_eq!(source(&format!("{{{persisted}}}")).unwrap(), Source::Hash([0xab; 32]));
        let registered = source(&format!("{{\"query\":\"{{a}}\",{persisted}}}")).unwrap();
        assert_eq!(registered, Source::Registered("{a}".into(), [0xab; 32]));
        for body in [
            "{\"query\":\"{a}\",\"documentId\":\"x\"}",
            "{\"documentId\":7}",
            "{\"extensions\":{\"persistedQuery\":7}}",
            "{\"extensions\":{\"persistedQuery\":{\"version\":1,\"sha256Hash\":\"ab\"}}}",
            "{\"query\":\"{a}\",\"extensions\":{\"cost\":1}}",
            &format!("{{\"extensions\":{{\"persistedQuery\":{{\"version\":2,\"sha256Hash\":\"{hash}\"}}}}}}"),
        ] {
            assert_eq!(source(body).unwrap_err().cause, Cause::IllFormed, "{body}");
        }
    }

    #[test]
    fn query_strings_carry_json() {
        let from = |text: &str| Params::from_uri(&text.parse().unwrap());
        let params = from("/graphql?query=%7Ba%7D&variables=%7B%22x%22%3A1%7D&operationName=Q&other=1").unwrap();
        assert_eq!((params.document, params.operation_name.as_deref()), (Source::Text("{a}".into()), Some("Q")));
        assert_eq!(variables(params.variables.as_deref()).unwrap().len(), 1);
        for bad in
            ["/graphql", "/graphql?query=a&variables=x", "/graphql?query=a&extensions=1", "/graphql?query=a&query=b"]
        {
            assert!(from(bad).is_err(), "{bad}");
        }
    }
}
