//! What an operation asks for, in the form in which the executor can't misread it (GraphQL, section 6.3.2, `CollectFields`):
//! fragments are expanded for each type, fields of the same key are one, and `@skip` and `@include` are decided.

use std::collections::HashSet;

use apollo_compiler::ast::{DirectiveList, Type, Value as Literal, VariableDefinition};
use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use apollo_compiler::{ExecutableDocument, Node, Schema};
use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    Field as ParsedField, InlineFragment, Selection as ParsedSelection, SelectionSet as ParsedSet, TypeCondition,
};
use async_graphql::{Name, Number, Positioned, Value, Variables};
use async_graphql_value::Value as InputValue;

use super::coerce::Declared;
use super::shape::{Entry, MARK, Shape};
use super::{Language, Places};

/// The selection of an operation, with variables in its arguments, and the shape of its result.
pub struct Template {
    /// The selection.
    pub set: Positioned<ParsedSet>,
    /// The form.
    pub shape: Shape,
}

/// Why it is not known what an operation selects.
#[derive(Debug, PartialEq, Eq)]
pub enum Open {
    /// Variables decide.
    Undecided,
    /// This variable decides, and is null.
    Null(String),
}

/// The selection of the operation with these variables, or with any.
pub fn collect(
    language: &Language,
    document: &ExecutableDocument,
    operation: &Node<Operation>,
    variables: Option<&Variables>,
    places: &Places,
) -> Result<Template, Open> {
    let collector = Collector { language, document, variables, places };
    let root = &operation.selection_set;
    let (set, shape) = collector.set(&root.ty, &[root])?;
    Ok(Template { set: Positioned::new(set, places.at(operation.location())), shape })
}

/// The operation's variables.
pub fn declared(schema: &Language, operation: &Operation, places: &Places) -> Vec<Declared> {
    let declare = |variable: &Node<VariableDefinition>| Declared {
        name: Name::new(&variable.name),
        ty: (*variable.ty).clone(),
        default: variable
            .default_value
            .as_ref()
            .and_then(|value| written(value, &variable.ty, &schema.schema).into_const()),
        place: places.at(variable.location()),
    };
    operation.variables.iter().map(declare).collect()
}

/// The selection with values in the place of variables. What a variable without a value stands for is left out: the argument,
/// the field of an input object, or null in a list.
pub fn filled(set: &Positioned<ParsedSet>, variables: &Variables) -> Positioned<ParsedSet> {
    let items = set.node.items.iter().map(|item| {
        let selection = match &item.node {
            ParsedSelection::Field(field) => {
                ParsedSelection::Field(field.position_node(filled_field(&field.node, variables)))
            }
            ParsedSelection::InlineFragment(inline) => {
                let fragment = InlineFragment {
                    type_condition: inline.node.type_condition.clone(),
                    directives: Vec::new(),
                    selection_set: filled(&inline.node.selection_set, variables),
                };
                ParsedSelection::InlineFragment(inline.position_node(fragment))
            }
            other @ ParsedSelection::FragmentSpread(_) => other.clone(),
        };
        item.position_node(selection)
    });
    set.position_node(ParsedSet { items: items.collect() })
}

fn filled_field(field: &ParsedField, variables: &Variables) -> ParsedField {
    let arguments = field
        .arguments
        .iter()
        .filter_map(|(name, value)| Some((name.clone(), value.position_node(filled_value(&value.node, variables)?))));
    ParsedField {
        alias: field.alias.clone(),
        name: field.name.clone(),
        arguments: arguments.collect(),
        directives: Vec::new(),
        selection_set: filled(&field.selection_set, variables),
    }
}

fn filled_value(value: &InputValue, variables: &Variables) -> Option<InputValue> {
    Some(match value {
        InputValue::Variable(name) => variables.get(name)?.clone().into_value(),
        InputValue::List(items) => {
            let item = |item| filled_value(item, variables).unwrap_or(InputValue::Null);
            InputValue::List(items.iter().map(item).collect())
        }
        InputValue::Object(fields) => {
            let field = |(name, value): (&Name, _)| Some((name.clone(), filled_value(value, variables)?));
            InputValue::Object(fields.iter().filter_map(field).collect())
        }
        other => other.clone(),
    })
}

struct Collector<'a> {
    language: &'a Language,
    document: &'a ExecutableDocument,
    variables: Option<&'a Variables>,
    places: &'a Places,
}

/// Fields by their key in the answer.
type Groups<'a> = IndexMap<&'a str, Vec<&'a Node<Field>>>;

impl<'a> Collector<'a> {
    /// The merged selection of these sets, which apply to one value of this type.
    fn set(&self, ty: &str, sets: &[&'a SelectionSet]) -> Result<(ParsedSet, Shape), Open> {
        if sets.is_empty() {
            return Ok((ParsedSet::default(), Shape::Leaf));
        }
        let has_fragments = sets.iter().any(|set| set.selections.iter().any(|item| item.as_field().is_none()));
        let Some(types) = self.language.possible(ty).filter(|_| has_fragments) else {
            let (mut items, entries) = self.object(ty, sets)?;
            if items.is_empty() {
                items.push(self.mark(sets[0]));
            }
            return Ok((ParsedSet { items }, Shape::Object(entries)));
        };
        let mut items = vec![self.mark(sets[0])];
        let mut shapes = Vec::with_capacity(types.len());
        for ty in types {
            let (fields, entries) = self.object(ty, sets)?;
            shapes.push((ty.clone(), entries));
            if let Some(place) = fields.first().map(|field| field.pos) {
                let at = |node| Positioned::new(node, place);
                let inline = InlineFragment {
                    type_condition: Some(Positioned::new(
                        TypeCondition { on: Positioned::new(Name::new(ty), place) },
                        place,
                    )),
                    directives: Vec::new(),
                    selection_set: Positioned::new(ParsedSet { items: fields }, place),
                };
                items.push(at(ParsedSelection::InlineFragment(Positioned::new(inline, place))));
            }
        }
        Ok((ParsedSet { items }, Shape::Abstract(shapes)))
    }

    /// Has the executor tell the type, and answer an object even where nothing is selected.
    fn mark(&self, set: &SelectionSet) -> Positioned<ParsedSelection> {
        let place = self.places.at(set.selections.first().and_then(|first| match first {
            Selection::Field(field) => field.location(),
            Selection::FragmentSpread(spread) => spread.location(),
            Selection::InlineFragment(inline) => inline.location(),
        }));
        let field = ParsedField {
            alias: Some(Positioned::new(Name::new(MARK), place)),
            name: Positioned::new(Name::new("__typename"), place),
            arguments: Vec::new(),
            directives: Vec::new(),
            selection_set: Positioned::default(),
        };
        Positioned::new(ParsedSelection::Field(Positioned::new(field, place)), place)
    }

    fn object(
        &self,
        ty: &str,
        sets: &[&'a SelectionSet],
    ) -> Result<(Vec<Positioned<ParsedSelection>>, Vec<Entry>), Open> {
        let (mut groups, mut seen) = (Groups::new(), HashSet::new());
        for set in sets {
            self.group(ty, set, &mut groups, &mut seen)?;
        }
        let fields = groups.into_iter().map(|(key, fields)| self.field(key, &fields));
        fields.collect::<Result<Vec<_>, Open>>().map(|fields| fields.into_iter().unzip())
    }

    fn group(
        &self,
        ty: &str,
        set: &'a SelectionSet,
        groups: &mut Groups<'a>,
        seen: &mut HashSet<&'a str>,
    ) -> Result<(), Open> {
        for selection in &set.selections {
            if !self.is_included(selection.directives())? {
                continue;
            }
            match selection {
                Selection::Field(field) => groups.entry(field.response_key()).or_default().push(field),
                Selection::InlineFragment(inline) => {
                    if inline.type_condition.as_deref().is_none_or(|condition| self.applies(condition, ty)) {
                        self.group(ty, &inline.selection_set, groups, seen)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.fragment_name)
                        && seen.insert(&fragment.name)
                        && self.applies(fragment.type_condition(), ty)
                    {
                        self.group(ty, &fragment.selection_set, groups, seen)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn field(&self, key: &str, group: &[&'a Node<Field>]) -> Result<(Positioned<ParsedSelection>, Entry), Open> {
        let field = group[0];
        let sets = group.iter().map(|field| &field.selection_set).filter(|set| !set.is_empty());
        let (set, shape) = self.set(field.ty().inner_named_type(), &sets.collect::<Vec<_>>())?;
        let place = self.places.at(field.location());
        let name = |name: &apollo_compiler::Name| Positioned::new(Name::new(name), self.places.at(name.location()));
        let argument = |argument: &Node<apollo_compiler::ast::Argument>| {
            let ty = field.definition.argument_by_name(&argument.name).map(|definition| &*definition.ty);
            let value = ty.map(|ty| written(&argument.value, ty, &self.language.schema)).unwrap_or_default();
            (name(&argument.name), Positioned::new(value, self.places.at(argument.value.location())))
        };
        let parsed = ParsedField {
            alias: field.alias.as_ref().map(name),
            name: name(&field.name),
            arguments: field.arguments.iter().map(argument).collect(),
            directives: Vec::new(),
            selection_set: Positioned::new(set, place),
        };
        let entry = Entry { key: Name::new(key), ty: field.ty().clone(), shape };
        Ok((Positioned::new(ParsedSelection::Field(Positioned::new(parsed, place)), place), entry))
    }

    fn applies(&self, condition: &str, ty: &str) -> bool {
        condition == ty || self.language.schema.is_subtype(condition, ty)
    }

    fn is_included(&self, directives: &DirectiveList) -> Result<bool, Open> {
        Ok(!self.condition(directives, "skip", false)? && self.condition(directives, "include", true)?)
    }

    fn condition(&self, directives: &DirectiveList, name: &str, otherwise: bool) -> Result<bool, Open> {
        let value = directives.get(name).and_then(|directive| directive.specified_argument_by_name("if"));
        match value.map(|value| &**value) {
            Some(Literal::Boolean(value)) => Ok(*value),
            Some(Literal::Variable(name)) => match self.variables.ok_or(Open::Undecided)?.get(name.as_str()) {
                Some(Value::Boolean(value)) => Ok(*value),
                _ => Err(Open::Null(name.to_string())),
            },
            // There is no such directive: its argument is a boolean.
            _ => Ok(otherwise),
        }
    }
}

/// A value of the document, as its type takes it: an integer where an id is wanted may be longer than any number.
fn written(value: &Literal, ty: &Type, schema: &Schema) -> InputValue {
    match value {
        Literal::Null => InputValue::Null,
        Literal::Enum(name) => InputValue::Enum(Name::new(name)),
        Literal::Variable(name) => InputValue::Variable(Name::new(name)),
        Literal::String(text) => InputValue::String(text.clone()),
        Literal::Boolean(value) => InputValue::Boolean(*value),
        Literal::Int(int) if ty.inner_named_type() == "ID" => InputValue::String(int.as_str().to_owned()),
        Literal::Int(int) => match int.as_str().parse::<i64>() {
            Ok(number) => InputValue::Number(number.into()),
            Err(_) => float(int.try_to_f64().ok()),
        },
        Literal::Float(number) => float(number.try_to_f64().ok()),
        Literal::List(items) => {
            InputValue::List(items.iter().map(|item| written(item, ty.item_type(), schema)).collect())
        }
        Literal::Object(fields) => {
            let known = schema.get_input_object(ty.inner_named_type());
            let field = |(name, value): &(apollo_compiler::Name, Node<Literal>)| {
                let ty = known.and_then(|known| known.fields.get(name)).map_or(ty, |field| &field.ty);
                (Name::new(name), written(value, ty, schema))
            };
            InputValue::Object(fields.iter().map(field).collect())
        }
    }
}

fn float(number: Option<f64>) -> InputValue {
    number.and_then(Number::from_f64).map_or(InputValue::Null, InputValue::Number)
}
