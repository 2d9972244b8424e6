//! Rules that `apollo-compiler` 1.33 has not, or not to the end: variables within lists and input objects are of a type
//! that fits (5.8.5), a null default makes no variable non-null, no input object has a field twice (5.6.3), and a subscription has
//! one field in its response, however often it is selected (5.2.4.1).

use std::collections::HashSet;

use apollo_compiler::ast::{Argument, DirectiveList, InputValueDefinition, Type, Value, VariableDefinition};
use apollo_compiler::executable::{Operation, Selection, SelectionSet};
use apollo_compiler::parser::SourceSpan;
use apollo_compiler::{ExecutableDocument, Node, Schema};
use async_graphql::{Pos, ServerError};

use crate::api::graphql::edge::response::refusal::{ERRORS_MAX, error};
use crate::api::graphql::error::Code;

/// A problem of the document.
pub fn check(schema: &Schema, document: &ExecutableDocument) -> Vec<ServerError> {
    let mut errors = Vec::new();
    for operation in document.operations.iter() {
        let seen = HashSet::new();
        let mut rules = Rules { schema, document, operation, seen, errors: &mut errors };
        for variable in &operation.variables {
            if let Some(default) = &variable.default_value {
                rules.value(default, Some(&variable.ty), false);
            }
        }
        rules.directives(&operation.directives);
        rules.set(&operation.selection_set);
        if operation.is_subscription() {
            rules.single_root_field(operation.location());
        }
    }
    errors.truncate(ERRORS_MAX);
    errors
}

struct Rules<'a> {
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    operation: &'a Operation,
    /// Fragments that were looked at.
    seen: HashSet<&'a str>,
    errors: &'a mut Vec<ServerError>,
}

impl<'a> Rules<'a> {
    fn set(&mut self, set: &'a SelectionSet) {
        for selection in &set.selections {
            self.directives(selection.directives());
            match selection {
                Selection::Field(field) => {
                    self.arguments(&field.arguments, &field.definition.arguments);
                    self.set(&field.selection_set);
                }
                Selection::InlineFragment(inline) => self.set(&inline.selection_set),
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                        && self.seen.insert(&fragment.name)
                    {
                        self.directives(&fragment.directives);
                        self.set(&fragment.selection_set);
                    }
                }
            }
        }
    }

    fn single_root_field(&mut self, place: Option<SourceSpan>) {
        let keys: HashSet<_> = self.operation.root_fields(self.document).map(|field| field.response_key()).collect();
        if keys.len() > 1 {
            let name = self.operation.name.as_ref();
            let name =
                name.map_or_else(|| "Anonymous subscription".to_owned(), |name| format!("Subscription `{name}`"));
            self.complain(place, format!("{name} can only have one root field."));
        }
    }

    fn directives(&mut self, directives: &'a DirectiveList) {
        let schema = self.schema;
        for directive in &directives.0 {
            if let Some(definition) = schema.directive_definitions.get(&directive.name) {
                self.arguments(&directive.arguments, &definition.arguments);
            }
        }
    }

    fn arguments(&mut self, arguments: &[Node<Argument>], definitions: &[Node<InputValueDefinition>]) {
        for argument in arguments {
            let definition = definitions.iter().find(|definition| definition.name == argument.name);
            let has_default = definition.is_some_and(|definition| definition.default_value.is_some());
            self.value(&argument.value, definition.map(|definition| &*definition.ty), has_default);
        }
    }

    /// `ty` is `None` within a custom scalar, which takes anything.
    fn value(&mut self, value: &Node<Value>, ty: Option<&Type>, has_default: bool) {
        match &**value {
            Value::Variable(name) => {
                let operation = self.operation;
                match operation.variables.iter().find(|variable| variable.name == *name) {
                    None => self.complain(value.location(), format!("Variable `${name}` is not defined.")),
                    Some(variable) => {
                        if let Some(ty) = ty.filter(|ty| !fits(variable, ty, has_default)) {
                            let message = format!(
                                "Variable `${name}` of type `{}` can't be used where `{ty}` is expected.",
                                variable.ty
                            );
                            self.complain(value.location(), message);
                        }
                    }
                }
            }
            Value::List(items) => {
                let ty = ty.map(Type::item_type);
                for item in items {
                    self.value(item, ty, false);
                }
            }
            Value::Object(fields) => {
                let schema = self.schema;
                let known = ty.and_then(|ty| schema.get_input_object(ty.inner_named_type()));
                let mut names = HashSet::new();
                for (name, value) in fields {
                    if !names.insert(name.as_str()) {
                        let message = format!("There can be only one input field named `{name}`.");
                        self.complain(name.location(), message);
                    }
                    let field = known.and_then(|known| known.fields.get(name));
                    let has_default = field.is_some_and(|field| field.default_value.is_some());
                    self.value(value, field.map(|field| &*field.ty), has_default);
                }
            }
            _ => {}
        }
    }

    fn complain(&mut self, span: Option<SourceSpan>, message: String) {
        let place = span.and_then(|span| span.line_column(&self.document.sources));
        let place = place.map(|at| Pos { line: at.line, column: at.column });
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error(Code::GraphqlValidationFailed, message, place));
        }
    }
}

/// `IsVariableUsageAllowed`: a variable that can be null fits where null can't be if one of the two has a default.
fn fits(variable: &VariableDefinition, ty: &Type, has_default: bool) -> bool {
    let has_value = variable.default_value.as_ref().is_some_and(|default| !default.is_null());
    if ty.is_non_null() && !variable.ty.is_non_null() && (has_value || has_default) {
        variable.ty.is_assignable_to(&ty.clone().nullable())
    } else {
        variable.ty.is_assignable_to(ty)
    }
}
