//! The tests of a CSV file as promptfoo reads it: columns are variables, but for those that begin
//! with two underscores.

use std::sync::Arc;

use super::expected;
use super::files::parse_value;
use crate::base::{Entry, Node, Source, Span, Value};

/// A row as a test of a config, with the source that holds the row.
pub type Row = (Arc<Source>, Node);

/// Reads a CSV file.
///
/// # Errors
/// Where it is no CSV, in words.
pub fn rows(source: &Arc<Source>) -> Result<Vec<Row>, String> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(source.text.as_bytes());
    let mut records = reader.records();
    let header = match records.next() {
        None => return Ok(Vec::new()),
        Some(header) => header.map_err(|error| error.to_string())?,
    };
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    let mut rows = Vec::new();
    for record in records {
        let record = record.map_err(|error| error.to_string())?;
        let position = record
            .position()
            .map_or((0, 1), |at| (at.byte(), at.line()));
        let byte = usize::try_from(position.0).unwrap_or(0);
        let line = usize::try_from(position.1).unwrap_or(1);
        let shown = source.text.get(byte..).and_then(|rest| rest.lines().next());
        let row = Source::row(source.name.clone(), shown.unwrap_or_default(), line);
        if record.len() != header.len() {
            return Err(format!(
                "{}:{line}: the row has {} cells, the header {}",
                source.name,
                record.len(),
                header.len()
            ));
        }
        let node = test(&header, &record, &row);
        rows.push((row, node));
    }
    Ok(rows)
}

fn test(header: &[String], record: &csv::StringRecord, row: &Arc<Source>) -> Node {
    let (mut vars, mut metadata, mut options) = (Vec::new(), Vec::new(), Vec::new());
    let (mut asserts, mut entries, mut thresholds) = (Vec::new(), Vec::new(), Vec::new());
    let mut metric = None;
    for (name, cell) in header.iter().zip(record) {
        let span = cell_span(row, cell);
        let node = |value: Value| Node { span, value };
        let text = || node(Value::Text(cell.to_owned()));
        let filled = !cell.trim().is_empty();
        match name.strip_prefix("__") {
            None => vars.push(entry(name, text())),
            Some(own) if own.starts_with("expected") => {
                if filled {
                    asserts.push(parse_value(&expected::assertion(cell), span));
                }
            }
            Some("prefix" | "suffix") if filled => {
                options.push(entry(name.trim_start_matches('_'), text()));
            }
            Some("description") if filled => entries.push(entry("description", text())),
            Some("providerOutput") if filled => entries.push(entry("providerOutput", text())),
            Some("metric") if filled => metric = Some(text()),
            Some("threshold") => {
                if let Ok(number) = cell.trim().parse::<f64>() {
                    entries.push(entry("threshold", node(Value::Number(number))));
                }
            }
            Some(own) if filled => {
                if let Some(key) = own.strip_prefix("metadata:") {
                    metadata.push(metadata_entry(key, cell, span));
                } else if let Some(which) = own.strip_prefix("config:") {
                    thresholds.extend(configured(which, cell));
                } else {
                    // A column that promptfoo does not know is no variable either.
                    entries.push(entry(name, text()));
                }
            }
            Some(_) => {}
        }
    }
    for (index, threshold) in thresholds {
        if let Some(assertion) = asserts.get_mut(index) {
            let span = assertion.span;
            set(assertion, "threshold", Value::Number(threshold), span);
        }
    }
    if let Some(metric) = metric {
        for assertion in &mut asserts {
            set(assertion, "metric", metric.value.clone(), metric.span);
        }
    }
    let span = Span::default();
    let whole = |value: Value| Node { span, value };
    entries.push(entry("vars", whole(Value::Map(vars))));
    entries.push(entry("assert", whole(Value::List(asserts))));
    for (key, list) in [("metadata", metadata), ("options", options)] {
        if !list.is_empty() {
            entries.push(entry(key, whole(Value::Map(list))));
        }
    }
    whole(Value::Map(entries))
}

fn entry(key: &str, value: Node) -> Entry {
    Entry {
        key: key.to_owned(),
        key_span: value.span,
        value,
    }
}

/// Where a cell stands in its row, as far as it stands there unquoted.
fn cell_span(row: &Source, cell: &str) -> Span {
    let start = row.text.find(cell).filter(|_| !cell.is_empty());
    let start = start.unwrap_or(0);
    Span {
        start,
        end: start + cell.len().min(row.text.len()),
    }
}

fn set(node: &mut Node, key: &str, value: Value, span: Span) {
    if let Value::Map(entries) = &mut node.value {
        entries.retain(|entry| entry.key != key);
        entries.push(entry(key, Node { span, value }));
    }
}

/// `__metadata:key`, or a list by `__metadata:key[]`, whose commas a backslash escapes.
fn metadata_entry(key: &str, cell: &str, span: Span) -> Entry {
    let Some(key) = key.strip_suffix("[]") else {
        let value = Value::Text(cell.to_owned());
        return entry(key, Node { span, value });
    };
    let marked = cell.replace("\\,", "\u{0}");
    let items = marked.split(',').map(|item| Node {
        span,
        value: Value::Text(item.trim().replace('\u{0}', ",")),
    });
    let value = Value::List(items.collect());
    entry(key, Node { span, value })
}

/// `__config:__expected2:threshold`: which assertion, from 0, and the number.
fn configured(which: &str, cell: &str) -> Option<(usize, f64)> {
    let (column, key) = which.split_once(':')?;
    let number = column.strip_prefix("__expected")?;
    let index = match number {
        "" => 0,
        number => number.parse::<usize>().ok()?.checked_sub(1)?,
    };
    let threshold = cell.trim().parse().ok()?;
    (key == "threshold").then_some((index, threshold))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_variables_and_special_ones_are_not() {
        let text = "q,__expected,__expected2,__description,__metric,__threshold,__metadata:tags[],__config:__expected2:threshold\n\"a, b\",contains:x,levenshtein:y,first,m,0.5,\"p,q\\,r\",3\nc,,,,,,,\n";
        let rows = rows(&Source::new("t.csv", text)).unwrap();
        assert_eq!(
            rows[0].1.to_json(),
            serde_json::json!({"vars": {"q": "a, b"}, "description": "first", "threshold": 0.5,
                "metadata": {"tags": ["p", "q,r"]},
                "assert": [{"type": "contains", "value": "x", "metric": "m"},
                           {"type": "levenshtein", "value": "y", "threshold": 3, "metric": "m"}]})
        );
        assert_eq!(
            rows[1].1.to_json(),
            serde_json::json!({"vars": {"q": "c"}, "assert": []})
        );
        assert_eq!(rows[1].0.first_line, 3);
        assert!(super::rows(&Source::new("t.csv", "a,b\n1\n")).is_err());
    }
}
