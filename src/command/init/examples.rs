//! Examples of any shape as cases: which field is what is expected, and which are variables.

use serde_json::{Map, Value};

use crate::base::{Diagnostic, Source, Span};
use crate::command::CommandError;

/// A row of examples.
pub type Row = Map<String, Value>;

/// A case to write.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its id.
    pub id: String,
    /// Its variables.
    pub vars: Row,
    /// What is expected.
    pub expected: Option<Value>,
}

/// What examples call the answer that is wanted.
const EXPECTED: [&str; 9] = [
    "expected",
    "ideal",
    "label",
    "answer",
    "target",
    "output",
    "completion",
    "reference",
    "category",
];
/// What examples call their id.
const ID: [&str; 3] = ["id", "case_id", "case"];
/// Most rows that are taken.
const MOST: usize = 10_000;

/// Reads a CSV or JSONL file of examples.
///
/// # Errors
/// Where it is neither, or a row is no object.
pub fn read(source: &Source) -> Result<Vec<Row>, CommandError> {
    let is_csv = camino::Utf8Path::new(&source.name).extension() == Some("csv");
    if is_csv {
        csv_rows(source)
    } else {
        json_rows(source)
    }
}

fn broken(source: &Source, line: usize, why: &str) -> CommandError {
    let row = source
        .text
        .lines()
        .nth(line.saturating_sub(1))
        .unwrap_or_default();
    let place = Source::row(source.name.clone(), row, line);
    let found = Diagnostic::error("examples", why).at(
        &place,
        Span {
            start: 0,
            end: row.len(),
        },
    );
    CommandError::Findings(found.into())
}

fn csv_rows(source: &Source) -> Result<Vec<Row>, CommandError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::Headers)
        .from_reader(source.text.as_bytes());
    let header = reader.headers().cloned();
    let header = header.map_err(|error| broken(source, 1, &error.to_string()))?;
    let mut rows = Vec::new();
    for record in reader.records().take(MOST) {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, csv::Position::line);
            broken(
                source,
                usize::try_from(line).unwrap_or(1),
                &error.to_string(),
            )
        })?;
        let cells = header
            .iter()
            .zip(&record)
            .filter(|(_, cell)| !cell.is_empty());
        rows.push(
            cells
                .map(|(name, cell)| (name.to_owned(), cell.into()))
                .collect(),
        );
    }
    Ok(rows)
}

fn json_rows(source: &Source) -> Result<Vec<Row>, CommandError> {
    let mut rows = Vec::new();
    let lines = source.text.lines().zip(1usize..);
    for (line, number) in lines.filter(|(line, _)| !line.trim().is_empty()).take(MOST) {
        match serde_json::from_str(line) {
            Ok(Value::Object(row)) => rows.push(row),
            Ok(_) => return Err(broken(source, number, "a row of examples is a JSON object")),
            Err(error) => return Err(broken(source, number, &format!("not valid JSON: {error}"))),
        }
    }
    Ok(rows)
}

/// Whether the rows are cases of ours already, with ids and variables.
#[must_use]
pub fn are_cases(rows: &[Row]) -> bool {
    let is_case = |row: &Row| {
        row.get("id").is_some_and(Value::is_string) && row.get("vars").is_some_and(Value::is_object)
    };
    !rows.is_empty() && rows.iter().all(is_case)
}

/// The rows as cases for a prompt that uses these variables (none: it is still to be written).
#[must_use]
pub fn cases(rows: &[Row], variables: &[String]) -> Vec<Case> {
    let width = rows.len().to_string().len().max(2);
    let mut ids = std::collections::BTreeSet::new();
    let mut cases = Vec::with_capacity(rows.len());
    for (row, number) in rows.iter().zip(1usize..) {
        let mut row = row.clone();
        let given = ID.iter().find_map(|key| match row.get(*key) {
            Some(Value::String(id)) if !id.is_empty() => Some((*key, id.clone())),
            Some(Value::Number(id)) => Some((*key, id.to_string())),
            _ => None,
        });
        let fallback = format!("c{number:0width$}");
        let id = match given {
            Some((key, id)) if !variables.iter().any(|name| name == key) => {
                row.remove(key);
                id
            }
            _ => fallback.clone(),
        };
        let id = if ids.insert(id.clone()) {
            id
        } else {
            format!("{id}-{fallback}")
        };
        let expected = take_expected(&mut row, variables);
        let nested = match row.remove("vars") {
            Some(Value::Object(vars)) => Some(vars),
            _ => None,
        };
        let vars = nested.unwrap_or(row);
        cases.push(Case {
            id,
            vars: renamed(vars, variables),
            expected,
        });
    }
    cases
}

fn take_expected(row: &mut Row, variables: &[String]) -> Option<Value> {
    let key = EXPECTED
        .iter()
        .find(|key| row.contains_key(**key) && !variables.iter().any(|name| name == **key))?;
    row.remove(*key).filter(|value| !value.is_null())
}

/// The one field that is left under the name of the one variable; names as our templates take them.
fn renamed(vars: Row, variables: &[String]) -> Row {
    if let [only] = variables
        && !vars.contains_key(only)
        && vars.len() == 1
    {
        return vars
            .into_iter()
            .map(|(_, value)| (only.clone(), value))
            .collect();
    }
    let known = !variables.is_empty() && variables.iter().all(|name| vars.contains_key(name));
    vars.into_iter()
        .filter(|(name, value)| !value.is_null() && (!known || variables.contains(name)))
        .map(|(name, value)| (plain_name(&name), value))
        .collect()
}

fn plain_name(name: &str) -> String {
    let plain: String = name
        .trim()
        .chars()
        .map(|c| {
            if c.is_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    match plain.chars().next() {
        Some(c) if c.is_alphabetic() || c == '_' => plain,
        _ => format!("v_{plain}"),
    }
}

/// A scorer that fits what is expected, as it stands in a suite.
#[must_use]
pub fn scorer(cases: &[Case]) -> &'static str {
    const SHORT: usize = 5;
    let texts: Vec<&Value> = cases
        .iter()
        .filter_map(|case| case.expected.as_ref())
        .collect();
    if texts.len() < cases.len() || texts.is_empty() {
        return "{ type: not-is-refusal }";
    }
    let all = |fits: fn(&str) -> bool| texts.iter().all(|value| value.as_str().is_some_and(fits));
    if !all(|_| true) {
        return "{ type: equals, value: \"{{expected}}\" }";
    }
    if !all(|text| text.split_whitespace().count() <= SHORT) {
        return "{ type: similarity, value: \"{{expected}}\", method: token-set, threshold: 0.7 }";
    }
    if all(|text| text == text.to_lowercase()) {
        return "{ type: equals, value: \"{{expected}}\", transform: [trim, lowercase] }";
    }
    "{ type: equals, value: \"{{expected}}\", transform: [trim] }"
}

/// The value of a variable in a case that is still to be written.
pub fn placeholder(name: &str, number: usize) -> String {
    format!("{name} of example {number}{UNWRITTEN}")
}

const UNWRITTEN: &str = ": write a real one";

/// Whether a value is one that nobody has written yet.
#[must_use]
pub fn is_placeholder(name: &str, value: &Value) -> bool {
    let number = value.as_str().and_then(|text| {
        let text = text.strip_suffix(UNWRITTEN)?.strip_prefix(name)?;
        text.strip_prefix(" of example ")
    });
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The cases as JSONL.
#[must_use]
pub fn jsonl(cases: &[Case]) -> String {
    let line = |case: &Case| {
        let id = Value::from(case.id.as_str());
        let vars = Value::Object(case.vars.clone());
        let expected = match &case.expected {
            Some(expected) => format!(", \"expected\": {expected}"),
            None => String::new(),
        };
        format!("{{\"id\": {id}, \"vars\": {vars}{expected}}}\n")
    };
    cases.iter().map(line).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(value: Value) -> Vec<Row> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn finds_what_is_expected_and_what_is_a_variable() {
        let given =
            rows(json!([{"question": "2+2", "answer": "4"}, {"question": "1+1", "answer": "2"}]));
        let made = cases(&given, &["q".to_owned()]);
        assert_eq!(
            jsonl(&made),
            "{\"id\": \"c01\", \"vars\": {\"q\":\"2+2\"}, \"expected\": \"4\"}\n{\"id\": \"c02\", \"vars\": {\"q\":\"1+1\"}, \"expected\": \"2\"}\n"
        );
        assert!(scorer(&made).contains("equals"));
        let own = rows(
            json!([{"id": "a", "vars": {"x": 1}, "expected": {"n": 1}}, {"id": "a", "vars": {"x": 2}}]),
        );
        let made = cases(&own, &[]);
        assert_eq!((made[0].id.as_str(), made[1].id.as_str()), ("a", "a-c02"));
        assert_eq!(scorer(&made), "{ type: not-is-refusal }");
        // A variable of the prompt is never taken for what is expected.
        let made = cases(
            &rows(json!([{"answer": "x", "label": "y"}])),
            &["answer".to_owned()],
        );
        assert_eq!(made[0].expected, Some("y".into()));
        assert_eq!(
            cases(&rows(json!([{"My text": "x"}])), &[])[0].vars,
            rows(json!([{"My_text": "x"}]))[0]
        );
    }
}
