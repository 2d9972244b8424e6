//! GraphQL documents by the specification (September 2025). `apollo-compiler` parses and validates them; what it does not
//! check is in [`mod@rules`]. [`mod@coerce`] gives variables their values, [`mod@collect`] makes of an operation what the
//! executor gets, in which nothing is left to decide, and [`mod@shape`] gives the answer the form that was asked for.
//!
//! The executor's own parser and validator are not used: they take what the specification refuses, and read variables
//! without a value, their defaults in `@skip` and `@include`, and fields that are selected twice in ways of their own.

pub mod coerce;
pub mod collect;
mod rules;
pub mod shape;

use std::collections::HashMap;

use apollo_compiler::ast::Document;
use apollo_compiler::diagnostic::ToCliReport as _;
use apollo_compiler::parser::{Parser, SourceSpan};
use apollo_compiler::schema::ExtendedType;
use apollo_compiler::validation::{DiagnosticList, Valid};
use apollo_compiler::{ExecutableDocument, Schema};
use async_graphql::{Pos, ServerError};

use crate::api::graphql::edge::response::refusal::{Cause, ERRORS_MAX, Refusal, error};
use crate::api::graphql::error::Code;

/// Named in the diagnostics of the parser, which nobody is shown.
const SOURCE: &str = "document";

/// How `apollo-compiler` names its error for a subscription that selects more than one field. It counts selections, so that it also
/// refuses a field that is selected twice, which is one field of the response (5.2.4.1).
const ROOT_FIELDS_COUNTED: &str = "SubscriptionUsesMultipleFields";

/// The schema that documents are validated against.
pub struct Language {
    schema: Valid<Schema>,
    /// The object types that a value of an interface or a union can be of, sorted.
    possible: HashMap<String, Vec<String>>,
}

impl Language {
    /// For the schema of this definition.
    ///
    /// # Panics
    ///
    /// If the definition is none. It is written by the executor from its own types.
    pub fn new(sdl: &str) -> Self {
        let schema = Schema::parse_and_validate(sdl, "schema")
            .unwrap_or_else(|refused| panic!("the schema is invalid: {}", refused.errors));
        let possible = possible(&schema);
        Self { schema, possible }
    }

    /// Parses a document. The guard has bounded its length and nesting.
    pub fn parse(text: &str) -> Result<Document, Refusal> {
        Parser::new().parse_ast(text, SOURCE).map_err(|refused| {
            // The parser goes on after the first error, and what it finds then is mostly noise.
            let first = told(&refused.errors, Code::GraphqlParseFailed).next();
            let mut first = first.unwrap_or_else(|| error(Code::GraphqlParseFailed, "no document", None));
            let reason = first.message.trim_start_matches("Syntax error: ");
            first.message = format!("The document can't be parsed: {reason}");
            Refusal::of_errors(Cause::Unparsable, vec![first])
        })
    }

    /// The document with the types of everything in it, if it is valid.
    pub fn validate(&self, document: &Document) -> Result<Valid<ExecutableDocument>, Refusal> {
        let refuse = |errors| Refusal::of_errors(Cause::Document, errors);
        let document = document.to_executable_validate(&self.schema).or_else(|refused| {
            let mut names = refused.errors.iter().map(|diagnostic| diagnostic.error.unstable_error_name());
            if names.all(|name| name == Some(ROOT_FIELDS_COUNTED)) {
                // `rules` counts the fields of the response instead.
                return Ok(Valid::assume_valid(refused.partial));
            }
            Err(refuse(told(&refused.errors, Code::GraphqlValidationFailed).take(ERRORS_MAX).collect()))
        })?;
        let errors = rules::check(&self.schema, &document);
        if errors.is_empty() { Ok(document) } else { Err(refuse(errors)) }
    }

    /// The object types behind an abstract type; `None` for any other type.
    fn possible(&self, ty: &str) -> Option<&[String]> {
        self.possible.get(ty).map(Vec::as_slice)
    }
}

fn possible(schema: &Schema) -> HashMap<String, Vec<String>> {
    let is_abstract = |ty: &ExtendedType| matches!(ty, ExtendedType::Interface(_) | ExtendedType::Union(_));
    let objects = |of: &str| {
        let mut objects: Vec<String> = Vec::new();
        for (name, ty) in &schema.types {
            if matches!(ty, ExtendedType::Object(_)) && schema.is_subtype(of, name) {
                objects.push(name.to_string());
            }
        }
        objects.sort();
        objects
    };
    let abstracts = schema.types.iter().filter(|(_, ty)| is_abstract(ty));
    abstracts.map(|(name, _)| (name.to_string(), objects(name))).collect()
}

/// The errors that clients get: sentences with a location in the document.
fn told(errors: &DiagnosticList, code: Code) -> impl Iterator<Item = ServerError> + '_ {
    errors.iter().map(move |diagnostic| {
        let place = diagnostic.error.location().and_then(|span| span.line_column(diagnostic.sources));
        error(code, sentence(&diagnostic.error.to_string()), place.map(|at| Pos { line: at.line, column: at.column }))
    })
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    let text: String = first.into_iter().chain(chars).collect();
    format!("{}.", text.trim_end_matches('.'))
}

/// Lines and columns of a text, counted as the executor does: from 1, in characters.
pub struct Places {
    /// Where lines begin, in bytes.
    lines: Vec<usize>,
    /// Bytes that continue a character.
    inner: Vec<usize>,
}

impl Places {
    /// Of this text.
    pub fn new(text: &str) -> Self {
        let bytes = || text.bytes().enumerate();
        let breaks = bytes().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let inner = bytes().filter(|(_, byte)| byte & 0xC0 == 0x80).map(|(at, _)| at);
        Self { lines: std::iter::once(0).chain(breaks).collect(), inner: inner.collect() }
    }

    /// Where this stands.
    pub fn at(&self, span: Option<SourceSpan>) -> Pos {
        span.map(|span| self.of(span.offset())).unwrap_or_default()
    }

    fn of(&self, offset: usize) -> Pos {
        let line = self.lines.partition_point(|begin| *begin <= offset);
        let begin = self.lines[line - 1];
        let before = |offset| self.inner.partition_point(|at| *at < offset);
        Pos { line, column: offset - begin - (before(offset) - before(begin)) + 1 }
    }
}

#[cfg(test)]
mod tests;
