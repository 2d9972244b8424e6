//! The form of an answer: its fields in the order in which they were asked for, `{}` where nothing was, and null instead
//! of an object that lacks a field which can't be null (GraphQL, sections 6.4.4 and 7.2.2). The executor answers fields in the
//! order in which they are ready, leaves out those that failed, and takes an object without fields for null.

use apollo_compiler::ast::Type;
use async_graphql::indexmap::IndexMap;
use async_graphql::{Name, Response, Value};

/// The key under which the executor tells the type of an object whose fields depend on it, or which has none. It is no name
/// that a document can have.
pub const MARK: &str = "\0";

/// The shape of a value.
#[derive(Debug)]
pub enum Shape {
    /// Nothing that is selected.
    Leaf,
    /// These fields.
    Object(Vec<Entry>),
    /// The fields for the type that is under [`MARK`].
    Abstract(Vec<(String, Vec<Entry>)>),
}

/// A field of an object.
#[derive(Debug)]
pub struct Entry {
    /// Its key.
    pub key: Name,
    /// Its type.
    pub ty: Type,
    /// The shape of its value.
    pub shape: Shape,
}

impl Shape {
    /// Gives the data of a response this form. What was refused before it was executed is left as it is.
    pub fn form(&self, response: &mut Response) {
        let refused = response.data == Value::Null && response.errors.iter().all(|error| error.path.is_empty());
        if refused && !response.errors.is_empty() {
            return;
        }
        if let Value::Object(object) = &mut response.data
            && !self.complete(object)
        {
            response.data = Value::Null;
        }
    }

    /// Whether the object can be answered; else null stands in its place.
    fn complete(&self, object: &mut IndexMap<Name, Value>) -> bool {
        match self {
            Self::Leaf => true,
            Self::Object(entries) => {
                if entries.is_empty() {
                    object.shift_remove(MARK);
                }
                fill(entries, object)
            }
            Self::Abstract(types) => {
                let ty = object.shift_remove(MARK);
                let entries = types.iter().find(|(name, _)| matches!(&ty, Some(Value::String(ty)) if ty == name));
                entries.is_none_or(|(_, entries)| fill(entries, object))
            }
        }
    }
}

fn fill(entries: &[Entry], object: &mut IndexMap<Name, Value>) -> bool {
    let in_order = object.len() == entries.len() && object.keys().zip(entries).all(|(key, entry)| *key == entry.key);
    if !in_order {
        let mut found = std::mem::take(object);
        let entry = |entry: &Entry| (entry.key.clone(), found.swap_remove(&entry.key).unwrap_or_default());
        *object = entries.iter().map(entry).collect();
    }
    let mut sound = true;
    for (value, entry) in object.values_mut().zip(entries) {
        sound &= settle(value, &entry.ty, &entry.shape);
    }
    sound
}

/// Whether the value may stand where this type is wanted.
fn settle(value: &mut Value, ty: &Type, shape: &Shape) -> bool {
    let sound = match value {
        Value::Object(object) => shape.complete(object),
        Value::List(items) if ty.is_list() => {
            let mut sound = true;
            for item in items {
                sound &= settle(item, ty.item_type(), shape);
            }
            sound
        }
        _ => true,
    };
    if !sound {
        *value = Value::Null;
    }
    !(ty.is_non_null() && *value == Value::Null)
}
