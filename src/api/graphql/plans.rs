//! What plans are made of: which fields an operation selects, its arguments, and JSON written without a tree of it first.

use std::fmt::Display;
use std::io::Write as _;

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::resolver_utils::EnumType;
use async_graphql::{Name, Positioned};

use super::edge::documents::language::shape::MARK;

pub mod arguments;

/// Selected fields: the key that each has in the response, and what else is known of it.
pub type Wanted<F> = Vec<(Name, F)>;

/// Writes the value of a field as JSON.
pub type Writes<T> = fn(&T, &mut Vec<u8>);

/// The fields of a selection, if it is fields only, none of them twice, without directives.
pub fn fields(set: &Positioned<SelectionSet>) -> Option<Vec<&Positioned<Field>>> {
    let mut found: Vec<&Positioned<Field>> = Vec::with_capacity(set.node.items.len());
    for item in &set.node.items {
        let Selection::Field(field) = &item.node else { return None };
        let key = &field.node.response_key().node;
        let repeated = found.iter().any(|other| other.node.response_key().node == *key);
        // An object of which nothing is left is for the executor.
        if repeated || key == MARK || !field.node.directives.is_empty() {
            return None;
        }
        found.push(field);
    }
    Some(found)
}

/// The fields of a selection, if `find` knows all of them.
pub fn wanted<F>(set: &Positioned<SelectionSet>, find: impl Fn(&Positioned<Field>) -> Option<F>) -> Option<Wanted<F>> {
    let with_key = |field: &Positioned<Field>| Some((field.node.response_key().node.clone(), find(field)?));
    fields(set)?.into_iter().map(with_key).collect()
}

/// The name of a field that takes no arguments here; `None` when it has some.
pub fn plain(field: &Positioned<Field>) -> Option<&str> {
    field.node.arguments.is_empty().then_some(field.node.name.node.as_str())
}

/// Names of GraphQL have no characters that JSON escapes.
pub fn write_name(name: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.push(b'"');
}

/// A name and a colon.
pub fn write_key(name: &str, out: &mut Vec<u8>) {
    write_name(name, out);
    out.push(b':');
}

/// `null`.
pub fn write_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

// Writing to memory does not fail.

/// A number or a boolean.
pub fn write_plain(value: impl Display, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

/// Ids, amounts and times have no characters that JSON escapes.
pub fn write_quoted(value: impl Display, out: &mut Vec<u8>) {
    let _ = write!(out, "\"{value}\"");
}

/// Any text.
pub fn write_text(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

/// The name of an enum's value.
pub fn write_enum<T: EnumType>(value: T, out: &mut Vec<u8>) {
    let item = T::items().iter().find(|item| item.value == value);
    write_name(item.map_or("", |item| item.name), out);
}

/// The value, or `null`.
pub fn write_option<T>(value: Option<T>, out: &mut Vec<u8>, write: impl FnOnce(T, &mut Vec<u8>)) {
    match value {
        Some(value) => write(value, out),
        None => write_null(out),
    }
}

/// An object of these fields.
pub fn write_object<F>(wanted: &Wanted<F>, out: &mut Vec<u8>, mut value: impl FnMut(&F, &mut Vec<u8>)) {
    for (index, (key, field)) in wanted.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        write_key(key, out);
        value(field, out);
    }
    out.push(b'}');
}

/// An object of fields that write themselves.
pub fn write_fields<T>(wanted: &Wanted<Writes<T>>, of: &T, out: &mut Vec<u8>) {
    write_object(wanted, out, |field, out| field(of, out));
}

/// A list.
pub fn write_list<T>(items: impl IntoIterator<Item = T>, out: &mut Vec<u8>, mut value: impl FnMut(T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value(item, out);
    }
    out.push(b']');
}
