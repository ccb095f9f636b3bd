//! Values as JavaScript has them: what is true, what is printed, what is in a list.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use serde_json::{Map, Value as Json};

use super::{MOST_EXACT, js_text};

/// A list, which is true even where it is empty, as in JavaScript.
#[derive(Debug)]
pub struct List(pub Vec<Json>);

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let index = match key.as_str() {
            Some("length") => return Some(self.0.len().into()),
            Some(digits) => digits.parse().ok()?,
            // Below zero there is nothing in JavaScript.
            None => i64::try_from(key.clone()).ok()?.try_into().ok()?,
        };
        self.0.get::<usize>(index).map(value_of)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.0.len())
    }

    fn is_true(self: &Arc<Self>) -> bool {
        true
    }

    fn render(self: &Arc<Self>, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = printed(&Value::from_dyn_object(Arc::clone(self)));
        into.write_str(&text.map_err(|_| fmt::Error)?)
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

    fn render(self: &Arc<Self>, into: &mut fmt::Formatter<'_>) -> fmt::Result {
        into.write_str("[object Object]")
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
            (None, Some(float)) => match whole(float) {
                Some(whole) => Value::from(whole),
                None => Value::from(float),
            },
            (None, None) => Value::from(f64::NAN),
        },
        Json::String(text) => Value::from(text.as_str()),
    }
}

/// A number without a fraction, as far as all of them can be told apart.
fn whole(float: f64) -> Option<i64> {
    let text = (float.fract() == 0.0 && float.abs() < MOST_EXACT).then(|| format!("{float:.0}"))?;
    text.parse().ok()
}

/// A value as JSON; a map of the template's own has none.
pub fn json_of(value: &Value) -> Result<Json, Error> {
    if let Some(Fields(fields)) = value.downcast_object_ref() {
        return Ok(fields.clone().into());
    }
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(Json::Null),
        ValueKind::Seq => value.try_iter()?.map(|item| json_of(&item)).collect(),
        ValueKind::Number => {
            let made = serde_json::to_value(value).map_err(|error| refuse(&error.to_string()))?;
            let float = made.as_f64().ok_or_else(|| refuse("it is no number"))?;
            if (MOST_EXACT..1e21).contains(&float.abs()) {
                return Err(refuse("a number of more than 15 digits"));
            }
            Ok(whole(float).map_or(made, Json::from))
        }
        ValueKind::Bool | ValueKind::String => {
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
        Json::Array(items) => {
            let items = items.iter().map(|item| printed(&value_of(item)));
            Ok(items.collect::<Result<Vec<_>, _>>()?.join(","))
        }
        other => Ok(js_text(&other)),
    }
}
