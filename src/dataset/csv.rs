//! CSV as rows of located values: our columns by their meaning, the others as variables.

use std::sync::Arc;

use super::decode::typed_cell;
use crate::base::node::json_number;
use crate::base::{Diagnostic, Entry, Node, Source, Span, Value, text};
use crate::prompt::VariableKind;

/// Calls `row` for each record with the record as a map, or with what is wrong with it.
pub(super) fn rows(
    name: &str,
    text: &str,
    kind_of: impl Fn(&str) -> Option<VariableKind>,
    mut row: impl FnMut(&Arc<Source>, Result<Node, Diagnostic>),
) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let at = |position: Option<&csv::Position>| row_at(name, text, position);
    let columns = match records.next() {
        None => return,
        Some(Err(error)) => return row(&at(None), Err(broken(&at(None), &error.to_string()))),
        Some(Ok(header)) => match columns(&header, &kind_of) {
            Ok(columns) => columns,
            Err(message) => {
                let diagnostic = Diagnostic::error("duplicate-column", message);
                return row(&at(None), Err(diagnostic.at(&at(None), Span::default())));
            }
        },
    };
    for record in records {
        match record {
            Err(error) => {
                let source = at(error.position());
                row(&source, Err(broken(&source, &error.to_string())));
            }
            Ok(record) => {
                let source = at(record.position());
                if record.len() == columns.len() {
                    row(&source, node(&record, &columns, &source));
                } else {
                    let message = format!(
                        "the row has {}, the header {}",
                        text::count(record.len(), "cell"),
                        columns.len()
                    );
                    row(&source, Err(broken(&source, &message)));
                }
            }
        }
    }
}

/// The row of a CSV text that stands at a position, for a finding about it; without one the header.
pub(crate) fn row_at(name: &str, text: &str, position: Option<&csv::Position>) -> Arc<Source> {
    let number = |value: u64| usize::try_from(value).unwrap_or(0);
    let (byte, line) = position.map_or((0, 1), |at| (number(at.byte()), number(at.line())));
    let rest = text.get(byte..).unwrap_or_default();
    // The reader stops in the middle of a `\r\n`, and passes over empty lines only when it goes on.
    let row = rest.trim_start_matches(['\r', '\n']);
    let passed = rest.get(..rest.len() - row.len()).unwrap_or_default();
    let line = line + passed.matches('\n').count();
    Source::row(name, row.lines().next().unwrap_or_default(), line)
}

fn broken(source: &Arc<Source>, message: &str) -> Diagnostic {
    let message = format!("not valid CSV: {message}");
    Diagnostic::error("csv", message)
        .at(
            source,
            Span {
                start: 0,
                end: source.text.len(),
            },
        )
        .help("one row a record, cells with commas or line breaks in double quotes (RFC 4180)")
}

enum Column {
    Id,
    Expected,
    Tags,
    MustPass,
    Flaky,
    Cluster,
    Note,
    Segment(String),
    Variable(String, Option<VariableKind>),
}

fn columns(
    header: &csv::StringRecord,
    kind_of: &impl Fn(&str) -> Option<VariableKind>,
) -> Result<Vec<Column>, String> {
    let names: Vec<&str> = header.iter().collect();
    for (index, name) in names.iter().enumerate() {
        if names.iter().take(index).any(|earlier| earlier == name) {
            return Err(format!(
                "the header has the column `{}` twice",
                text::visible_line(name)
            ));
        }
    }
    let column = |name: &&str| match *name {
        "id" => Column::Id,
        "expected" => Column::Expected,
        "tags" => Column::Tags,
        "must_pass" => Column::MustPass,
        "flaky" => Column::Flaky,
        "cluster" => Column::Cluster,
        "note" => Column::Note,
        other => match other.strip_prefix("segment.") {
            Some(key) => Column::Segment(key.to_owned()),
            None => Column::Variable(other.to_owned(), kind_of(other)),
        },
    };
    Ok(names.iter().map(column).collect())
}

/// A record as the map that a JSONL row would be; an empty cell is absent.
fn node(
    record: &csv::StringRecord,
    columns: &[Column],
    source: &Source,
) -> Result<Node, Diagnostic> {
    let span = Span {
        start: 0,
        end: source.text.len(),
    };
    let part = |value: Value| Node { span, value };
    let entry = |key: &str, value: Value| Entry {
        key: key.to_owned(),
        key_span: span,
        value: part(value),
    };
    let (mut entries, mut vars, mut segment) = (Vec::new(), Vec::new(), Vec::new());
    for (cell, column) in record
        .iter()
        .zip(columns)
        .filter(|(cell, _)| !cell.is_empty())
    {
        let owned = || Value::Text(cell.to_owned());
        match column {
            Column::Id => entries.push(entry("id", owned())),
            Column::Expected => entries.push(entry("expected", owned())),
            Column::Flaky => entries.push(entry("flaky", owned())),
            Column::Cluster => entries.push(entry("cluster", owned())),
            Column::Note => entries.push(entry("note", owned())),
            Column::Segment(key) => segment.push(entry(key, owned())),
            Column::Tags => {
                let tags = cell.split(';').map(str::trim).filter(|tag| !tag.is_empty());
                let items = tags.map(|tag| part(Value::Text(tag.to_owned()))).collect();
                entries.push(entry("tags", Value::List(items)));
            }
            Column::MustPass => match cell {
                "true" => entries.push(entry("must_pass", Value::Bool(true))),
                "false" => entries.push(entry("must_pass", Value::Bool(false))),
                other => return Err(bad_cell(source, span, "must_pass", other, "true or false")),
            },
            Column::Variable(name, kind) => match typed_cell(cell, kind.as_ref()) {
                Some(value) => vars.push(entry(name, from_json(value, span).value)),
                None => {
                    let wanted = kind.as_ref().map_or("text", VariableKind::describe);
                    return Err(bad_cell(source, span, name, cell, wanted));
                }
            },
        }
    }
    entries.push(entry("vars", Value::Map(vars)));
    if !segment.is_empty() {
        entries.push(entry("segment", Value::Map(segment)));
    }
    Ok(part(Value::Map(entries)))
}

fn bad_cell(source: &Source, span: Span, column: &str, cell: &str, wanted: &str) -> Diagnostic {
    let shown = text::visible_line(&text::shorten(cell, 40));
    let place = Source::row(source.name.clone(), &source.text, source.first_line);
    Diagnostic::error(
        "csv-cell",
        format!("column `{column}` is `{shown}`, which is not {wanted}"),
    )
    .at(&place, span)
    .help(format!("write {wanted}, or leave the cell empty"))
}

fn from_json(value: serde_json::Value, span: Span) -> Node {
    let value = match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match number.as_f64() {
            Some(number) if json_number(number).is_number() => Value::Number(number),
            _ => Value::Null,
        },
        serde_json::Value::String(text) => Value::Text(text),
        serde_json::Value::Array(items) => Value::List(
            items
                .into_iter()
                .map(|item| from_json(item, span))
                .collect(),
        ),
        serde_json::Value::Object(fields) => Value::Map(
            fields
                .into_iter()
                .map(|(key, value)| Entry {
                    key,
                    key_span: span,
                    value: from_json(value, span),
                })
                .collect(),
        ),
    };
    Node { span, value }
}
