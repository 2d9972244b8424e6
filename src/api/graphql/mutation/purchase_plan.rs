//! `salePurchase` without the executor. A rush is one operation sent by everybody: checking its variables against the whole
//! schema and resolving five fields cost more than the purchase. This knows the one form that clients send,
//! `mutation($input: SalePurchaseInput!) { salePurchase(input: $input) { ticket { … } userErrors { … } } }`, with plain
//! fields in any order; everything else goes the ordinary way.

use std::sync::Arc;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field, OperationDefinition, OperationType, Selection, SelectionSet};
use async_graphql::resolver_utils::enum_value;
use async_graphql::{Error, Name, PathSegment, Pos, Positioned, Response, Result, Value, Variables};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::orders::{SalePurchasePayload, SalePurchaseUserError};
use crate::api::graphql::context::{RequestInfo, Services};
use crate::api::graphql::edge::shortcut::{Plan, Shortcut};
use crate::api::graphql::types::orders::PurchaseTicket;
use crate::orders::PurchaseRequest;

/// Plans purchases.
pub struct PurchaseShortcut(pub Arc<Services>);

/// A wanted field: the key it has in the answer, and how to get it.
type Wanted<F> = Vec<(Name, F)>;

/// A fitting operation.
struct PurchasePlan {
    services: Arc<Services>,
    form: Arc<Form>,
}

/// What a fitting operation asks for.
struct Form {
    variable: Name,
    root: Name,
    position: Pos,
    payload: Wanted<Part>,
}

/// A field of the payload.
enum Part {
    Typename,
    Ticket(Wanted<fn(&PurchaseTicket) -> Value>),
    UserErrors(Wanted<fn(&SalePurchaseUserError) -> Value>),
}

impl Shortcut for PurchaseShortcut {
    fn plan(&self, operation: &OperationDefinition) -> Option<Arc<dyn Plan>> {
        Some(Arc::new(PurchasePlan { services: self.0.clone(), form: Arc::new(Form::of(operation)?) }))
    }
}

impl Plan for PurchasePlan {
    /// Safe to drop: a purchase that nobody waits for any more is kept by the gate and published again, or was never made.
    fn run(&self, variables: &Variables, info: &RequestInfo) -> Option<BoxFuture<'static, Response>> {
        let buyer = info.viewer?.id;
        let request = self.form.request(variables)?;
        let bought = {
            let services = self.services.clone();
            async move { SalePurchasePayload::buy(&services, buyer, request).await }
        };
        let form = self.form.clone();
        Some(bought.map(move |payload| form.response(payload)).boxed())
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
    fn request(&self, variables: &Variables) -> Option<PurchaseRequest> {
        let Value::Object(input) = variables.get(&self.variable)? else { return None };
        let (mut sale, mut quantity, mut key) = (None, 1, None);
        for (name, value) in input {
            match (name.as_str(), value) {
                ("saleId", Value::String(id)) => sale = Some(id),
                ("idempotencyKey", Value::String(text)) => key = Some(text),
                ("quantity", Value::Number(number)) => quantity = i32::try_from(number.as_i64()?).ok()?,
                _ => return None,
            }
        }
        Some(PurchaseRequest { sale: sale?.parse().ok(), quantity, key: key?.clone() })
    }

    fn response(&self, bought: Result<SalePurchasePayload>) -> Response {
        let payload = match bought {
            Ok(payload) => payload,
            Err(error) => return self.failure(error),
        };
        let part = |part: &Part| match part {
            Part::Typename => Value::String("SalePurchasePayload".into()),
            Part::Ticket(wanted) => payload.ticket.as_ref().map_or(Value::Null, |ticket| object(wanted, ticket)),
            Part::UserErrors(wanted) => payload.user_errors.iter().map(|error| object(wanted, error)).collect(),
        };
        let payload = self.payload.iter().map(|(key, wanted)| (key.clone(), part(wanted))).collect();
        Response::new(Value::Object(IndexMap::from([(self.root.clone(), Value::Object(payload))])))
    }

    /// The root field can't be null: its failure is that of the whole.
    fn failure(&self, error: Error) -> Response {
        let path = vec![PathSegment::Field(self.root.to_string())];
        Response::from_errors(vec![error.into_server_error(self.position).with_path(path)])
    }
}

/// The fields of a selection, if it is fields only, none of them twice, without directives.
fn fields(set: &Positioned<SelectionSet>) -> Option<Vec<&Positioned<Field>>> {
    let mut found: Vec<&Positioned<Field>> = Vec::with_capacity(set.node.items.len());
    for item in &set.node.items {
        let Selection::Field(field) = &item.node else { return None };
        let key = &field.node.response_key().node;
        let repeated = found.iter().any(|other| other.node.response_key().node == *key);
        if repeated || !field.node.directives.is_empty() {
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

fn object<T>(wanted: &Wanted<fn(&T) -> Value>, of: &T) -> Value {
    Value::Object(wanted.iter().map(|(key, field)| (key.clone(), field(of))).collect())
}

/// The fields of a ticket that need no further look-up.
fn ticket_field(field: &Field) -> Option<fn(&PurchaseTicket) -> Value> {
    Some(match field.name.node.as_str() {
        "__typename" => |_| "PurchaseTicket".into(),
        "id" => |ticket| ticket.0.id.to_string().into(),
        "quantity" => |ticket| ticket.0.quantity.into(),
        "status" => |ticket| enum_value(ticket.status_now()),
        "createdAt" => |ticket| ticket.0.created_at.to_rfc3339().into(),
        "version" => |ticket| ticket.0.version().into(),
        _ => return None,
    })
}

fn error_field(field: &Field) -> Option<fn(&SalePurchaseUserError) -> Value> {
    Some(match field.name.node.as_str() {
        "__typename" => |_| "SalePurchaseUserError".into(),
        "code" => |error| enum_value(error.code),
        "message" => |error| error.message.as_str().into(),
        "field" => |error| error.field.clone().map_or(Value::Null, Into::into),
        "retryAfterSeconds" => |error| error.retry_after_seconds.map_or(Value::Null, Into::into),
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
