//! Documents that were found good: parsed, within the limits and valid. They are remembered, so that the next request
//! with the same text pays for none of that.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::parser::types::{
    DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
    VariableDefinition,
};
use async_graphql::parser::{Error as ParseError, parse_query};
use async_graphql::{Name, Positioned, Request, ServerError, Value, Variables};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quick_cache::sync::Cache;
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::engine::Engine;
use super::guard::{self, Limits, Measure, Measurer};
use super::load::Class;
use super::params::{Hash, Params, Source, variables};
use super::refusal::{Cause, ERRORS_MAX, Refusal, error};
use super::shared;
use super::shortcut::{Plan, Planned, Ready, Shortcut};
use super::trusted::{Manifest, Trusted};
use crate::api::graphql::context::RequestInfo;
use crate::api::graphql::error::Code;
use crate::config;

/// No operation has this name: asking for it validates a document and executes nothing.
const NO_OPERATION: &str = "\0";

/// The documents known to be good, keyed by their text and by their hash. The caches keep what is asked for often (S3-FIFO):
/// a stranger who sends many different documents once does not push out the ones in use. Trusted documents are never
/// pushed out.
pub struct Documents {
    engine: Arc<dyn Engine>,
    known: Cache<Arc<str>, Arc<Document>>,
    registered: Cache<Hash, Arc<Document>>,
    trusted: Trusted<Arc<Document>>,
    trusted_only: bool,
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
    /// Empty where there is a shortcut.
    variables: Variables,
    shortcut: Option<(Ready, Box<RawValue>)>,
    /// What the client wants to know about the operation's size.
    measure: Option<Measure>,
}

/// What is known about one operation of a document.
pub struct Operation {
    name: Option<Name>,
    /// Its kind.
    pub kind: OperationType,
    /// What it is to the shop.
    pub class: Class,
    measure: Measure,
    /// Whether its answers are the same for everyone.
    shared: bool,
    plan: Option<Arc<dyn Plan>>,
    fragments: Vec<Name>,
}

impl Documents {
    /// Remembers as many documents as the configuration says. `shared` names the subscription fields whose answers are
    /// the same for everyone. Of `trusted`, those that do not fit the schema are left out.
    pub fn new(
        engine: Arc<dyn Engine>,
        limits: Limits,
        shared: &'static [&'static str],
        shortcut: Option<Arc<dyn Shortcut>>,
        trusted: &Manifest,
        config: &config::Graphql,
    ) -> Self {
        let mut documents = Self {
            engine,
            known: Cache::new(config.document_cache as usize),
            registered: Cache::new(config.persisted_cache as usize),
            trusted: Trusted::default(),
            trusted_only: config.trusted_only,
            limits,
            shared,
            shortcut,
            introspection: config.introspection,
        };
        for (id, text) in trusted {
            match documents.check(text) {
                Ok(document) => documents.trusted.insert(id, text, document),
                Err(refusal) => tracing::error!(id, error = refusal.message(), "trusted document left out"),
            }
        }
        documents
    }

    /// The document, if it is good and may be sent by who sends it.
    fn find(&self, source: &Source, may_send_any: bool) -> Result<Arc<Document>, Refusal> {
        match source {
            Source::Id(id) => self.trusted.by_id(id).cloned().ok_or_else(not_persisted),
            Source::Hash(hash) => {
                // What an operator registered is not trusted for that.
                let registered = || self.registered.get(hash).filter(|_| may_send_any || !self.trusted_only);
                self.trusted.by_hash(hash).cloned().or_else(registered).ok_or_else(not_persisted)
            }
            Source::Text(text) => self.load(text, may_send_any),
            Source::Registered(text, hash) => {
                if Hash::from(Sha256::digest(text)) != *hash {
                    let message = "`extensions.persistedQuery.sha256Hash` is not the hash of `query`.";
                    return Err(Refusal::new(Cause::IllFormed, Code::BadUserInput, message));
                }
                let document = self.load(text, may_send_any)?;
                self.registered.insert(*hash, document.clone());
                Ok(document)
            }
        }
    }

    /// The document of this text.
    fn load(&self, text: &str, may_send_any: bool) -> Result<Arc<Document>, Refusal> {
        if self.trusted_only && !may_send_any {
            return self.trusted.by_text(text).cloned().ok_or_else(untrusted);
        }
        if let Some(document) = self.known.get(text).or_else(|| self.trusted.by_text(text).cloned()) {
            return Ok(document);
        }
        let document = self.check(text)?;
        self.known.insert(document.text.clone(), document.clone());
        Ok(document)
    }

    /// Parses, measures and validates.
    fn check(&self, text: &str) -> Result<Arc<Document>, Refusal> {
        guard::scan(text, &self.limits)?;
        let parsed = parse_query(text).map_err(|error| unparsable(&error))?;
        if let Some(key) = guard::repeated_key(text) {
            let message = format!("There can be only one input field named \"{key}\".");
            return Err(Refusal::new(Cause::Document, Code::GraphqlValidationFailed, message));
        }
        let operations = self.operations(&parsed)?;
        self.validate(&parsed)?;
        Ok(Arc::new(Document { text: text.into(), parsed, operations }))
    }

    /// The operation that the parameters ask for, if it may run. `may_send_any`: documents that are not trusted, too.
    pub fn prepare(&self, params: Params, may_send_any: bool) -> Result<Prepared, Refusal> {
        let document = self.find(&params.document, may_send_any)?;
        let index = document.find(params.operation_name.as_deref())?;
        let mut prepared = Prepared { document, index, variables: Variables::default(), shortcut: None, measure: None };
        let plan = prepared.operation().plan.as_ref().filter(|_| !params.cost);
        let ready = plan.zip(params.variables.as_deref()).and_then(|(plan, json)| plan.read(json.get()));
        match (ready, params.variables) {
            // What the shortcut has read is what the operation needs.
            (Some(ready), Some(json)) => prepared.shortcut = Some((ready, json)),
            (_, json) => {
                prepared.variables = variables(json.as_deref())?;
                prepared.check_variables()?;
            }
        }
        let mut measure = prepared.operation().measure;
        if measure.varies {
            let document = &prepared.document.parsed;
            let mut measurer = Measurer::new(document, Some(&prepared.variables), &self.limits);
            measure = measurer.measure(&prepared.definition().node)?;
        }
        prepared.measure = params.cost.then_some(measure);
        Ok(prepared)
    }

    /// What an answer says about an operation's size, with the limits in force.
    pub fn cost(&self, measure: &Measure) -> Value {
        let limits = &self.limits;
        let sizes = [
            ("cost", measure.cost, limits.cost),
            ("fields", measure.fields, limits.fields),
            ("depth", measure.depth, limits.depth),
            ("lists", measure.lists, limits.lists),
            ("rootFields", measure.root_fields, limits.root_fields),
        ];
        let size = |of: usize, limit: usize| {
            Value::Object(
                [(Name::new("requested"), of.into()), (Name::new("limit"), limit.into())].into_iter().collect(),
            )
        };
        Value::Object(sizes.into_iter().map(|(name, of, limit)| (Name::new(name), size(of, limit))).collect())
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
                class: class(definition.node.ty, &measure),
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
        let mut response = self.engine.execute(request).now_or_never().unwrap_or_default();
        if !self.introspection {
            response.errors.iter_mut().for_each(keep_secret);
        }
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

    /// What the answer is to say about the operation's size, if the client asked.
    pub fn measure(&self) -> Option<Measure> {
        self.measure
    }

    /// The answer by a way around the executor, if there is one for this request.
    pub fn shortcut(&mut self, info: &RequestInfo) -> Result<Option<BoxFuture<'static, Planned>>, Refusal> {
        let Some((ready, json)) = self.shortcut.take() else { return Ok(None) };
        let answer = ready(info);
        if answer.is_none() {
            self.variables = variables(Some(&json))?;
        }
        Ok(answer)
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
        if errors.is_empty() { Ok(()) } else { Err(Refusal::of_errors(Cause::Document, errors)) }
    }

    fn definition(&self) -> &Positioned<OperationDefinition> {
        match (&self.document.parsed.operations, &self.operation().name) {
            (DocumentOperations::Multiple(all), Some(name)) => &all[name],
            (DocumentOperations::Single(only), _) => only,
            (DocumentOperations::Multiple(_), None) => unreachable!("operations of such a document have names"),
        }
    }
}

/// Clients know it by its message, and send the text along.
fn not_persisted() -> Refusal {
    Refusal::new(Cause::Document, Code::PersistedQueryNotFound, "PersistedQueryNotFound")
}

fn untrusted() -> Refusal {
    let message = "This server executes trusted documents only. Send the `documentId` of one.";
    Refusal::new(Cause::Forbidden, Code::Forbidden, message)
}

/// Takes the suggestions out of a message: by guessing, they would give away the schema that can't be asked for.
fn keep_secret(error: &mut ServerError) {
    if let Some(end) = error.message.find(" Did you mean ") {
        error.message.truncate(end);
    }
}

/// The parser draws the line at which it stopped, which may be the whole document: only what it expected is told.
fn unparsable(error: &ParseError) -> Refusal {
    let drawing = error.to_string();
    let reason = drawing.rsplit_once("\n  = ").map_or(drawing.as_str(), |(_, reason)| reason);
    let message = format!("The document can't be parsed: {}.", reason.trim().trim_end_matches('.'));
    let error = ServerError { locations: error.positions().collect(), ..ServerError::new(message, None) };
    Refusal::of(Cause::Unparsable, Code::GraphqlParseFailed, vec![error])
}

fn class(kind: OperationType, measure: &Measure) -> Class {
    match kind {
        OperationType::Mutation if measure.once > 0 => Class::Purchase,
        OperationType::Mutation => Class::Change,
        // What is on a page, or on as many as a variable says, or the schema.
        _ if measure.cost > measure.fields || measure.varies || measure.introspects => Class::List,
        _ => Class::Query,
    }
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
