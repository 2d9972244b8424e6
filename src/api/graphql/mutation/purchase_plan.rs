//! `salePurchase` without the executor. A rush is one operation sent by everybody: checking its variables against the whole
//! schema and resolving five fields cost more than the purchase. This knows the one form that clients send,
//! `mutation($input: SalePurchaseInput!) { salePurchase(input: $input) { ticket { … } userErrors { … } } }`, with plain
//! fields in any order; everything else goes the ordinary way.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use async_graphql::parser::types::{Field, OperationDefinition, OperationType};
use async_graphql::{Error, Name, PathSegment, Pos, Positioned, Response, Result};
use bytes::Bytes;
use futures_util::FutureExt as _;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::orders::{SalePurchasePayload, SalePurchaseUserError};
use crate::api::graphql::context::Services;
use crate::api::graphql::edge::execution::shortcut::{Plan, Planned, Ready, Shortcut};
use crate::api::graphql::plans::{
    Wanted, Writes, fields, wanted, write_enum, write_key, write_list, write_name, write_null, write_object,
    write_option, write_plain, write_quoted, write_text,
};
use crate::api::graphql::types::orders::PurchaseTicket;
use crate::api::graphql::types::scalars::DateTime;
use crate::orders::PurchaseRequest;

/// Plans purchases.
pub struct PurchaseShortcut(pub Arc<Services>);

/// Room for most answers.
const CAPACITY: usize = 256;

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
        let payload = wanted(&root.node.selection_set, |field| match field.node.name.node.as_str() {
            "ticket" => Some(Part::Ticket(wanted(&field.node.selection_set, ticket_field)?)),
            "userErrors" => Some(Part::UserErrors(wanted(&field.node.selection_set, error_field)?)),
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

/// The fields of a ticket that need no further look-up.
pub fn ticket_field(field: &Positioned<Field>) -> Option<Writes<PurchaseTicket>> {
    Some(match field.node.name.node.as_str() {
        "__typename" => |_, out| write_name("PurchaseTicket", out),
        "id" => |ticket, out| write_quoted(ticket.0.id, out),
        "quantity" => |ticket, out| write_plain(ticket.0.quantity, out),
        "status" => |ticket, out| write_enum(ticket.status_now(), out),
        "createdAt" => |ticket, out| write_quoted(ticket.0.created_at.to_rfc3339(), out),
        "version" => |ticket, out| write_plain(ticket.0.version(), out),
        _ => return None,
    })
}

fn error_field(field: &Positioned<Field>) -> Option<Writes<SalePurchaseUserError>> {
    Some(match field.node.name.node.as_str() {
        "__typename" => |_, out| write_name("SalePurchaseUserError", out),
        "code" => |error, out| write_enum(error.code, out),
        "message" => |error, out| write_text(&error.message, out),
        "field" => |error, out| {
            write_option(error.field.as_ref(), out, |path, out| {
                write_list(path, out, |part, out| write_text(part, out));
            });
        },
        "retryAfterSeconds" => |error, out| write_option(error.retry_after_seconds, out, write_plain),
        "retryAt" => |error, out| {
            write_option(error.retry_at, out, |DateTime(at), out| write_quoted(at.to_rfc3339(), out));
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
