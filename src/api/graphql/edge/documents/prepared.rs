//! A validated document's operation with its variables.

use std::sync::Arc;

use async_graphql::parser::types::OperationDefinition;
use async_graphql::{Positioned, Variables};
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;

use super::language::coerce;
use super::language::collect::{Template, filled};
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::edge::documents::cache::{Document, Documents, Operation};
use crate::api::graphql::edge::execution::engine::Executable;
use crate::api::graphql::edge::execution::shared;
use crate::api::graphql::edge::execution::shortcut::{Planned, Ready};
use crate::api::graphql::edge::protection::guard::Measure;
use crate::api::graphql::edge::request::params::{Params, variables};
use crate::api::graphql::edge::response::refusal::Refusal;

/// One operation of a good document, with variables.
pub struct Prepared {
    document: Arc<Document>,
    index: usize,
    /// A way around the executor, and the variables in case it is none after all.
    shortcut: Option<(Ready, Option<Box<RawValue>>)>,
    /// The document for the executor, if there is no fast path.
    bound: Option<Bound>,
    /// The details of the operation's size that the client requested.
    measure: Option<Measure>,
    /// The place among the subscriptions of operators, if it needs one.
    seat: Option<OwnedSemaphorePermit>,
}

struct Bound {
    variables: Variables,
    template: Arc<Template>,
}

impl Prepared {
    /// With the variables that a client sent.
    pub fn new(
        document: Arc<Document>,
        index: usize,
        json: Option<Box<RawValue>>,
        cost: bool,
    ) -> Result<Self, Refusal> {
        let mut prepared = Self { document, index, shortcut: None, bound: None, measure: None, seat: None };
        // How large it is may hang on the variables, which are not known here when the shortcut has read them.
        let operation = prepared.operation();
        let plan = operation.plan.as_ref().filter(|_| !cost && !operation.measure.varies);
        match plan.and_then(|plan| plan.read(json.as_deref().map_or("{}", RawValue::get))) {
            // What the shortcut has read is what the operation needs.
            Some(ready) => prepared.shortcut = Some((ready, json)),
            None => prepared.bind(json.as_deref())?,
        }
        Ok(prepared)
    }

    fn bind(&mut self, json: Option<&RawValue>) -> Result<(), Refusal> {
        let operation = self.operation();
        let variables = coerce::coerce(&self.document.language, &operation.declared, variables(json)?)?;
        let template = self.document.template(operation, &variables)?;
        self.bound = Some(Bound { variables, template });
        Ok(())
    }

    /// The document.
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The analysis of the operation.
    pub fn operation(&self) -> &Operation {
        &self.document.operations[self.index]
    }

    /// The values of the variables; not known where a shortcut has read them.
    pub fn variables(&self) -> Option<&Variables> {
        self.bound.as_ref().map(|bound| &bound.variables)
    }

    /// Keeps a place for as long as it is executed.
    pub fn seat(&mut self, seat: OwnedSemaphorePermit) {
        self.seat = Some(seat);
    }

    /// Takes the place.
    pub fn take_seat(&mut self) -> Option<OwnedSemaphorePermit> {
        self.seat.take()
    }

    /// Has the answer say something about the operation's size.
    pub fn tell(&mut self, measure: Option<Measure>) {
        self.measure = measure;
    }

    /// The details of the operation's size for the response, if the client requested them.
    pub fn measure(&self) -> Option<Measure> {
        self.measure
    }

    /// The answer by a way around the executor, if there is one for this request.
    pub fn shortcut(&mut self, info: &RequestInfo) -> Result<Option<BoxFuture<'static, Planned>>, Refusal> {
        let Some((ready, json)) = self.shortcut.take() else { return Ok(None) };
        let answer = ready(info);
        if answer.is_none() {
            self.bind(json.as_deref())?;
        }
        Ok(answer)
    }

    /// For the executor.
    pub fn executable(self) -> Executable {
        let Some(Bound { variables, template }) = self.bound else { unreachable!("the shortcut was asked first") };
        let operation = OperationDefinition {
            ty: self.document.operations[self.index].kind,
            variable_definitions: Vec::new(),
            directives: Vec::new(),
            selection_set: filled(&template.set, &variables),
        };
        Executable::new(Positioned::new(operation, template.set.pos), template)
    }

    /// The key of identical subscriptions; `None` when their events are private.
    pub fn shared_key(&self) -> Option<shared::Key> {
        let operation = self.operation();
        let variables = self.variables().filter(|_| operation.shared)?;
        Some(shared::Key::new(&self.document.text, operation.name.as_deref(), variables))
    }
}

impl Documents {
    /// The operation that the parameters ask for, if it may run. `may_send_any`: documents that are not trusted, too.
    pub fn prepare(&self, params: Params, may_send_any: bool) -> Result<Prepared, Refusal> {
        let document = self.find(&params.document, may_send_any)?;
        let index = document.find(params.operation_name.as_deref())?;
        let mut prepared = Prepared::new(document, index, params.variables, params.cost)?;
        let mut measure = prepared.operation().measure;
        if let Some(variables) = prepared.variables().filter(|_| measure.varies) {
            measure = prepared.document().measure(index, variables, &self.limits())?;
        }
        self.admit(&measure)?;
        prepared.tell(params.cost.then_some(measure));
        Ok(prepared)
    }
}
