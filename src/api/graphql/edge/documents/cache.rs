//! Documents that were found good: parsed, within the limits and valid. They are remembered, so that the next request
//! with the same text pays for none of that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use apollo_compiler::ast::{self, Document as Parsed};
use apollo_compiler::executable;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Node};
use async_graphql::parser::types::{OperationDefinition, OperationType, Type, VariableDefinition};
use async_graphql::{Name, Positioned, Value, Variables};
use quick_cache::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::language::coerce::Declared;
use super::language::collect::{Open, Template, collect, declared};
use super::language::{Language, Places};
use super::trusted::{Manifest, Trusted};
use crate::api::graphql::edge::execution::engine::Engine;
use crate::api::graphql::edge::execution::shortcut::{Plan, Shortcut};
use crate::api::graphql::edge::protection::guard::{self, Limits, Measure, Measurer};
use crate::api::graphql::edge::protection::load::Class;
use crate::api::graphql::edge::request::params::{Hash, Source};
use crate::api::graphql::edge::response::refusal::{Cause, Refusal};
use crate::api::graphql::error::Code;
use crate::config;

/// The documents known to be good, keyed by their text and by their hash. The caches keep what is asked for often (S3-FIFO):
/// a stranger who sends many different documents once does not push out the ones in use. Trusted documents are never
/// pushed out.
pub struct Documents {
    language: Arc<Language>,
    known: Cache<Arc<str>, Arc<Document>>,
    registered: Cache<Hash, Arc<Document>>,
    trusted: Trusted<Arc<Document>>,
    trusted_only: AtomicBool,
    limits: Limits,
    cost_max: AtomicUsize,
    shared: SharedFields,
    shortcut: Option<Arc<dyn Shortcut>>,
    introspection: AtomicBool,
}

/// Subscription fields whose answers are the same for everyone.
#[derive(Debug, Clone, Copy, Default)]
pub struct SharedFields {
    /// All of them.
    pub all: &'static [&'static str],
    /// Those that are for operators.
    pub operators: &'static [&'static str],
}

/// A good document.
pub struct Document {
    /// Its text.
    pub text: Arc<str>,
    /// The purpose of the document.
    pub language: Arc<Language>,
    /// Its operations.
    pub operations: Vec<Operation>,
    /// Kept where the size of an operation depends on variables.
    parsed: Option<Parsed>,
    /// Kept where what is selected depends on variables.
    valid: Option<Valid<ExecutableDocument>>,
}

/// The analysis of one operation of a document.
pub struct Operation {
    /// Its name.
    pub name: Option<Name>,
    /// Its kind.
    pub kind: OperationType,
    /// The priority class of the operation.
    pub class: Class,
    /// Its size.
    pub measure: Measure,
    /// Whether its answers are the same for everyone.
    pub shared: bool,
    /// Whether it is shared among operators only.
    pub operators: bool,
    /// A way around the executor.
    pub plan: Option<Arc<dyn Plan>>,
    /// Its variables.
    pub declared: Vec<Declared>,
    /// The selection, unless it depends on variables.
    pub template: Option<Arc<Template>>,
}

impl Documents {
    /// Remembers as many documents as the configuration says. `shared` names the subscription fields whose answers are
    /// the same for everyone. Of `trusted`, those that do not fit the schema are left out.
    pub fn new(
        engine: &dyn Engine,
        limits: Limits,
        shared: SharedFields,
        shortcut: Option<Arc<dyn Shortcut>>,
        trusted: &Manifest,
        config: &config::Graphql,
    ) -> Self {
        let mut documents = Self {
            language: Arc::new(Language::new(&engine.sdl())),
            known: Cache::new(config.document_cache as usize),
            registered: Cache::new(config.persisted_cache as usize),
            trusted: Trusted::default(),
            trusted_only: AtomicBool::new(config.trusted_only),
            // What trusted documents may cost is looked at when they are sent: it changes.
            cost_max: AtomicUsize::new(usize::MAX),
            limits,
            shared,
            shortcut,
            introspection: AtomicBool::new(true),
        };
        for (id, text) in trusted {
            match documents.check(text) {
                Ok(document) => documents.trusted.insert(id, text, document),
                Err(refusal) => tracing::error!(id, error = refusal.message(), "skipping a trusted document"),
            }
        }
        documents.cost_max = AtomicUsize::new(documents.limits.cost);
        documents.introspection = AtomicBool::new(config.introspection);
        documents
    }

    /// Puts changed limits in force, also for documents that are remembered.
    pub fn adjust(&self, config: &config::Graphql) {
        self.trusted_only.store(config.trusted_only, Ordering::Relaxed);
        self.introspection.store(config.introspection, Ordering::Relaxed);
        self.cost_max.store(config.cost_max, Ordering::Relaxed);
    }

    /// The limits in force.
    pub(in crate::api::graphql::edge) fn limits(&self) -> Limits {
        Limits { cost: self.cost_max.load(Ordering::Relaxed), ..self.limits.clone() }
    }

    /// Whether an operation of this size may run now. A remembered one was measured under the limits of then.
    pub(in crate::api::graphql::edge) fn admit(&self, measure: &Measure) -> Result<(), Refusal> {
        if measure.introspects && !self.introspection.load(Ordering::Relaxed) {
            let message = "Introspection is disabled on this server.";
            return Err(Refusal::new(Cause::Document, Code::GraphqlValidationFailed, message));
        }
        let most = self.cost_max.load(Ordering::Relaxed);
        if measure.cost > most { Err(guard::Unfit::from(guard::Exceeded::Cost(most)).into()) } else { Ok(()) }
    }

    /// The document, if it is good and may be sent by who sends it.
    pub fn find(&self, source: &Source, may_send_any: bool) -> Result<Arc<Document>, Refusal> {
        match source {
            Source::Id(id) => self.trusted.by_id(id).cloned().ok_or_else(not_persisted),
            Source::Hash(hash) => {
                // What an operator registered is not trusted for that.
                let registered =
                    || self.registered.get(hash).filter(|_| may_send_any || !self.trusted_only.load(Ordering::Relaxed));
                self.trusted.by_hash(hash).cloned().or_else(registered).ok_or_else(not_persisted)
            }
            Source::Text(text) => self.load(text, may_send_any),
            Source::Registered(text, hash) => {
                if Hash::from(Sha256::digest(text)) != *hash {
                    let message = "`extensions.persistedQuery.sha256Hash` does not match the hash of `query`.";
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
        if self.trusted_only.load(Ordering::Relaxed) && !may_send_any {
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
        guard::scan(text, &self.limits())?;
        let parsed = Language::parse(text)?;
        let measures = self.measure(&parsed)?;
        let valid = self.language.validate(&parsed)?;
        let places = Places::new(text);
        let mut operations = Vec::with_capacity(measures.len());
        for (operation, measure) in guard::operations(&parsed).zip(measures) {
            // A valid document has the operations that were parsed, each with a name of its own.
            if let Ok(valid_operation) = valid.operations.get(operation.name.as_deref()) {
                operations.push(self.operation(&valid, valid_operation, measure, &places));
            }
        }
        let varies = operations.iter().any(|operation| operation.measure.varies);
        let is_open = operations.iter().any(|operation| operation.template.is_none());
        Ok(Arc::new(Document {
            text: text.into(),
            language: self.language.clone(),
            operations,
            parsed: varies.then_some(parsed),
            valid: is_open.then_some(valid),
        }))
    }

    /// The details of an operation's size for a response, with the configured limits.
    pub fn cost(&self, measure: &Measure) -> Value {
        let limits = self.limits();
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

    /// The sizes of the operations, if all are within the limits.
    fn measure(&self, parsed: &Parsed) -> Result<Vec<Measure>, Refusal> {
        let limits = self.limits();
        let mut measurer = Measurer::new(parsed, None, &limits);
        measurer.aliases()?;
        let mut measures = Vec::new();
        for operation in guard::operations(parsed) {
            let measure = measurer.measure(operation)?;
            if measure.introspects {
                self.admit(&Measure { cost: 0, ..measure })?;
            }
            measures.push(measure);
        }
        measurer.check_walk()?;
        Ok(measures)
    }

    fn operation(
        &self,
        document: &Valid<ExecutableDocument>,
        operation: &Node<executable::Operation>,
        measure: Measure,
        places: &Places,
    ) -> Operation {
        let kind = kind(operation.operation_type);
        let declared = declared(&self.language, operation, places);
        let template = collect(&self.language, document, operation, None, places).ok();
        let shortcut = self.shortcut.as_ref().zip(template.as_ref());
        let plan = shortcut.and_then(|(shortcut, template)| shortcut.plan(&definition(kind, &declared, template)));
        let root = operation.root_fields(document).next().filter(|_| kind == OperationType::Subscription);
        let is_one_of = |fields: &[&str]| root.is_some_and(|field| fields.contains(&&*field.name));
        Operation {
            name: operation.name.as_ref().map(Name::new),
            kind,
            class: class(kind, &measure),
            measure,
            shared: is_one_of(self.shared.all),
            operators: is_one_of(self.shared.operators),
            plan,
            declared,
            template: template.map(Arc::new),
        }
    }
}

impl Document {
    /// The operation to execute (GraphQL, section 6.1, `GetOperation`).
    pub fn find(&self, name: Option<&str>) -> Result<usize, Refusal> {
        let found = match name {
            None if self.operations.len() == 1 => Some(0),
            None => None,
            Some(name) => self.operations.iter().position(|operation| operation.name.as_deref() == Some(name)),
        };
        found.ok_or_else(|| {
            let message = match name {
                None => "The document has several operations. Select one with `operationName`.".into(),
                Some(name) => format!("The document has no operation named \"{name}\"."),
            };
            Refusal::new(Cause::Document, Code::OperationResolutionFailure, message)
        })
    }

    /// The selection of an operation with these variables.
    pub fn template(&self, operation: &Operation, variables: &Variables) -> Result<Arc<Template>, Refusal> {
        if let Some(template) = &operation.template {
            return Ok(template.clone());
        }
        let document = self.valid.as_ref();
        let found =
            document.and_then(|document| Some((document, document.operations.get(operation.name.as_deref()).ok()?)));
        let Some((document, definition)) = found else { unreachable!("kept for operations without a template") };
        let collected = collect(&self.language, document, definition, Some(variables), &Places::new(&self.text));
        collected.map(Arc::new).map_err(|open| match open {
            Open::Null(name) => {
                let message = format!("Variable \"${name}\" is used by a directive and can't be null.");
                Refusal::new(Cause::Document, Code::BadUserInput, message)
            }
            Open::Undecided => unreachable!("variables are known"),
        })
    }

    /// The size of an operation with these variables, if it is within the limits.
    pub fn measure(&self, index: usize, variables: &Variables, limits: &Limits) -> Result<Measure, Refusal> {
        let Some(parsed) = &self.parsed else { return Ok(self.operations[index].measure) };
        let mut measurer = Measurer::new(parsed, Some(variables), limits);
        let Some(operation) = guard::operations(parsed).nth(index) else { return Ok(self.operations[index].measure) };
        Ok(measurer.measure(operation)?)
    }
}

/// Clients know it by its message, and send the text along.
fn not_persisted() -> Refusal {
    Refusal::new(Cause::Document, Code::PersistedQueryNotFound, "PersistedQueryNotFound")
}

fn untrusted() -> Refusal {
    let message = "This server executes trusted documents only. Send a `documentId`.";
    Refusal::new(Cause::Forbidden, Code::Forbidden, message)
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

fn kind(kind: ast::OperationType) -> OperationType {
    match kind {
        ast::OperationType::Query => OperationType::Query,
        ast::OperationType::Mutation => OperationType::Mutation,
        ast::OperationType::Subscription => OperationType::Subscription,
    }
}

/// The operation as a shortcut looks at it, fragments expanded.
fn definition(kind: OperationType, declared: &[Declared], template: &Template) -> OperationDefinition {
    let variable = |variable: &Declared| {
        let at = variable.place;
        let definition = VariableDefinition {
            name: Positioned::new(variable.name.clone(), at),
            var_type: Positioned::new(Type::new(&variable.ty.to_string())?, at),
            directives: Vec::new(),
            default_value: variable.default.clone().map(|value| Positioned::new(value, at)),
        };
        Some(Positioned::new(definition, at))
    };
    OperationDefinition {
        ty: kind,
        variable_definitions: declared.iter().filter_map(variable).collect(),
        directives: Vec::new(),
        selection_set: template.set.clone(),
    }
}
