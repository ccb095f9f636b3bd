//! Values as JavaScript has them: what is true, what is printed, what is in a list.

use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::{Map, Value as Json};

use super::js_text;

/// A list, which is true even where it is empty, as in JavaScript.
#[derive(Debug)]
pub struct List(pub Vec<Json>);

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_usize()?).map(value_of)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

/// A map, which is true even where it is empty, and over which no loop goes.
#[derive(Debug)]
pub struct Fields(pub Map<String, Json>);

impl Object for Fields {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(value_of)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }
}

/// A value of a test for the engine.
pub fn value_of(json: &Json) -> Value {
    match json {
        Json::Array(items) => Value::from_object(List(items.clone())),
        Json::Object(fields) => Value::from_object(Fields(fields.clone())),
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, float) => Value::from(float.unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
    }
}

/// A value as JSON; a map of the template's own has none.
pub fn json_of(value: &Value) -> Result<Json, Error> {
    if let Some(Fields(fields)) = value.downcast_object_ref() {
        return Ok(fields.clone().into());
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Json::Null),
        ValueKind::Seq => value.try_iter()?.map(|item| json_of(&item)).collect(),
        ValueKind::Bool | ValueKind::Number | ValueKind::String => {
            serde_json::to_value(value).map_err(|error| refuse(&error.to_string()))
        }
        kind => Err(refuse(&format!("a value of kind {kind} is not printed"))),
    }
}

/// What is beyond us.
pub fn refuse(why: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.to_owned())
}

/// A value as `String()` of JavaScript has it.
pub fn printed(value: &Value) -> Result<String, Error> {
    match json_of(value)? {
        Json::Object(_) => Err(refuse("it prints a map")),
        Json::Number(number) => {
            let float = number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() < 1e15);
            Ok(float.map_or_else(|| number.to_string(), |float| format!("{float:.0}")))
        }
        Json::Array(items) => {
            let items = items.iter().map(|item| printed(&value_of(item)));
            Ok(items.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        other => Ok(js_text(&other)),
    }
}
