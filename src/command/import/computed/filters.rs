//! The engine, with the filters and tests of Nunjucks that are known to do the same here.

use minijinja::value::{Rest, Value, ValueKind};
use minijinja::{Environment, Error, Output, State, UndefinedBehavior};
use serde_json::Value as Json;

use super::value::{Fields, json_of, printed, refuse, value_of};
use super::{FUEL, MOST_CHARACTERS, TOO_LONG, bounded};

/// The text that a filter is given; nothing is an empty one.
fn given(value: &Value) -> Result<String, Error> {
    match value.as_str() {
        Some(text) => Ok(text.to_owned()),
        None if value.is_undefined() || value.is_none() => Ok(String::new()),
        None => Err(refuse("a filter of texts is given another value")),
    }
}

fn items(value: &Value) -> Result<Vec<Value>, Error> {
    match value.kind() {
        ValueKind::Seq => Ok(value.try_iter()?.collect()),
        _ => Err(refuse("a filter of lists is given another value")),
    }
}

/// The engine with all that is known to do the same as in Nunjucks.
pub fn engine(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(undefined);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(50);
    engine.set_formatter(
        |output: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value| {
            output.write_str(&printed(value)?).map_err(Error::from)
        },
    );
    add_texts(&mut engine);
    add_lists(&mut engine);
    add_numbers(&mut engine);
    engine.add_filter("default", or_default);
    engine.add_filter("d", or_default);
    engine.add_filter("safe", |value: Value| value);
    engine.add_filter("dump", dump);
    engine.add_test("defined", |value: &Value| !value.is_undefined());
    engine.add_test("undefined", |value: &Value| value.is_undefined());
    engine.add_test("string", |value: &Value| value.as_str().is_some());
    engine.add_test("number", |value: &Value| value.is_number());
    engine
}

fn or_default(value: Value, default: Value, falsy: Option<bool>) -> Value {
    let absent = value.is_undefined() || (falsy == Some(true) && !value.is_true());
    if absent { default } else { value }
}

/// `JSON.stringify`, with the keys of maps in order.
fn dump(value: &Value, indent: Option<usize>) -> Result<String, Error> {
    if value.is_undefined() {
        return Ok(String::new());
    }
    let json = json_of(value)?;
    let Some(width) = indent.filter(|width| *width > 0) else {
        return bounded(json.to_string());
    };
    let pad = " ".repeat(width.min(10));
    let formatter = serde_json::ser::PrettyFormatter::with_indent(pad.as_bytes());
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    serde::Serialize::serialize(&json, &mut serializer)
        .map_err(|error| refuse(&error.to_string()))?;
    bounded(String::from_utf8(bytes).map_err(|error| refuse(&error.to_string()))?)
}

/// A text without the white space of JavaScript at its ends.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{feff}' || (c.is_whitespace() && c != '\u{85}'))
}

fn add_texts(engine: &mut Environment<'static>) {
    engine.add_filter("upper", |value: &Value| {
        Ok::<_, Error>(given(value)?.to_uppercase())
    });
    engine.add_filter("lower", |value: &Value| {
        Ok::<_, Error>(given(value)?.to_lowercase())
    });
    engine.add_filter("trim", |value: &Value| {
        Ok::<_, Error>(trimmed(&given(value)?).to_owned())
    });
    engine.add_filter("capitalize", |value: &Value| {
        Ok::<_, Error>(capitalized(&given(value)?))
    });
    engine.add_filter("title", |value: &Value| {
        let text = given(value)?;
        let words: Vec<String> = text.split(' ').map(capitalized).collect();
        Ok::<_, Error>(words.join(" "))
    });
    engine.add_filter("nl2br", |value: &Value| {
        let text = given(value)?.replace("\r\n", "\n");
        bounded(text.replace('\n', "<br />\n"))
    });
    engine.add_filter("string", |value: &Value| printed(value));
    engine.add_filter("escape", |value: &Value| bounded(escaped(&printed(value)?)));
    engine.add_filter("e", |value: &Value| bounded(escaped(&printed(value)?)));
    engine.add_filter(
        "replace",
        |value: &Value, from: &str, to: &Value, rest: Rest<Value>| {
            if from.is_empty() || !rest.is_empty() {
                return Err(refuse("`replace` takes two texts, the first not empty"));
            }
            if to.is_undefined() || to.is_none() {
                return Err(refuse("`replace` puts in nothing"));
            }
            let (text, to) = (given(value)?, printed(to)?);
            let added = text.matches(from).count().saturating_mul(to.len());
            if text.len().saturating_add(added) > MOST_CHARACTERS {
                return Err(refuse(TOO_LONG));
            }
            Ok(text.replace(from, &to))
        },
    );
}

fn capitalized(text: &str) -> String {
    let lower = text.to_lowercase();
    let mut chars = lower.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('`', "&#96;")
        .replace('\\', "&#92;")
}

fn add_lists(engine: &mut Environment<'static>) {
    engine.add_filter("length", |value: &Value| {
        if let Some(Fields(fields)) = value.downcast_object_ref() {
            return Ok(fields.len());
        }
        match (value.as_str(), value.kind()) {
            // The units of UTF-16 are what JavaScript counts.
            (Some(text), _) => Ok(text.encode_utf16().count()),
            (None, ValueKind::Undefined | ValueKind::None) => Ok(0),
            (None, _) => Ok(items(value)?.len()),
        }
    });
    // What JavaScript calls the length of a list or text; other values have none.
    engine.add_filter("_length", |value: &Value| match value.as_str() {
        Some(text) => Ok(text.encode_utf16().count()),
        None => Ok::<_, Error>(items(value)?.len()),
    });
    engine.add_filter("join", joined);
    engine.add_filter("first", |value: &Value| {
        Ok::<_, Error>(items(value)?.into_iter().next().unwrap_or_default())
    });
    engine.add_filter("last", |value: &Value| {
        Ok::<_, Error>(items(value)?.into_iter().next_back().unwrap_or_default())
    });
    engine.add_filter("reverse", |value: &Value| match value.as_str() {
        Some(text) => Ok(Value::from(text.chars().rev().collect::<String>())),
        None => Ok::<_, Error>(items(value)?.into_iter().rev().collect()),
    });
    engine.add_function(
        "range",
        |first: i64, last: Option<i64>, step: Option<i64>| {
            let (first, last) = last.map_or((0, first), |last| (first, last));
            let step = step.unwrap_or(1);
            if step < 1 || last.saturating_sub(first) > 10_000 {
                return Err(refuse(
                    "`range` goes upwards, over ten thousand numbers at most",
                ));
            }
            let step = usize::try_from(step).unwrap_or(1);
            Ok((first..last)
                .step_by(step)
                .map(Json::from)
                .map(|number| value_of(&number))
                .collect::<Vec<_>>())
        },
    );
}

fn joined(value: &Value, between: Option<&str>, key: Option<&str>) -> Result<String, Error> {
    let mut joined = String::new();
    for (index, item) in items(value)?.into_iter().enumerate() {
        if index > 0 {
            joined.push_str(between.unwrap_or_default());
        }
        joined.push_str(&match key {
            Some(key) => printed(&item.get_attr(key)?)?,
            None => printed(&item)?,
        });
        if joined.len() > MOST_CHARACTERS {
            return Err(refuse(TOO_LONG));
        }
    }
    Ok(joined)
}

fn add_numbers(engine: &mut Environment<'static>) {
    let number = |value: &Value| {
        let float = f64::try_from(value.clone());
        float.map_err(|_| refuse("a filter of numbers is given another value"))
    };
    let made = |float: f64| value_of(&crate::base::node::json_number(float));
    engine.add_filter("abs", move |value: &Value| {
        Ok::<_, Error>(made(number(value)?.abs()))
    });
    engine.add_filter(
        "round",
        move |value: &Value, digits: Option<i32>, way: Option<&str>| {
            let scale = 10_f64.powi(digits.unwrap_or(0).clamp(0, 12));
            let scaled = number(value)? * scale;
            let rounded = match way.unwrap_or("common") {
                "ceil" => scaled.ceil(),
                "floor" => scaled.floor(),
                // `Math.round`: a half goes up.
                _ => (scaled + 0.5).floor(),
            };
            Ok::<_, Error>(made(rounded / scale))
        },
    );
}
