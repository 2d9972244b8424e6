//! Documents that were found good: parsed, within the limits and valid. They are remembered, so that the next request
//! with the same text pays for none of that.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
    VariableDefinition,
};
use async_graphql::parser::{Error as ParseError, parse_query};
use async_graphql::{Name, Positioned, Request, Response, ServerError, Value, Variables};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use moka::sync::Cache;

use super::engine::Engine;
use super::guard::{self, Limits, Measure, Measurer};
use super::params::Params;
use super::refusal::{Cause, ERRORS_MAX, Refusal, error};
use super::shared;
use super::shortcut::{Plan, Shortcut};
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::error::Code;
use crate::config;

/// No operation has this name: asking for it validates a document and executes nothing.
const NO_OPERATION: &str = "\0";

/// The documents known to be good, keyed by their text. The cache keeps what is asked for often (TinyLFU): a stranger
/// who sends many different documents once does not push out the ones in use.
pub struct Documents {
    engine: Arc<dyn Engine>,
    known: Cache<Arc<str>, Arc<Document>>,
    limits: Limits,
    shared: &'static [&'static str],
    shortcut: Option<Arc<dyn Shortcut>>,
    introspection: bool,
}

/// A good document.
struct Document {
    text: Arc<str>,
    parsed: ExecutableDocument,
    operations: Vec<Operation>,
}

/// One operation of a good document, with variables.
pub struct Prepared {
    document: Arc<Document>,
    index: usize,
    variables: Variables,
}

/// What is known about one operation of a document.
pub struct Operation {
    name: Option<Name>,
    /// Its kind.
    pub kind: OperationType,
    measure: Measure,
    /// Whether its answers are the same for everyone.
    shared: bool,
    plan: Option<Arc<dyn Plan>>,
    fragments: Vec<Name>,
}

impl Documents {
    /// Remembers as many documents as the configuration says. `shared` names the subscription fields whose answers are
    /// the same for everyone.
    pub fn new(
        engine: Arc<dyn Engine>,
        limits: Limits,
        shared: &'static [&'static str],
        shortcut: Option<Arc<dyn Shortcut>>,
        config: &config::Graphql,
    ) -> Self {
        let known = Cache::new(config.document_cache);
        Self { engine, known, limits, shared, shortcut, introspection: config.introspection }
    }

    /// The document of this text, if it is good.
    fn load(&self, text: &str) -> Result<Arc<Document>, Refusal> {
        if let Some(document) = self.known.get(text) {
            return Ok(document);
        }
        guard::scan(text, &self.limits)?;
        let parsed = parse_query(text).map_err(|error| unparsable(&error))?;
        let operations = self.operations(&parsed)?;
        self.validate(&parsed)?;
        let document = Arc::new(Document { text: text.into(), parsed, operations });
        self.known.insert(document.text.clone(), document.clone());
        Ok(document)
    }

    /// The operation that the parameters ask for, if it may run.
    pub fn prepare(&self, params: Params) -> Result<Prepared, Refusal> {
        let document = self.load(&params.query)?;
        let index = document.find(params.operation_name.as_deref())?;
        let prepared = Prepared { document, index, variables: params.variables };
        prepared.check_variables()?;
        if prepared.operation().measure.varies {
            let document = &prepared.document.parsed;
            let mut measurer = Measurer::new(document, Some(&prepared.variables), &self.limits);
            measurer.measure(&prepared.definition().node)?;
        }
        Ok(prepared)
    }

    fn operations(&self, parsed: &ExecutableDocument) -> Result<Vec<Operation>, Refusal> {
        let mut measurer = Measurer::new(parsed, None, &self.limits);
        measurer.aliases()?;
        let mut operations = Vec::with_capacity(parsed.operations.iter().len());
        for (name, definition) in parsed.operations.iter() {
            let measure = measurer.measure(&definition.node)?;
            self.check_rules(&definition.node, &measure)?;
            operations.push(Operation {
                name: name.cloned(),
                kind: definition.node.ty,
                measure,
                shared: is_shared(&definition.node, self.shared),
                plan: self.shortcut.as_ref().and_then(|shortcut| shortcut.plan(&definition.node)),
                fragments: reachable(parsed, &definition.node.selection_set.node),
            });
        }
        measurer.check_walk()?;
        Ok(operations)
    }

    /// What the executor's validator does not ask (GraphQL, September 2025, section 5.2.4).
    fn check_rules(&self, operation: &OperationDefinition, measure: &Measure) -> Result<(), Refusal> {
        let problem = if measure.introspects && !self.introspection {
            "Introspection is switched off on this server."
        } else if operation.ty == OperationType::Subscription && measure.root_fields != 1 {
            "A subscription must have exactly one root field."
        } else if operation.ty == OperationType::Subscription && measure.conditional_root {
            "A subscription must not have @skip or @include on its root field."
        } else {
            return Ok(());
        };
        Err(Refusal::new(Cause::Document, Code::GraphqlValidationFailed, problem))
    }

    /// Has the executor validate the document: it does so before it finds that the operation asked for is not there.
    fn validate(&self, parsed: &ExecutableDocument) -> Result<(), Refusal> {
        let mut request = Request::new("").operation_name(NO_OPERATION);
        request.set_parsed_query(parsed.clone());
        // Validation never waits; if it did one day, this would say so at once in every test.
        let response = self.engine.execute(request).now_or_never().unwrap_or_default();
        let missed_operation = |error: &ServerError| error.locations.is_empty() && error.message.contains(NO_OPERATION);
        match response.errors.as_slice() {
            [error] if missed_operation(error) => Ok(()),
            [] => Err(Refusal::new(Cause::Internal, Code::InternalServerError, "The document could not be validated.")),
            _ => Err(Refusal::of(Cause::Document, Code::GraphqlValidationFailed, response.errors)),
        }
    }
}

impl Document {
    /// The operation to execute (GraphQL, section 6.1, `GetOperation`).
    fn find(&self, name: Option<&str>) -> Result<usize, Refusal> {
        let found = match name {
            None if self.operations.len() == 1 => Some(0),
            None => None,
            Some(name) => self.operations.iter().position(|operation| operation.name.as_deref() == Some(name)),
        };
        found.ok_or_else(|| {
            let message = match name {
                None => "The document has several operations: say which one with `operationName`.".into(),
                Some(name) => format!("The document has no operation named \"{name}\"."),
            };
            Refusal::new(Cause::Document, Code::OperationResolutionFailure, message)
        })
    }
}

impl Prepared {
    /// What is known about the operation.
    pub fn operation(&self) -> &Operation {
        &self.document.operations[self.index]
    }

    /// The answer by a way around the executor, if there is one for this request.
    pub fn shortcut(&self, info: &RequestInfo) -> Option<BoxFuture<'static, Response>> {
        self.operation().plan.as_ref()?.run(&self.variables, info)
    }

    /// For the executor: a document of this operation alone, and the variables.
    pub fn request(self) -> Request {
        let fragments = &self.document.parsed.fragments;
        let fragment = |name: &Name| Some((name.clone(), fragments.get(name)?.clone()));
        let document = ExecutableDocument {
            operations: DocumentOperations::Single(self.definition().clone()),
            fragments: self.operation().fragments.iter().filter_map(fragment).collect(),
        };
        let mut request = Request::new("").variables(self.variables);
        request.set_parsed_query(document);
        request
    }

    /// What makes another subscription the same as this one; `None` when its answers are not for everyone.
    pub fn shared_key(&self) -> Option<shared::Key> {
        let operation = self.operation();
        operation.shared.then(|| shared::Key::new(&self.document.text, operation.name.as_deref(), &self.variables))
    }

    /// Refuses variables without a value where the operation needs one.
    fn check_variables(&self) -> Result<(), Refusal> {
        let lacks_value = |variable: &&Positioned<VariableDefinition>| {
            let given = self.variables.get(&variable.node.name.node);
            let absent = given.is_none() && variable.node.default_value.is_none();
            !variable.node.var_type.node.nullable && (absent || given == Some(&Value::Null))
        };
        let complaint = |variable: &Positioned<VariableDefinition>| {
            let VariableDefinition { name, var_type, .. } = &variable.node;
            let message = format!("Variable \"${}\" of type {} needs a value.", name.node, var_type.node);
            error(Code::BadUserInput, message, Some(variable.pos))
        };
        let variables = self.definition().node.variable_definitions.iter();
        let errors: Vec<_> = variables.filter(lacks_value).take(ERRORS_MAX).map(complaint).collect();
        if errors.is_empty() { Ok(()) } else { Err(Refusal { cause: Cause::Document, errors, retry_after: None }) }
    }

    fn definition(&self) -> &Positioned<OperationDefinition> {
        match (&self.document.parsed.operations, &self.operation().name) {
            (DocumentOperations::Multiple(all), Some(name)) => &all[name],
            (DocumentOperations::Single(only), _) => only,
            (DocumentOperations::Multiple(_), None) => unreachable!("operations of such a document have names"),
        }
    }
}

fn unparsable(error: &ParseError) -> Refusal {
    let error = ServerError { locations: error.positions().collect(), ..ServerError::new(error.to_string(), None) };
    Refusal::of(Cause::Document, Code::GraphqlParseFailed, vec![error])
}

/// Whether the operation is a subscription to one of the shared fields and nothing else.
fn is_shared(operation: &OperationDefinition, shared: &[&str]) -> bool {
    let [item] = operation.selection_set.node.items.as_slice() else { return false };
    match &item.node {
        Selection::Field(field) => {
            operation.ty == OperationType::Subscription && shared.contains(&field.node.name.node.as_str())
        }
        Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
    }
}

/// The fragments that the selection needs, directly or through others.
fn reachable(document: &ExecutableDocument, set: &SelectionSet) -> Vec<Name> {
    let mut found = HashSet::new();
    let mut sets = vec![set];
    while let Some(set) = sets.pop() {
        for item in &set.items {
            match &item.node {
                Selection::Field(field) => sets.push(&field.node.selection_set.node),
                Selection::InlineFragment(inline) => sets.push(&inline.node.selection_set.node),
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    if let Some(fragment) = document.fragments.get(name)
                        && found.insert(name.clone())
                    {
                        sets.push(&fragment.node.selection_set.node);
                    }
                }
            }
        }
    }
    found.into_iter().collect()
}
