//! Rows of our own form: JSONL, and CSV with the same columns.

use std::sync::Arc;

use super::row::Row;
use crate::base::decode::{Reader, Table};
use crate::base::node::json_number;
use crate::base::{Diagnostic, Diagnostics, Entry, Node, Source, Span, Value, json, text};
use crate::dataset::csv_row_at;

/// The keys of a row.
const KEYS: [&str; 13] = [
    "id",
    "pass",
    "score",
    "trial",
    "segment",
    "cluster",
    "must_pass",
    "cost_usd",
    "latency_ms",
    "input_tokens",
    "output_tokens",
    "error",
    "skipped",
];

/// What was read, with keys that nobody uses.
pub(super) struct Plain {
    /// The rows.
    pub rows: Vec<Row>,
    /// Keys that are none of ours, each once.
    pub unused: Vec<String>,
}

/// Reads JSONL.
pub(super) fn jsonl(name: &str, text: &str) -> Result<Plain, Diagnostics> {
    let mut reading = Reading::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, number) in text.lines().zip(1..) {
        if line.trim().is_empty() {
            continue;
        }
        let source = Source::row(name, line, number);
        match json::parse(&source) {
            Ok(node) => reading.take(&source, &node, number),
            Err(errors) => reading.found.extend_by_row(errors),
        }
    }
    reading.finish(name)
}

/// Reads a JSON list of rows.
pub(super) fn list(source: &Arc<Source>, items: &[Node]) -> Result<Plain, Diagnostics> {
    let mut reading = Reading::default();
    for item in items {
        let (line, _) = source.position(item.span.start);
        reading.take(source, item, line);
    }
    reading.finish(&source.name)
}

/// Reads CSV with a header.
pub(super) fn csv(name: &str, text: &str) -> Result<Plain, Diagnostics> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let mut reading = Reading::default();
    let broken = |error: &csv::Error, reading: &mut Reading| {
        let source = csv_row_at(name, text, error.position());
        reading
            .found
            .push(Diagnostic::error("bad-row", error.to_string()).at(&source, Span::default()));
    };
    let header = match reader.headers() {
        Ok(header) => header.clone(),
        Err(error) => {
            broken(&error, &mut reading);
            return reading.finish(name);
        }
    };
    check_header(&header, &csv_row_at(name, text, None), &mut reading.found);
    if reading.found.has_errors() {
        return reading.finish(name);
    }
    for record in reader.records() {
        match record {
            Ok(record) => {
                let source = csv_row_at(name, text, record.position());
                let line = source.first_line;
                let whole = source.text.len();
                reading.take(&source, &row_of_cells(&header, &record, whole), line);
            }
            Err(error) => broken(&error, &mut reading),
        }
    }
    reading.finish(name)
}

/// What is wrong with the columns is said once, and not in every row.
fn check_header(header: &csv::StringRecord, source: &Arc<Source>, found: &mut Diagnostics) {
    let has = |wanted: &str| header.iter().any(|column| column == wanted);
    let is_known = |column: &str| KEYS.contains(&column) || column.starts_with("segment.");
    let mut misspelt = Vec::new();
    for column in header.iter().filter(|column| !is_known(column)) {
        let Some(near) = text::suggestion(column, KEYS) else {
            continue;
        };
        misspelt.push(near);
        let message = if has(near) {
            format!("the header has an unknown column `{column}`")
        } else {
            format!("the header has no column `{near}`, but an unknown one, `{column}`")
        };
        let start = source.text.find(column).unwrap_or(0);
        let end = start + column.len();
        let help = format!("did you mean `{near}`? rename `{column}` if not");
        let diagnostic = Diagnostic::error("unknown-key", message);
        found.push(diagnostic.at(source, Span { start, end }).help(help));
    }
    let is_there = |wanted: &&str| has(wanted) || misspelt.contains(wanted);
    let whole = Span {
        start: 0,
        end: source.text.len(),
    };
    let mut missing = |message: &str, help: &str| {
        let diagnostic = Diagnostic::error("missing-key", message);
        found.push(diagnostic.at(source, whole).help(help));
    };
    if header.is_empty() {
        return;
    }
    if !is_there(&"id") {
        missing(
            "the header has no column `id`",
            "the first line names the columns, such as id,pass",
        );
    }
    if !["pass", "score", "error", "skipped"].iter().any(is_there) {
        missing(
            "the header has no column with a result",
            "add a column `pass`, `score` or `error`",
        );
    }
}

/// A CSV record as the map that a JSONL line would be; an empty cell is absent.
fn row_of_cells(header: &csv::StringRecord, record: &csv::StringRecord, end: usize) -> Node {
    let span = Span { start: 0, end };
    let node = |value| Node { span, value };
    let entry = |key: &str, value| Entry {
        key: key.to_owned(),
        key_span: span,
        value: node(value),
    };
    let (mut entries, mut segment) = (Vec::new(), Vec::new());
    for (column, cell) in header
        .iter()
        .zip(record)
        .filter(|(_, cell)| !cell.is_empty())
    {
        if let Some(key) = column.strip_prefix("segment.") {
            segment.push(entry(key, Value::Text(cell.to_owned())));
            continue;
        }
        let value = match column {
            "pass" | "must_pass" | "skipped" => match cell.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "pass" | "passed" => Value::Bool(true),
                "false" | "0" | "no" | "fail" | "failed" => Value::Bool(false),
                _ => Value::Text(cell.to_owned()),
            },
            "score" | "trial" | "cost_usd" | "latency_ms" | "input_tokens" | "output_tokens" => {
                cell.trim()
                    .parse()
                    .map_or_else(|_| Value::Text(cell.to_owned()), Value::Number)
            }
            _ => Value::Text(cell.to_owned()),
        };
        entries.push(entry(column, value));
    }
    if !segment.is_empty() {
        entries.push(entry("segment", Value::Map(segment)));
    }
    node(Value::Map(entries))
}

#[derive(Default)]
struct Reading {
    rows: Vec<Row>,
    unused: Vec<String>,
    found: Diagnostics,
}

impl Reading {
    fn take(&mut self, source: &Arc<Source>, node: &Node, line: usize) {
        let mut found = Diagnostics::new();
        let mut reader = Reader {
            source: Arc::clone(source),
            diagnostics: &mut found,
        };
        self.rows
            .extend(read_row(&mut reader, node, line, &mut self.unused));
        self.found.extend_by_row(found);
    }

    fn finish(mut self, name: &str) -> Result<Plain, Diagnostics> {
        if self.rows.is_empty() && !self.found.has_errors() {
            let source = Source::row(name, "", 1);
            let diagnostic = Diagnostic::error("empty", "the file has no outcome")
                .at(&source, Span::default())
                .help("write one row a case, such as {\"id\": \"c1\", \"pass\": true}");
            self.found.push(diagnostic);
        }
        if self.found.has_errors() {
            return Err(self.found);
        }
        Ok(Plain {
            rows: self.rows,
            unused: self.unused,
        })
    }
}

fn read_row(
    reader: &mut Reader<'_>,
    node: &Node,
    line: usize,
    unused: &mut Vec<String>,
) -> Option<Row> {
    let mut table = Table::new(reader, node, "the row")?;
    check_keys(reader, node, unused)?;
    let id = table.require(reader, "id")?;
    let id = word(reader, id, "`id`")?;
    let mut row = Row {
        id,
        line: u32::try_from(line).unwrap_or(u32::MAX),
        ..Row::default()
    };
    if let Some(node) = table.get("pass") {
        row.pass = Some(pass(reader, node)?);
    }
    if let Some(node) = table.get("score") {
        row.score = Some(reader.number(node, "`score`", 0.0, 1.0)?);
    }
    if let Some(node) = table.get("trial") {
        row.trial = Some(reader.whole_u32(node, "`trial`", 0)?);
    }
    if let Some(node) = table.get("segment") {
        row.segment = segment(reader, node)?;
    }
    if let Some(node) = table.get("cluster") {
        row.cluster = Some(word(reader, node, "`cluster`")?);
    }
    if let Some(node) = table.get("must_pass") {
        row.must_pass = reader.boolean(node, "`must_pass`")?;
    }
    if let Some(node) = table.get("skipped") {
        row.skipped = reader.boolean(node, "`skipped`")?;
    }
    amounts(reader, &mut table, &mut row)?;
    row.error = table.get("error").and_then(error_text);
    if row.pass.is_none() && row.score.is_none() && row.is_finished() {
        let message = format!("the row of `{}` has no result", row.id);
        reader.error(
            node.span,
            "missing-key",
            message,
            "add `pass`, `score` or `error`",
        );
        return None;
    }
    Some(row)
}

fn amounts(reader: &mut Reader<'_>, table: &mut Table<'_>, row: &mut Row) -> Option<()> {
    if let Some(node) = table.get("cost_usd") {
        row.cost_usd = Some(reader.number(node, "`cost_usd`", 0.0, f64::MAX)?);
    }
    if let Some(node) = table.get("latency_ms") {
        row.latency_ms = Some(reader.number(node, "`latency_ms`", 0.0, f64::MAX)?);
    }
    if let Some(node) = table.get("input_tokens") {
        row.input_tokens = Some(reader.whole(node, "`input_tokens`", 0)?);
    }
    if let Some(node) = table.get("output_tokens") {
        row.output_tokens = Some(reader.whole(node, "`output_tokens`", 0)?);
    }
    Some(())
}

/// A text, or a number as one.
fn word(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    if let Value::Number(number) = node.value {
        return Some(json_number(number).to_string());
    }
    reader.nonempty(node, what).map(str::to_owned)
}

/// true or false, or 1 or 0.
fn pass(reader: &mut Reader<'_>, node: &Node) -> Option<bool> {
    match node.value {
        Value::Number(number) if (number * (1.0 - number)).abs() <= 0.0 => Some(number > 0.5),
        _ => reader.boolean(node, "`pass`"),
    }
}

fn segment(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<(String, String)>> {
    if let Value::Text(text) = &node.value {
        return Some(vec![("segment".to_owned(), text.clone())]);
    }
    let entries = reader.map(node, "`segment`")?;
    let mut segment = Vec::with_capacity(entries.len());
    for entry in entries {
        segment.push((entry.key.clone(), word(reader, &entry.value, "a segment")?));
    }
    Some(segment)
}

/// The words of an error; none where it is false or empty.
fn error_text(node: &Node) -> Option<String> {
    match &node.value {
        Value::Null | Value::Bool(false) => None,
        Value::Text(text) => (!text.is_empty()).then(|| text.clone()),
        Value::Bool(true) | Value::Number(_) | Value::List(_) | Value::Map(_) => {
            Some(node.to_json().to_string())
        }
    }
}

/// Other tools' columns are passed over, but not those that look like one of ours misspelt.
fn check_keys(reader: &mut Reader<'_>, node: &Node, unused: &mut Vec<String>) -> Option<()> {
    let Value::Map(entries) = &node.value else {
        return Some(());
    };
    for entry in entries {
        let key = entry.key.as_str();
        if KEYS.contains(&key) || unused.iter().any(|known| known == key) {
            continue;
        }
        if let Some(near) = text::suggestion(key, KEYS) {
            let message = format!("unknown key `{key}` in the row");
            let help = format!("did you mean `{near}`? rename it if not");
            reader.error(entry.key_span, "unknown-key", message, help);
            return None;
        }
        unused.push(key.to_owned());
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jsonl_and_csv_of_one_meaning_give_the_same_rows() {
        let lines = "{\"id\": \"a\", \"pass\": true, \"segment\": {\"tier\": \"pro\"}, \"cost_usd\": 0.5}\n{\"id\": 2, \"score\": 0.25, \"trial\": 1, \"error\": \"\"}\n{\"id\": \"c\", \"error\": \"timeout\"}\n";
        let cells = "id,pass,score,trial,segment.tier,cost_usd,error\na,true,,,pro,0.5,\n2,,0.25,1,,,\nc,,,,,,timeout\n";
        let mut first = jsonl("a.jsonl", lines).unwrap().rows;
        let mut second = csv("a.csv", cells).unwrap().rows;
        for row in first.iter_mut().chain(&mut second) {
            row.line = 0;
        }
        assert_eq!(first, second);
        assert_eq!(first[0].segment, [("tier".to_owned(), "pro".to_owned())]);
        assert!(!first[2].is_finished());
    }

    #[test]
    fn what_is_no_outcome_is_an_error_with_its_place() {
        let said = |text: &str| jsonl("a.jsonl", text).err().unwrap().to_string();
        assert!(said("{\"id\": \"a\", \"score\": 1.5}").contains("a.jsonl:1:"));
        assert!(said("{\"id\": \"a\"}").contains("no result"));
        assert!(said("{\"pass\": true}").contains("`id`"));
        assert!(said("{\"id\": \"a\", \"pass\": true, \"clsuter\": \"x\"}").contains("`cluster`"));
        assert!(said("\n\n").contains("no outcome"));
        assert!(said("{\"id\": \"a\", \"pass\": true}\nnope").contains("a.jsonl:2:"));
        let said = csv("a.csv", "id,score\na,NaN\n").err().unwrap().to_string();
        assert!(said.contains("a.csv:2:"), "{said}");
        assert!(said.contains("2 | a,NaN"), "{said}");
    }

    #[test]
    fn a_misspelt_key_is_one_error_with_its_first_line_and_the_number_of_rows() {
        let found = |row: &str| {
            let rows = (0..1_200).map(|n| row.replace('N', &n.to_string()));
            let text = rows.collect::<Vec<_>>().join("\n");
            jsonl("a.jsonl", &text).err().unwrap()
        };
        for (row, key, near) in [
            ("{\"id\": \"cN\", \"pas\": true}", "pas", "pass"),
            ("{\"idd\": \"cN\", \"pass\": true}", "idd", "id"),
        ] {
            let misspelt = found(row);
            assert_eq!(misspelt.iter().count(), 1, "{misspelt}");
            let said = misspelt.to_string();
            for part in [
                format!(
                    "unknown key `{key}` in the row, and in 1,199 further rows: 2, 3, 4, 5, 6, …"
                ),
                "a.jsonl:1:".to_owned(),
                format!("did you mean `{near}`?"),
            ] {
                assert!(said.contains(&part), "{part}: {said}");
            }
        }
        assert_eq!(found("{\"name\": \"cN\", \"pass\": 1}").iter().count(), 1);
        let one = jsonl("a.jsonl", "{\"id\": \"a\", \"pas\": 1}")
            .err()
            .unwrap();
        assert!(!one.to_string().contains("further"), "{one}");
    }

    #[test]
    fn a_misspelt_column_is_one_error_in_the_header() {
        let found = |text: &str| csv("a.csv", text).err().unwrap();
        let misspelt = found("id,passed\na,true\nb,true\n");
        assert_eq!(misspelt.iter().count(), 1);
        let said = misspelt.to_string();
        for part in [
            "no column `pass`",
            "a.csv:1:4",
            "1 | id,passed",
            "mean `pass`",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(
            found("name,result\na,true\n")
                .to_string()
                .contains("no column `id`")
        );
        assert_eq!(found("id,verdict\na,true\nb,false\n").iter().count(), 1);
    }

    #[test]
    fn columns_of_other_tools_are_passed_over_and_named() {
        let plain = jsonl("a", "{\"id\": \"a\", \"pass\": 1, \"prompt_text\": \"x\"}").unwrap();
        assert_eq!(plain.unused, ["prompt_text"]);
        assert_eq!(plain.rows[0].pass, Some(true));
    }
}
