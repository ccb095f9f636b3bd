//! Decoding of a dataset, row by row: JSONL, CSV and YAML give the same cases. A row is checked by
//! itself here; whether its values fit the prompts is checked with the suite.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::Case;
use super::case::ExplicitDefaults;
use crate::base::decode::{Reader, Table};
use crate::base::{
    self, CaseId, Diagnostic, Diagnostics, Fields, Node, Source, Span, json, text, yaml,
};
use crate::prompt::VariableKind;

/// The longest row that is read.
pub const MAX_ROW_BYTES: usize = 8 << 20;

/// The forms of a dataset, by the file's extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetForm {
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180 with a header.
    Csv,
    /// A list of maps.
    Yaml,
}

impl DatasetForm {
    /// The form of a file by its name.
    #[must_use]
    pub fn of_path(path: &str) -> Option<Self> {
        let (_, extension) = path.rsplit_once('.')?;
        match extension.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            "csv" => Some(Self::Csv),
            "yaml" | "yml" => Some(Self::Yaml),
            _ => None,
        }
    }
}

/// Collects the cases of one dataset, whatever its form.
#[derive(Debug)]
pub struct Decoder<'a> {
    name: String,
    cases: Vec<Case>,
    lines: HashMap<CaseId, u32>,
    keys: Keys,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> Decoder<'a> {
    /// An empty dataset of this name (the path as shown).
    pub fn new(name: impl Into<String>, diagnostics: &'a mut Diagnostics) -> Self {
        let (cases, lines, keys) = (Vec::new(), HashMap::new(), HashMap::new());
        Self {
            name: name.into(),
            cases,
            lines,
            keys,
            diagnostics,
        }
    }

    /// Reads one line of a JSONL file; blank lines are no rows.
    pub fn jsonl_line(&mut self, line: &[u8], number: u32) {
        let mut found = Diagnostics::new();
        if let Some((source, node)) = jsonl_row(&self.name, line, number, &mut found) {
            self.row(&source, &node);
        }
        self.diagnostics.extend_by_row(found);
    }

    /// Reads a whole YAML file: a list of cases.
    pub fn yaml(&mut self, source: &Arc<Source>) {
        let node = match yaml::parse(source) {
            Ok(node) => node,
            Err(errors) => return self.diagnostics.extend(errors),
        };
        if node.is_null() {
            return;
        }
        let mut reader = Reader {
            source: Arc::clone(source),
            diagnostics: self.diagnostics,
        };
        let Some(items) = reader.list(&node, "the dataset") else {
            return;
        };
        for item in items {
            self.row(source, item);
        }
    }

    /// Reads a whole CSV file. Columns that are not ours are variables, read by the type that
    /// `kind_of` declares for them.
    pub fn csv(&mut self, text: &str, kind_of: impl Fn(&str) -> Option<VariableKind>) {
        let name = self.name.clone();
        super::csv::rows(&name, text, kind_of, |source, row| match row {
            Ok(node) => self.row(source, &node),
            Err(diagnostic) => self.diagnostics.extend_by_row(diagnostic.into()),
        });
    }

    /// The cases, unless there was none; whether rows were wrong, the diagnostics say.
    #[must_use]
    pub fn finish(self) -> Vec<Case> {
        if self.cases.is_empty() && !self.diagnostics.has_errors() {
            let source = Source::row(self.name, "", 1);
            let diagnostic = Diagnostic::error("empty-dataset", "the dataset has no case")
                .at(&source, Span::default())
                .help("add a row with an `id` and `vars`");
            self.diagnostics.push(diagnostic);
        }
        self.cases
    }

    fn row(&mut self, source: &Arc<Source>, node: &Node) {
        let mut found = Diagnostics::new();
        let case = decode_case(source, node, &mut self.keys, &mut found);
        self.diagnostics.extend_by_row(found);
        let Some(case) = case else {
            return;
        };
        let mut reader = Reader {
            source: Arc::clone(source),
            diagnostics: self.diagnostics,
        };
        if let Some(first) = self.lines.get(&case.id) {
            let span = node.get("id").map_or(node.span, |id| id.span);
            let message = format!(
                "case `{}` is already in line {first}",
                text::visible_line(case.id.as_str())
            );
            reader.error(
                span,
                "duplicate-case",
                message,
                "give each case an id of its own",
            );
            return;
        }
        self.lines.insert(case.id.clone(), case.line);
        self.cases.push(case);
    }
}

/// The value in a line of a JSONL file; none in a blank line, and none after an error.
pub(super) fn jsonl_row(
    name: &str,
    line: &[u8],
    number: u32,
    diagnostics: &mut Diagnostics,
) -> Option<(Arc<Source>, Node)> {
    let row = |text: &str| Source::row(name, text, usize::try_from(number).unwrap_or(1));
    let lossy = String::from_utf8_lossy(line);
    let text = lossy.trim_end_matches(['\n', '\r']);
    if matches!(lossy, Cow::Owned(_))
        && let Err(error) = std::str::from_utf8(line)
        && text.len() <= MAX_ROW_BYTES
    {
        let start = error.valid_up_to();
        let end = start + char::REPLACEMENT_CHARACTER.len_utf8();
        diagnostics.push(
            Diagnostic::error("utf-8", "the row is not UTF-8 text")
                .at(&row(text), Span { start, end })
                .help("save the file as UTF-8"),
        );
        return None;
    }
    let line = match number {
        1 => text.strip_prefix('\u{feff}').unwrap_or(text),
        _ => text,
    };
    if line.trim().is_empty() {
        return None;
    }
    let source = row(line);
    if line.len() > MAX_ROW_BYTES {
        let message = format!("the row is longer than {} MiB", MAX_ROW_BYTES >> 20);
        diagnostics.push(Diagnostic::error("too-large", message).at(&source, Span::default()));
        return None;
    }
    match json::parse(&source) {
        Ok(node) => Some((source, node)),
        Err(errors) => {
            diagnostics.extend(errors);
            None
        }
    }
}

/// Keys met so far, shared between cases.
pub type Keys = HashMap<String, Arc<str>>;

/// Reads one case.
pub fn decode_case(
    source: &Arc<Source>,
    node: &Node,
    keys: &mut Keys,
    diagnostics: &mut Diagnostics,
) -> Option<Case> {
    let reader = &mut Reader {
        source: Arc::clone(source),
        diagnostics,
    };
    let mut table = Table::new(reader, node, "the case")?;
    let id = table
        .require(reader, "id")
        .and_then(|node| reader.nonempty(node, "`id`"));
    let mut explicit = ExplicitDefaults::default();
    let vars = table.get("vars").map_or_else(
        || Some(Fields::default()),
        |node| decode_vars(reader, node, keys, &mut explicit),
    );
    let expected = table.get("expected").map(Node::to_json);
    let segment = table.get("segment").map_or_else(
        || Some(Fields::default()),
        |node| decode_segment(reader, node, keys, &mut explicit),
    );
    let tags = table.get("tags").map_or_else(
        || Some(Vec::new()),
        |node| {
            let tags = reader.texts(node, "`tags`")?;
            note_default(&mut explicit, "tags", tags.is_empty());
            Some(tags)
        },
    );
    let (must_pass, quarantined) = decode_standing(reader, &mut table, &mut explicit);
    let cluster = table
        .get("cluster")
        .and_then(|node| reader.nonempty(node, "`cluster`"));
    let scorers = table
        .get("scorers")
        .and_then(|node| reader.list(node, "`scorers`"));
    note_default(
        &mut explicit,
        "scorers",
        scorers.is_some_and(<[_]>::is_empty),
    );
    let note = table
        .get("note")
        .and_then(|node| reader.text(node, "`note`"));
    table.finish(reader);
    let (line, _) = reader.source.position(node.span.start);
    Some(Case {
        id: CaseId::new(id?),
        line: u32::try_from(line).unwrap_or(u32::MAX),
        vars: vars?,
        expected,
        segment: segment?,
        tags: tags?.into_iter().map(String::into_boxed_str).collect(),
        must_pass,
        quarantined,
        cluster: cluster.map(Into::into),
        scorers: scorers.unwrap_or_default().into(),
        note: note.map(Into::into),
        explicit_defaults: explicit,
    })
}

/// Whether the case decides alone, and whether it has no say.
fn decode_standing(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    explicit: &mut ExplicitDefaults,
) -> (bool, bool) {
    let must_pass = table.get("must_pass").and_then(|node| {
        let must_pass = reader.boolean(node, "`must_pass`")?;
        note_default(explicit, "must_pass", !must_pass);
        Some(must_pass)
    });
    let quarantined = table
        .get("flaky")
        .and_then(|node| reader.word(node, "`flaky`", &[("quarantine", true)]));
    (must_pass.unwrap_or(false), quarantined.unwrap_or(false))
}

fn decode_vars(
    reader: &mut Reader<'_>,
    node: &Node,
    keys: &mut Keys,
    explicit: &mut ExplicitDefaults,
) -> Option<Fields<Value>> {
    let entries = reader.map(node, "`vars`")?;
    note_default(explicit, "vars", entries.is_empty());
    let pairs = entries
        .iter()
        .map(|entry| (intern(keys, &entry.key), entry.value.to_json()));
    Some(Fields::new(pairs.collect()))
}

fn note_default(explicit: &mut ExplicitDefaults, key: &'static str, is_default: bool) {
    if is_default {
        explicit.insert(key);
    }
}

fn decode_segment(
    reader: &mut Reader<'_>,
    node: &Node,
    keys: &mut Keys,
    explicit: &mut ExplicitDefaults,
) -> Option<Fields<Box<str>>> {
    let entries = reader.map(node, "`segment`")?;
    note_default(explicit, "segment", entries.is_empty());
    let mut pairs = Vec::with_capacity(entries.len());
    for entry in entries {
        let value = reader.nonempty(&entry.value, &format!("segment `{}`", entry.key))?;
        pairs.push((intern(keys, &entry.key), Box::from(value)));
    }
    Some(Fields::new(pairs))
}

fn intern(keys: &mut Keys, key: &str) -> Arc<str> {
    if let Some(known) = keys.get(key) {
        return Arc::clone(known);
    }
    let shared: Arc<str> = key.into();
    keys.insert(key.to_owned(), Arc::clone(&shared));
    shared
}

/// A cell of a CSV file by the declared type of its column; `None` where it can not be read so.
pub(super) fn typed_cell(cell: &str, kind: Option<&VariableKind>) -> Option<Value> {
    match kind {
        None | Some(VariableKind::Text { .. } | VariableKind::Enum { .. }) => Some(cell.into()),
        Some(VariableKind::Integer { .. } | VariableKind::Number { .. }) => {
            let number: f64 = cell.trim().parse().ok()?;
            number.is_finite().then(|| base::node::json_number(number))
        }
        Some(VariableKind::Boolean) => match cell {
            "true" => Some(true.into()),
            "false" => Some(false.into()),
            _ => None,
        },
        Some(VariableKind::List { .. } | VariableKind::Object { .. }) => {
            serde_json::from_str(cell).ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::dataset_digest;

    fn jsonl(lines: &[&str]) -> (Vec<Case>, String) {
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("d.jsonl", &mut found);
        for (index, line) in lines.iter().enumerate() {
            decoder.jsonl_line(line.as_bytes(), u32::try_from(index + 1).unwrap());
        }
        let cases = decoder.finish();
        (cases, rules(&found))
    }

    fn rules(found: &Diagnostics) -> String {
        let shown = found
            .iter()
            .map(|d| format!("{}@{:?}", d.rule, d.location().map(|l| (l.1, l.2))));
        shown.collect::<Vec<_>>().join(" ")
    }

    const LABEL: [&str; 3] = [
        r#"{"id": "c1", "vars": {"ticket": "I was charged twice"}, "expected": "billing"}"#,
        r#"{"id": "c2", "vars": {"ticket": "The app crashes at start"}, "expected": "bug"}"#,
        r#"{"id": "c3", "vars": {"ticket": "Do you have a shop in Graz?"}, "expected": "other"}"#,
    ];

    #[test]
    fn bytes_that_are_no_text_are_found_where_they_stand() {
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("d.jsonl", &mut found);
        decoder.jsonl_line(b"{\"id\": \"c1\", \"expected\": \"\xff\"}\n", 7);
        assert!(decoder.finish().is_empty());
        assert_eq!(rules(&found), "utf-8@Some((7, 27))");
    }

    #[test]
    fn digests_the_smallest_project_to_its_published_value_in_any_order() {
        let (cases, found) = jsonl(&LABEL);
        assert_eq!(found, "");
        let published = "sha256:8be2101119521d5ca57498b137bece831a3ac11056ed46e2ead31c0bd477c916";
        assert_eq!(dataset_digest(&cases).to_string(), published);
        let mut reversed = LABEL;
        reversed.reverse();
        assert_eq!(dataset_digest(&jsonl(&reversed).0).to_string(), published);
    }

    #[test]
    fn all_three_forms_give_the_same_cases() {
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("d.csv", &mut found);
        decoder.csv("id,ticket,expected,segment.tier,tags,must_pass\nc1,\"I, too\",bug,pro,a;b,true\nc2,,other,,,false\n", |_| None);
        let from_csv = decoder.finish();
        let mut decoder = Decoder::new("d.yaml", &mut found);
        decoder.yaml(&Source::new("d.yaml", "- {id: c1, vars: {ticket: 'I, too'}, expected: bug, segment: {tier: pro}, tags: [a, b], must_pass: true}\n- {id: c2, vars: {}, expected: other, must_pass: false}\n"));
        let from_yaml = decoder.finish();
        let (from_jsonl, rules_found) = jsonl(&[
            r#"{"id":"c1","vars":{"ticket":"I, too"},"expected":"bug","segment":{"tier":"pro"},"tags":["a","b"],"must_pass":true}"#,
            r#"{"id":"c2","vars":{},"expected":"other","must_pass":false}"#,
        ]);
        assert_eq!((rules(&found).as_str(), rules_found.as_str()), ("", ""));
        let digest = dataset_digest(&from_jsonl);
        assert_eq!(dataset_digest(&from_yaml), digest);
        assert_eq!(
            from_csv.first().map(Case::to_json),
            from_jsonl.first().map(Case::to_json)
        );
    }

    #[test]
    fn quarantine_reads_the_same_in_all_forms_and_changes_the_digest() {
        let (cases, found) = jsonl(&[r#"{"id":"c1","flaky":"quarantine"}"#, r#"{"id":"c2"}"#]);
        assert_eq!(found, "");
        let quarantined: Vec<bool> = cases.iter().map(|case| case.quarantined).collect();
        assert_eq!(quarantined, [true, false]);
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("d.csv", &mut found);
        decoder.csv("id,flaky\nc1,quarantine\nc2,\n", |_| None);
        let from_csv = decoder.finish();
        assert!(from_csv[0].quarantined && !from_csv[1].quarantined);
        let mut decoder = Decoder::new("d.yaml", &mut found);
        decoder.yaml(&Source::new(
            "d.yaml",
            "- {id: c1, flaky: quarantine}\n- {id: c2}\n",
        ));
        let digest = dataset_digest(&cases);
        assert_eq!(dataset_digest(&decoder.finish()), digest);
        let (plain, _) = jsonl(&[r#"{"id":"c1"}"#, r#"{"id":"c2"}"#]);
        assert_ne!(dataset_digest(&plain), digest);
        let (_, found) = jsonl(&[r#"{"id":"c1","flaky":true}"#, r#"{"id":"c2","flaky":"no"}"#]);
        assert_eq!(found, "wrong-type@Some((1, 20)) unknown-word@Some((2, 20))");
    }

    #[test]
    fn finds_every_wrong_row() {
        let (_, found) = jsonl(&[
            r#"{"id": "a", "vars": {}, "expect": 1}"#,
            "",
            r#"{"id": 7}"#,
            r#"{"id": "b", "segment": {"tier": 3}, "must_pass": "yes"}"#,
            r#"{"id": "b", "id": "c"}"#,
            r#"{"id": "a"}"#,
            "not json",
        ]);
        assert_eq!(
            found,
            "unknown-key@Some((1, 25)) wrong-type@Some((3, 8)) wrong-type@Some((4, 33)) wrong-type@Some((4, 50)) duplicate-key@Some((5, 13)) duplicate-case@Some((6, 8)) json@Some((7, 2))"
        );
    }

    #[test]
    fn a_misspelt_key_is_found_once_however_many_rows_have_it() {
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("d.jsonl", &mut found);
        for line in 1..=300 {
            let row = format!(r#"{{"id": "c{line}", "expcted": "a"}}"#);
            decoder.jsonl_line(row.as_bytes(), line);
        }
        let _ = decoder.finish();
        assert_eq!(rules(&found), "unknown-key@Some((1, 14))");
        let said = found.to_string();
        assert!(said.contains("and in 299 further rows"), "{said}");
    }

    #[test]
    fn an_empty_dataset_is_an_error() {
        assert_eq!(jsonl(&[]).1, "empty-dataset@Some((1, 1))");
        assert_eq!(jsonl(&["", "  "]).1, "empty-dataset@Some((1, 1))");
    }

    #[test]
    fn reads_csv_cells_by_declared_type_and_names_bad_ones() {
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("d.csv", &mut found);
        let kind = |name: &str| {
            (name == "n").then_some(VariableKind::Integer {
                min: None,
                max: None,
            })
        };
        decoder.csv("id,n,m\na,3,x\nb,three,y\nc,4\nd,5,z,w\n", kind);
        let cases = decoder.finish();
        assert_eq!(
            cases.first().and_then(|c| c.vars.get("n").cloned()),
            Some(3.into())
        );
        assert_eq!(
            rules(&found),
            "csv-cell@Some((3, 1)) csv@Some((4, 1)) csv@Some((5, 1))"
        );
        for text in ["id,n\na,3\nb\n", "id,n\r\na,3\r\nb\r\n", "id,n\n\na,3\nb\n"] {
            let mut found = Diagnostics::new();
            let mut decoder = Decoder::new("d.csv", &mut found);
            decoder.csv(text, |_| None);
            let _ = decoder.finish();
            let said = found.to_string();
            let line = 3 + text.matches("\n\n").count();
            assert!(
                said.contains(&format!("\n{line} | b\n")),
                "{text:?}: {said}"
            );
        }
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("d.csv", &mut found);
        decoder.csv("id,a,a\nx,1,2\n", |_| None);
        let _ = decoder.finish();
        assert_eq!(rules(&found), "duplicate-column@Some((1, 1))");
    }
}
