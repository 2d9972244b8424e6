//! The values of variables (GraphQL, section 6.1.2, `CoerceVariableValues`). One that was not sent and has no default has no
//! value, which is not the same as null.

use std::fmt;

use apollo_compiler::Schema;
use apollo_compiler::ast::Type;
use apollo_compiler::schema::{ExtendedType, InputObjectType};
use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Number, Pos, ServerError, Value, Variables};

use super::Language;
use crate::api::graphql::edge::response::refusal::{Cause, ERRORS_MAX, Refusal, error};
use crate::api::graphql::error::Code;

/// A variable of an operation.
pub struct Declared {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: Type,
    /// Its value where none is sent.
    pub default: Option<Value>,
    /// Where it is declared.
    pub place: Pos,
}

/// The variables that have a value. What was sent and is not declared is left out.
pub fn coerce(language: &Language, declared: &[Declared], mut sent: Variables) -> Result<Variables, Refusal> {
    let mut variables = Variables::default();
    let mut errors = Vec::new();
    for variable in declared {
        let mut coercion = Coercion { schema: &language.schema, variable, errors: &mut errors };
        let at = At { parent: None, step: Step::Name(&variable.name) };
        match sent.remove(&variable.name) {
            Some(value) => {
                let value = coercion.value(value, &variable.ty, &at);
                variables.insert(variable.name.clone(), value);
            }
            None => match &variable.default {
                Some(default) => {
                    variables.insert(variable.name.clone(), default.clone());
                }
                None if variable.ty.is_non_null() => coercion.needs_value(&variable.ty, &at),
                None => {}
            },
        }
    }
    if errors.is_empty() { Ok(variables) } else { Err(Refusal::of_errors(Cause::Document, errors)) }
}

/// Where in a variable's value something is.
struct At<'a> {
    parent: Option<&'a At<'a>>,
    step: Step<'a>,
}

enum Step<'a> {
    Name(&'a str),
    Index(usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.parent, &self.step) {
            (None, Step::Name(name)) => write!(f, "${name}"),
            (Some(parent), Step::Name(name)) => write!(f, "{parent}.{name}"),
            (Some(parent), Step::Index(index)) => write!(f, "{parent}[{index}]"),
            (None, Step::Index(index)) => write!(f, "[{index}]"),
        }
    }
}

struct Coercion<'a> {
    schema: &'a Schema,
    variable: &'a Declared,
    errors: &'a mut Vec<ServerError>,
}

impl Coercion<'_> {
    fn value(&mut self, value: Value, ty: &Type, at: &At) -> Value {
        match (ty, value) {
            (_, Value::Null) => {
                if ty.is_non_null() {
                    self.needs_value(ty, at);
                }
                Value::Null
            }
            (Type::List(item) | Type::NonNullList(item), Value::List(items)) => {
                let item = |(index, value)| self.value(value, item, &At { parent: Some(at), step: Step::Index(index) });
                Value::List(items.into_iter().enumerate().map(item).collect())
            }
            // A single value stands for a list of one.
            (Type::List(item) | Type::NonNullList(item), value) => Value::List(vec![self.value(value, item, at)]),
            (Type::Named(name) | Type::NonNullNamed(name), value) => self.named(value, name, at),
        }
    }

    fn named(&mut self, value: Value, name: &str, at: &At) -> Value {
        let schema = self.schema;
        match (schema.types.get(name), value) {
            (Some(ExtendedType::InputObject(ty)), Value::Object(fields)) => self.object(fields, ty, at),
            (Some(ExtendedType::InputObject(_)), _) => self.refuse(at, &format!("must be an object: {name}")),
            (Some(ExtendedType::Enum(ty)), Value::String(text)) if ty.values.contains_key(text.as_str()) => {
                Value::Enum(Name::new(text))
            }
            (Some(ExtendedType::Enum(_)), _) => self.refuse(at, &format!("must be one of the values of {name}")),
            (_, value) => match scalar(value, name) {
                Ok(value) => value,
                Err(wanted) => self.refuse(at, &format!("must be {wanted}")),
            },
        }
    }

    fn object(&mut self, mut sent: IndexMap<Name, Value>, ty: &InputObjectType, at: &At) -> Value {
        let mut object = IndexMap::with_capacity(sent.len());
        for (name, field) in &ty.fields {
            let at = At { parent: Some(at), step: Step::Name(name) };
            match sent.swap_remove(name.as_str()) {
                Some(value) => {
                    object.insert(Name::new(name), self.value(value, &field.ty, &at));
                }
                None if field.ty.is_non_null() && field.default_value.is_none() => self.needs_value(&field.ty, &at),
                // The executor knows the default.
                None => {}
            }
        }
        for name in sent.keys() {
            self.complain(format!("Variable \"{at}\" of type {} has no field \"{name}\".", ty.name));
        }
        Value::Object(object)
    }

    fn needs_value(&mut self, ty: &Type, at: &At) {
        self.complain(format!("Variable \"{at}\" of type {ty} needs a value."));
    }

    fn refuse(&mut self, at: &At, reason: &str) -> Value {
        self.complain(format!("Variable \"{at}\" {reason}."));
        Value::Null
    }

    fn complain(&mut self, message: String) {
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error(Code::BadUserInput, message, Some(self.variable.place)));
        }
    }
}

/// The value as a scalar of this name takes it, or what it should have been. Custom scalars are left to their types.
fn scalar(value: Value, name: &str) -> Result<Value, &'static str> {
    match (name, value) {
        ("Int", Value::Number(number)) => {
            let whole = number.as_i64().or_else(|| number.as_f64().and_then(whole));
            let small = whole.and_then(|whole| i32::try_from(whole).ok());
            small.map(|number| Value::Number(number.into())).ok_or("a whole number from -2147483648 to 2147483647")
        }
        ("Int", _) => Err("a whole number from -2147483648 to 2147483647"),
        ("Float", value @ Value::Number(_)) => Ok(value),
        ("Float", _) => Err("a number"),
        ("String", value @ Value::String(_)) => Ok(value),
        ("String", _) => Err("a string"),
        ("Boolean", value @ Value::Boolean(_)) => Ok(value),
        ("Boolean", _) => Err("true or false"),
        ("ID", value @ Value::String(_)) => Ok(value),
        ("ID", Value::Number(number)) => id(&number).map(Value::String).ok_or("a string or a whole number"),
        ("ID", _) => Err("a string or a whole number"),
        (_, value) => Ok(value),
    }
}

/// The number, if it is a whole one that JSON can carry exactly.
fn whole(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
    exact.then_some(number as i64)
}

fn id(number: &Number) -> Option<String> {
    if number.is_f64() {
        number.as_f64().and_then(whole).map(|whole| whole.to_string())
    } else {
        Some(number.to_string())
    }
}
