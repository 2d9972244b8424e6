//! `salePurchase` without the executor. A rush is one operation sent by everybody: checking its variables against the whole
//! schema and resolving five fields cost more than the purchase. This knows the one form that clients send,
//! `mutation($input: SalePurchaseInput!) { salePurchase(input: $input) { ticket { … } userErrors { … } } }`, with plain
//! fields in any order; everything else goes the ordinary way.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::Write as _;
use std::sync::Arc;

use async_graphql::parser::types::{Field, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::resolver_utils::EnumType;
use async_graphql::{Error, Name, PathSegment, Pos, Positioned, Response, Result};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::orders::{SalePurchasePayload, SalePurchaseUserError};
use crate::api::graphql::context::Services;
use crate::api::graphql::edge::language::shape::MARK;
use crate::api::graphql::edge::shortcut::{Plan, Planned, Ready, Shortcut};
use crate::api::graphql::types::orders::PurchaseTicket;
use crate::api::graphql::types::scalars::DateTime;
use crate::orders::PurchaseRequest;

/// Plans purchases.
pub struct PurchaseShortcut(pub Arc<Services>);

/// Room for most answers.
const CAPACITY: usize = 256;

/// A wanted field: the key it has in the answer, and how to get it.
type Wanted<F> = Vec<(Name, F)>;

/// Writes a field's value as JSON.
type Writes<T> = fn(&T, &mut Vec<u8>);

/// A fitting operation.
struct PurchasePlan {
    services: Arc<Services>,
    form: Arc<Form>,
}

/// The arguments of a matching operation.
struct Form {
    variable: Name,
    root: Name,
    position: Pos,
    payload: Wanted<Part>,
}

/// A field of the payload.
enum Part {
    Typename,
    Ticket(Wanted<Writes<PurchaseTicket>>),
    UserErrors(Wanted<Writes<SalePurchaseUserError>>),
}

impl Shortcut for PurchaseShortcut {
    fn plan(&self, operation: &OperationDefinition) -> Option<Arc<dyn Plan>> {
        Some(Arc::new(PurchasePlan { services: self.0.clone(), form: Arc::new(Form::of(operation)?) }))
    }
}

impl Plan for PurchasePlan {
    /// Safe to drop: a purchase that nobody waits for any more is kept by the gate and published again, or was never made.
    fn read(&self, variables: &str) -> Option<Ready> {
        let request = self.form.request(variables)?;
        let (services, form) = (self.services.clone(), self.form.clone());
        Some(Box::new(move |info| {
            let buyer = info.viewer?.id;
            Some(async move { form.answer(SalePurchasePayload::buy(&services, buyer, request).await) }.boxed())
        }))
    }
}

impl Form {
    fn of(operation: &OperationDefinition) -> Option<Self> {
        let [variable] = operation.variable_definitions.as_slice() else { return None };
        let plain_variable = variable.node.var_type.node.to_string() == "SalePurchaseInput!"
            && variable.node.default_value.is_none()
            && variable.node.directives.is_empty();
        let [root] = fields(&operation.selection_set)?[..] else { return None };
        let [(argument, value)] = root.node.arguments.as_slice() else { return None };
        let is_variable = value.node.to_string() == format!("${}", variable.node.name.node);
        let fits = operation.ty == OperationType::Mutation
            && operation.directives.is_empty()
            && plain_variable
            && is_variable
            && root.node.name.node == "salePurchase"
            && argument.node == "input";
        let payload = wanted(&root.node.selection_set, |field| match field.name.node.as_str() {
            "ticket" => Some(Part::Ticket(wanted(&field.selection_set, ticket_field)?)),
            "userErrors" => Some(Part::UserErrors(wanted(&field.selection_set, error_field)?)),
            "__typename" => Some(Part::Typename),
            _ => None,
        })?;
        fits.then(|| Self {
            variable: variable.node.name.node.clone(),
            root: root.node.response_key().node.clone(),
            position: root.pos,
            payload,
        })
    }

    /// The request that the variables carry, if they are all plainly right.
    fn request(&self, variables: &str) -> Option<PurchaseRequest> {
        let mut json = serde_json::Deserializer::from_str(variables);
        let Input { sale_id, quantity, idempotency_key } = OneVariable(&self.variable).deserialize(&mut json).ok()?;
        json.end().ok()?;
        Some(PurchaseRequest { sale: sale_id.parse().ok(), quantity, key: idempotency_key })
    }

    fn answer(&self, bought: Result<SalePurchasePayload>) -> Planned {
        match bought {
            Ok(payload) => Planned::Done(self.body(&payload)),
            Err(error) => Planned::Failed(self.failure(error)),
        }
    }

    /// The answer as it leaves: a tree of it first would cost more than finding out what is in it.
    fn body(&self, payload: &SalePurchasePayload) -> Bytes {
        let mut out = Vec::with_capacity(CAPACITY);
        out.extend_from_slice(b"{\"data\":{");
        write_key(&self.root, &mut out);
        write_object(&self.payload, &mut out, |part, out| match (part, &payload.ticket) {
            (Part::Typename, _) => write_name("SalePurchasePayload", out),
            (Part::Ticket(_), None) => write_null(out),
            (Part::Ticket(wanted), Some(ticket)) => write_object(wanted, out, |field, out| field(ticket, out)),
            (Part::UserErrors(wanted), _) => write_list(&payload.user_errors, out, |error, out| {
                write_object(wanted, out, |field, out| field(error, out));
            }),
        });
        out.extend_from_slice(b"}}");
        out.into()
    }

    /// The root field can't be null: its failure is that of the whole.
    fn failure(&self, error: Error) -> Response {
        let path = vec![PathSegment::Field(self.root.to_string())];
        Response::from_errors(vec![error.into_server_error(self.position).with_path(path)])
    }
}

/// `SalePurchaseInput` as JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Input<'a> {
    #[serde(borrow)]
    sale_id: Cow<'a, str>,
    #[serde(default = "one")]
    quantity: i32,
    idempotency_key: String,
}

const fn one() -> i32 {
    1
}

/// Variables that are this one and no other.
struct OneVariable<'a>(&'a str);

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> DeserializeSeed<'de> for OneVariable<'_> {
    type Value = Input<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Input<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneVariable<'_> {
    type Value = Input<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with {} alone", self.0)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Input<'de>, A::Error> {
        let known = entries.next_key::<Key>()?.is_some_and(|Key(name)| name == self.0);
        let input = if known { entries.next_value()? } else { return Err(A::Error::custom("another variable")) };
        match entries.next_key::<IgnoredAny>()? {
            None => Ok(input),
            Some(_) => Err(A::Error::custom("more than one variable")),
        }
    }
}

/// The fields of a selection, if it is fields only, none of them twice, without directives.
fn fields(set: &Positioned<SelectionSet>) -> Option<Vec<&Positioned<Field>>> {
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

fn wanted<F>(set: &Positioned<SelectionSet>, find: impl Fn(&Field) -> Option<F>) -> Option<Wanted<F>> {
    let with_key = |field: &Positioned<Field>| Some((field.node.response_key().node.clone(), find(&field.node)?));
    fields(set)?.into_iter().map(with_key).collect()
}

/// Names of GraphQL have no characters that JSON escapes.
fn write_name(name: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.push(b'"');
}

fn write_key(name: &Name, out: &mut Vec<u8>) {
    write_name(name, out);
    out.push(b':');
}

fn write_null(out: &mut Vec<u8>) {
    out.extend_from_slice(b"null");
}

// Writing to memory does not fail.

fn write_plain(value: impl Display, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

/// Ids and times have no characters that JSON escapes.
fn write_quoted(value: impl Display, out: &mut Vec<u8>) {
    let _ = write!(out, "\"{value}\"");
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, text);
}

fn write_enum<T: EnumType>(value: T, out: &mut Vec<u8>) {
    let item = T::items().iter().find(|item| item.value == value);
    write_name(item.map_or("", |item| item.name), out);
}

fn write_object<F>(wanted: &Wanted<F>, out: &mut Vec<u8>, value: impl Fn(&F, &mut Vec<u8>)) {
    for (index, (key, field)) in wanted.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        write_key(key, out);
        value(field, out);
    }
    out.push(b'}');
}

fn write_list<T>(items: &[T], out: &mut Vec<u8>, value: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        value(item, out);
    }
    out.push(b']');
}

/// The fields of a ticket that need no further look-up.
fn ticket_field(field: &Field) -> Option<Writes<PurchaseTicket>> {
    Some(match field.name.node.as_str() {
        "__typename" => |_, out| write_name("PurchaseTicket", out),
        "id" => |ticket, out| write_quoted(ticket.0.id, out),
        "quantity" => |ticket, out| write_plain(ticket.0.quantity, out),
        "status" => |ticket, out| write_enum(ticket.status_now(), out),
        "createdAt" => |ticket, out| write_quoted(ticket.0.created_at.to_rfc3339(), out),
        "version" => |ticket, out| write_plain(ticket.0.version(), out),
        _ => return None,
    })
}

fn error_field(field: &Field) -> Option<Writes<SalePurchaseUserError>> {
    Some(match field.name.node.as_str() {
        "__typename" => |_, out| write_name("SalePurchaseUserError", out),
        "code" => |error, out| write_enum(error.code, out),
        "message" => |error, out| write_text(&error.message, out),
        "field" => |error, out| match &error.field {
            Some(path) => write_list(path, out, |part, out| write_text(part, out)),
            None => write_null(out),
        },
        "retryAfterSeconds" => |error, out| match error.retry_after_seconds {
            Some(seconds) => write_plain(seconds, out),
            None => write_null(out),
        },
        "retryAt" => |error, out| match error.retry_at {
            Some(DateTime(at)) => write_quoted(at.to_rfc3339(), out),
            None => write_null(out),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
