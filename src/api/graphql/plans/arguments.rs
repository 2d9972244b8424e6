//! Arguments of a planned field: values that stand in the document, or variables. Only what is plainly of the declared type is
//! understood; for all else, and for its error, there is the executor.

use async_graphql::parser::types::{Field, OperationDefinition, VariableDefinition};
use async_graphql::{Name, Positioned, Value as Constant};
use async_graphql_value::Value as Literal;
use serde_json::{Map, Value};

/// A field's arguments.
#[derive(Debug)]
pub struct Arguments(Vec<(Name, Given)>);

#[derive(Debug)]
enum Given {
    /// In the document.
    Value(Value),
    /// In the request.
    Variable(Name),
}

/// An operation's variables.
#[derive(Debug)]
pub struct Declared(Vec<Variable>);

#[derive(Debug)]
struct Variable {
    name: Name,
    is_nullable: bool,
    default: Option<Value>,
}

/// The variables of one request.
#[derive(Debug)]
pub struct Variables(Map<String, Value>);

/// The arguments of one field in one request. Every planned argument treats `null` as absent, so nulls are left out.
#[derive(Debug)]
pub struct Values(Vec<(Name, Value)>);

/// The value can't be understood here.
#[derive(Debug, PartialEq, Eq)]
pub struct Unclear;

impl Arguments {
    /// The arguments of the field, if each is one of `known` and is a value or a variable as a whole.
    pub fn of(field: &Positioned<Field>, known: &[&str]) -> Option<Self> {
        let given = |(name, value): &(Positioned<Name>, Positioned<Literal>)| {
            let given = match &value.node {
                Literal::Variable(variable) => Given::Variable(variable.clone()),
                literal => Given::Value(literal.clone().into_const()?.into_json().ok()?),
            };
            known.contains(&name.node.as_str()).then(|| (name.node.clone(), given))
        };
        field.node.arguments.iter().map(given).collect::<Option<_>>().map(Self)
    }

    /// With the values of a request.
    pub fn values(&self, variables: &Variables) -> Values {
        let value = |(name, given): &(Name, Given)| {
            let value = match given {
                Given::Value(value) => value.clone(),
                Given::Variable(variable) => variables.0.get(variable.as_str())?.clone(),
            };
            (!value.is_null()).then(|| (name.clone(), value))
        };
        Values(self.0.iter().filter_map(value).collect())
    }
}

impl Declared {
    /// Of the operation.
    pub fn of(operation: &OperationDefinition) -> Option<Self> {
        let variable = |definition: &Positioned<VariableDefinition>| {
            let VariableDefinition { name, var_type, default_value, .. } = &definition.node;
            let default = default_value.as_ref().map(|value| Constant::into_json(value.node.clone()));
            Some(Variable {
                name: name.node.clone(),
                is_nullable: var_type.node.nullable,
                default: default.transpose().ok()?,
            })
        };
        operation.variable_definitions.iter().map(variable).collect::<Option<_>>().map(Self)
    }

    /// The variables in a JSON object that has values for those that need some, and no others.
    pub fn read(&self, json: &str) -> Option<Variables> {
        let mut given: Map<String, Value> = serde_json::from_str(json).ok()?;
        if !given.keys().all(|name| self.0.iter().any(|variable| variable.name == *name)) {
            return None;
        }
        for Variable { name, is_nullable, default } in &self.0 {
            match (given.get(name.as_str()), default) {
                (Some(Value::Null), _) | (None, None) if !is_nullable => return None,
                (None, Some(default)) => drop(given.insert(name.to_string(), default.clone())),
                _ => {}
            }
        }
        Some(Variables(given))
    }
}

impl Values {
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// An `Int`.
    pub fn int(&self, name: &str) -> Result<Option<i32>, Unclear> {
        let int = |value: &Value| value.as_i64().and_then(|int| int.try_into().ok()).ok_or(Unclear);
        self.get(name).map(int).transpose()
    }

    /// A `String`, or an `ID` that was given as a string.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Unclear> {
        self.get(name).map(|value| value.as_str().ok_or(Unclear)).transpose()
    }

    /// A list of strings or of an enum's values.
    pub fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, Unclear> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let texts = value.as_array().ok_or(Unclear)?.iter().map(|text| text.as_str().ok_or(Unclear));
        texts.collect::<Result<_, _>>().map(Some)
    }
}
