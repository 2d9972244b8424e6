//! Variables as they come: JSON in which no object has a key twice. Which of two values counts is each reader's guess, and a
//! proxy's guess may be another one than ours.

use std::fmt;

use async_graphql::indexmap::IndexMap;
use async_graphql::indexmap::map::Entry;
use async_graphql::{Name, Number, Value, Variables};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The variables of a request.
#[derive(Debug, Default)]
pub struct Given(pub Variables);

impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Named).map(Self)
    }
}

struct Named;

impl<'de> Visitor<'de> for Named {
    type Value = Variables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Variables, A::Error> {
        let mut variables = Variables::default();
        while let Some((name, Strict(value))) = entries.next_entry::<Name, Strict>()? {
            if variables.insert(name, value).is_some() {
                return Err(A::Error::custom("a variable is given twice"));
            }
        }
        Ok(variables)
    }
}

/// A value without such objects.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything).map(Self)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Strict(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = IndexMap::new();
        while let Some(name) = entries.next_key::<Name>()? {
            match object.entry(name) {
                Entry::Vacant(place) => place.insert(entries.next_value::<Strict>()?.0),
                Entry::Occupied(place) => {
                    return Err(A::Error::custom(format_args!("duplicate key `{}`", place.key())));
                }
            };
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn given(text: &str) -> Result<Variables, serde_json::Error> {
        serde_json::from_str::<Given>(text).map(|given| given.0)
    }

    #[test]
    fn a_key_comes_once_in_each_object() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"a":{"b":1,"c":2,"b":3}}"#,
            r#"{"a":[[{"b":1,"b":null}]]}"#,
        ] {
            assert!(given(text).is_err_and(|error| error.is_data()), "{text}");
        }
        assert!(given(r#"{"a":{"a":[{"a":1},{"a":1}]},"b":{"a":1}}"#).is_ok());
        for text in ["[]", "1", "\"{}\"", "null"] {
            assert!(given(text).is_err(), "{text}");
        }
    }

    fn values() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<u64>().prop_map(serde_json::Value::from),
            any::<f64>().prop_map(serde_json::Value::from),
            ".{0,9}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map("[a-c$\"é]{0,3}", inner, 0..4)
                    .prop_map(|object| serde_json::Value::Object(object.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn other_than_that_they_are_read_as_the_executor_reads_them(value in values()) {
            let text = json!({ "x": value, "y": 1 }).to_string();
            let expected: Variables = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(given(&text).unwrap(), expected);
        }
    }
}
