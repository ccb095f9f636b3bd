//! Human labels of examples (formats.md section 9): one line an example and rater. Lines of one id
//! become one example with its ratings; what the lines say of the example has to agree.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::decode::jsonl_row;
use crate::base;
use crate::base::decode::{Reader, Table};
use crate::base::digest::{DigestBuilder, canonical_json};
use crate::base::node::json_number;
use crate::base::{CaseId, Diagnostic, Diagnostics, Digest, Node, Source, Span, text};

/// The scores that a person or a judge can give.
pub const FIVE_SCORES: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];

/// An example with what people said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// Its id.
    pub id: CaseId,
    /// The line on which it stands first.
    pub line: u32,
    /// What was labelled.
    pub subject: Subject,
    /// What was asked.
    pub question: Option<String>,
    /// What a right answer is.
    pub reference: Option<String>,
    /// What a good answer is.
    pub criteria: Option<String>,
    /// What the judge should know besides.
    pub context: Option<String>,
    /// The model that wrote the answer.
    pub author: Option<String>,
    /// What each rater said, in the file's order.
    pub ratings: Vec<Rating>,
}

/// What a label is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// One answer, which passes or not.
    Answer(String),
    /// Two answers, of which one may be better.
    Pair([String; 2]),
}

/// What one rater said.
#[derive(Debug, Clone, PartialEq)]
pub struct Rating {
    /// Who.
    pub rater: Option<String>,
    /// Whether the answer passes.
    pub pass: Option<bool>,
    /// How good it is, one of [`FIVE_SCORES`].
    pub score: Option<f64>,
    /// Of two answers, the better one.
    pub preferred: Option<Preference>,
}

/// Which of two answers is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preference {
    /// The first.
    A,
    /// The second.
    B,
    /// Neither.
    Tie,
}

impl Preference {
    /// The words in files.
    pub const WORDS: &'static [(&'static str, Self)] =
        &[("a", Self::A), ("b", Self::B), ("tie", Self::Tie)];

    /// The word in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::Tie => "tie",
        }
    }
}

/// All labels of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// The examples, in the file's order.
    pub examples: Vec<Example>,
    /// Lines with a label.
    pub rows: usize,
    /// SHA-256 over the canonical JSON of each label without `note`, sorted, a newline after each:
    /// order and formatting of the file do not change it.
    pub digest: Digest,
}

/// Collects the labels of one file.
#[derive(Debug)]
pub struct LabelDecoder<'a> {
    name: String,
    examples: Vec<Example>,
    places: HashMap<CaseId, usize>,
    rows: Vec<String>,
    diagnostics: &'a mut Diagnostics,
}

impl<'a> LabelDecoder<'a> {
    /// No label yet; `name` is the file's path as shown.
    pub fn new(name: impl Into<String>, diagnostics: &'a mut Diagnostics) -> Self {
        Self {
            name: name.into(),
            examples: Vec::new(),
            places: HashMap::new(),
            rows: Vec::new(),
            diagnostics,
        }
    }

    /// Reads one line of the file; blank lines are no labels.
    pub fn line(&mut self, line: &[u8], number: u32) {
        let Some((source, node)) = jsonl_row(&self.name, line, number, self.diagnostics) else {
            return;
        };
        let mut reader = Reader {
            source,
            diagnostics: self.diagnostics,
        };
        if let Some(label) = decode(&mut reader, &node, number) {
            self.rows.push(canonical_json(&to_json(&label)));
            add(
                &mut self.examples,
                &mut self.places,
                &mut reader,
                &node,
                label,
            );
        }
    }

    /// The labels; `None` where there is none, which is an error unless others were found.
    #[must_use]
    pub fn finish(mut self) -> Option<Labels> {
        if self.examples.is_empty() {
            if !self.diagnostics.has_errors() {
                let source = Source::row(self.name, "", 1);
                let diagnostic = Diagnostic::error("no-label", "the file has no label")
                    .at(&source, Span::default())
                    .help(
                        "add lines such as {\"id\": \"p-07\", \"answer\": \"…\", \"pass\": false}",
                    );
                self.diagnostics.push(diagnostic);
            }
            return None;
        }
        self.rows.sort_unstable();
        let mut digest = DigestBuilder::default();
        for row in &self.rows {
            digest.update(row.as_bytes());
            digest.update(b"\n");
        }
        Some(Labels {
            examples: self.examples,
            rows: self.rows.len(),
            digest: digest.finish(),
        })
    }
}

/// Reads one label as an example with one rating.
fn decode(reader: &mut Reader<'_>, node: &Node, line: u32) -> Option<Example> {
    let mut table = Table::new(reader, node, "the label")?;
    let id = table
        .require(reader, "id")
        .and_then(|node| reader.nonempty(node, "`id`"));
    let mut optional = |key: &'static str, table: &mut Table<'_>| {
        let node = table.get(key)?;
        reader.text(node, &format!("`{key}`")).map(str::to_owned)
    };
    let question = optional("question", &mut table);
    let reference = optional("reference", &mut table);
    let criteria = optional("criteria", &mut table);
    let context = optional("context", &mut table);
    let author = table
        .get("author")
        .and_then(|node| reader.nonempty(node, "`author`"));
    let rater = table
        .get("rater")
        .and_then(|node| reader.nonempty(node, "`rater`"));
    let subject = decode_subject(reader, node, &mut table);
    let pass = table
        .get("pass")
        .map(|node| (node.span, reader.boolean(node, "`pass`")));
    let score = table
        .get("score")
        .map(|node| (node.span, decode_score(reader, node)));
    let preferred = table.get("preferred").map(|node| {
        let word = reader.word(node, "`preferred`", Preference::WORDS);
        (node.span, word)
    });
    if let Some(node) = table.get("note") {
        reader.text(node, "`note`");
    }
    // A misspelt rating is an unknown key, and not a missing one besides.
    if !is_misspelt(node, &["pass", "score", "preferred"]) {
        check_rating(
            reader,
            table.span(),
            subject.as_ref(),
            (pass, score, preferred),
        );
    }
    table.finish(reader);
    Some(Example {
        id: CaseId::new(id?),
        line,
        subject: subject?,
        question,
        reference,
        criteria,
        context,
        author: author.map(str::to_owned),
        ratings: vec![Rating {
            rater: rater.map(str::to_owned),
            pass: pass.and_then(|(_, pass)| pass),
            score: score.and_then(|(_, score)| score),
            preferred: preferred.and_then(|(_, preferred)| preferred),
        }],
    })
}

/// The keys of a label.
const KEYS: [&str; 13] = [
    "id",
    "answer",
    "answers",
    "question",
    "reference",
    "criteria",
    "context",
    "author",
    "rater",
    "pass",
    "score",
    "preferred",
    "note",
];

/// Whether a key of the label is none of ours, and looks like one of these.
fn is_misspelt(node: &Node, wanted: &[&str]) -> bool {
    let base::Value::Map(entries) = &node.value else {
        return false;
    };
    let mut unknown = entries
        .iter()
        .map(|entry| entry.key.as_str())
        .filter(|key| !KEYS.contains(key));
    unknown.any(|key| text::suggestion(key, KEYS).is_some_and(|near| wanted.contains(&near)))
}

fn decode_subject(reader: &mut Reader<'_>, node: &Node, table: &mut Table<'_>) -> Option<Subject> {
    match (table.get("answer"), table.get("answers")) {
        (None, None) if is_misspelt(node, &["answer", "answers"]) => None,
        (None, None) => {
            let help = "add `answer:`, or `answers:` with two texts for a pairwise judge";
            reader.error(
                table.span(),
                "missing-key",
                "the label has no `answer`",
                help,
            );
            None
        }
        (Some(_), Some(both)) => {
            let message = "a label has `answer` or `answers`, not both";
            let help = "keep `answer` for one answer, `answers` for a pairwise judge";
            reader.error(both.span, "conflict", message, help);
            None
        }
        (Some(node), None) => {
            let answer = reader.text(node, "`answer`")?;
            Some(Subject::Answer(answer.to_owned()))
        }
        (None, Some(node)) => {
            let texts = reader.texts(node, "`answers`")?;
            let found = texts.len();
            if let Ok(pair) = <[String; 2]>::try_from(texts) {
                return Some(Subject::Pair(pair));
            }
            let message = format!("`answers` has {}", text::count(found, "text"));
            reader.error(
                node.span,
                "wrong-length",
                message,
                "write exactly two texts",
            );
            None
        }
    }
}

fn decode_score(reader: &mut Reader<'_>, node: &Node) -> Option<f64> {
    let score = reader.number(node, "`score`", 0.0, 1.0)?;
    if FIVE_SCORES.contains(&score) {
        return Some(score.abs());
    }
    let message = format!("`score` is {score}");
    let help = "write one of 0, 0.25, 0.5, 0.75, 1";
    reader.error(node.span, "out-of-range", message, help);
    None
}

type Given<T> = Option<(Span, Option<T>)>;

/// A label of one answer has `pass` or `score`, one of two has `preferred`.
fn check_rating(
    reader: &mut Reader<'_>,
    whole: Span,
    subject: Option<&Subject>,
    (pass, score, preferred): (Given<bool>, Given<f64>, Given<Preference>),
) {
    match subject {
        None => {}
        Some(Subject::Answer(_)) => {
            if pass.is_none() && score.is_none() {
                let message = "the label has neither `pass` nor `score`";
                let help = "add `pass: true|false`, or `score` with one of 0, 0.25, 0.5, 0.75, 1";
                reader.error(whole, "missing-key", message, help);
            }
            if let Some((span, _)) = preferred {
                let message = "`preferred` belongs to a label of two answers";
                reader.error(
                    span,
                    "conflict",
                    message,
                    "write `answers: [a, b]`, or `pass`",
                );
            }
        }
        Some(Subject::Pair(_)) => {
            if preferred.is_none() {
                let message = "the label of two answers has no `preferred`";
                reader.error(
                    whole,
                    "missing-key",
                    message,
                    "add `preferred: a`, `b` or `tie`",
                );
            }
            let spans = [pass.map(|(span, _)| span), score.map(|(span, _)| span)];
            for span in spans.into_iter().flatten() {
                let message = "`pass` and `score` belong to a label of one answer";
                reader.error(span, "conflict", message, "say `preferred` instead");
            }
        }
    }
}

/// Adds a label to its example, which has to be the same in all its lines.
fn add(
    examples: &mut Vec<Example>,
    places: &mut HashMap<CaseId, usize>,
    reader: &mut Reader<'_>,
    node: &Node,
    label: Example,
) {
    let known = places
        .get(&label.id)
        .and_then(|place| examples.get_mut(*place));
    let Some(example) = known else {
        places.insert(label.id.clone(), examples.len());
        examples.push(label);
        return;
    };
    let id = text::visible_line(label.id.as_str());
    let first = example.line;
    if let Some(key) = first_difference(example, &label) {
        let span = node.get(key).map_or(node.span, |node| node.span);
        let message = format!("`{id}` has another `{key}` in line {first}");
        let help =
            "give another example an id of its own; raters repeat the id with the same texts";
        reader.error(span, "conflict", message, help);
        return;
    }
    for rating in label.ratings {
        let again = rating.rater.is_some()
            && example
                .ratings
                .iter()
                .any(|other| other.rater == rating.rater);
        if again {
            let rater = text::visible_line(rating.rater.as_deref().unwrap_or_default());
            let span = node.get("rater").map_or(node.span, |node| node.span);
            let message = format!("`{rater}` has labelled `{id}` already");
            reader.error(span, "duplicate", message, "keep one label of each rater");
        } else {
            example.ratings.push(rating);
        }
    }
}

fn first_difference(first: &Example, second: &Example) -> Option<&'static str> {
    let subject = match second.subject {
        Subject::Answer(_) => "answer",
        Subject::Pair(_) => "answers",
    };
    let differs = [
        (subject, first.subject != second.subject),
        ("question", first.question != second.question),
        ("reference", first.reference != second.reference),
        ("criteria", first.criteria != second.criteria),
        ("context", first.context != second.context),
        ("author", first.author != second.author),
    ];
    differs
        .into_iter()
        .find_map(|(key, differs)| differs.then_some(key))
}

/// A label as canonical JSON holds it: without `note` and absent keys.
fn to_json(label: &Example) -> Value {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| {
        if !value.is_null() {
            fields.insert(key.to_owned(), value);
        }
    };
    put("id", json!(label.id));
    match &label.subject {
        Subject::Answer(answer) => put("answer", json!(answer)),
        Subject::Pair(pair) => put("answers", json!(pair)),
    }
    put("question", json!(label.question));
    put("reference", json!(label.reference));
    put("criteria", json!(label.criteria));
    put("context", json!(label.context));
    put("author", json!(label.author));
    for rating in &label.ratings {
        put("rater", json!(rating.rater));
        put("pass", json!(rating.pass));
        put("score", rating.score.map_or(Value::Null, json_number));
        let preferred = rating.preferred.map(Preference::as_str);
        put("preferred", json!(preferred));
    }
    fields.into()
}

impl Example {
    /// A place in the file, for a finding about the example.
    #[must_use]
    pub fn place(&self, name: &str) -> Arc<Source> {
        Source::row(name, "", usize::try_from(self.line).unwrap_or(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(lines: &[&str]) -> (Option<Labels>, Vec<String>) {
        let mut found = Diagnostics::new();
        let mut decoder = LabelDecoder::new("l.jsonl", &mut found);
        for (number, line) in (1..).zip(lines) {
            decoder.line(line.as_bytes(), number);
        }
        let labels = decoder.finish();
        let said = found.iter().map(Diagnostic::render);
        (labels, said.collect())
    }

    #[test]
    fn raters_of_an_example_come_together() {
        let (labels, said) = labels(&[
            r#"{"id": "p", "answer": "x", "pass": true, "rater": "ann"}"#,
            "",
            r#"{"id": "q", "answer": "y", "score": 0.25, "note": "hm"}"#,
            r#"{"id": "p", "answer": "x", "pass": false, "score": 0.5, "rater": "bob"}"#,
        ]);
        assert_eq!(said, Vec::<String>::new());
        let labels = labels.unwrap();
        assert_eq!((labels.rows, labels.examples.len()), (3, 2));
        let passes: Vec<_> = labels.examples[0].ratings.iter().map(|r| r.pass).collect();
        assert_eq!(passes, [Some(true), Some(false)]);
        assert_eq!(labels.examples[1].ratings[0].score, Some(0.25));
    }

    #[test]
    fn order_formatting_and_notes_do_not_change_the_digest() {
        let digest = |lines: &[&str]| labels(lines).0.unwrap().digest;
        let one = digest(&[
            r#"{"id": "p", "answer": "x", "pass": true}"#,
            r#"{"id": "q", "answer": "y", "score": 1}"#,
        ]);
        let other = digest(&[
            r#"{"score":1.0,"answer":"y","id":"q"}"#,
            r#"{"id": "p", "answer": "x", "pass": true, "note": "n", "rater": null}"#,
        ]);
        assert_eq!(one, other);
        assert_ne!(
            one,
            digest(&[r#"{"id": "p", "answer": "x", "pass": false}"#])
        );
    }

    #[test]
    fn every_wrong_line_is_named_with_its_place() {
        let (labels, said) = labels(&[
            r#"{"id": "a", "answer": "x"}"#,
            r#"{"id": "b", "pass": true}"#,
            r#"{"id": "c", "answer": "x", "pass": "yes"}"#,
            r#"{"id": "d", "answer": "x", "score": 0.3}"#,
            r#"{"id": "e", "answer": "x", "verdict": true, "pass": true}"#,
            r#"{"id": "f", "answers": ["x"], "preferred": "a"}"#,
            r#"{"id": "g", "answers": ["x", "y"], "pass": true}"#,
            r#"{"id": "h", "answer": "x", "answers": ["x", "y"], "preferred": "a"}"#,
            r#"{"id": "i", "answer": "x", "pass": true, "preferred": "a"}"#,
            r#"{"id": "j", "answer": "x", "pass": true"#,
            r#"{"id": "", "answer": "x", "pass": true}"#,
            r#"{"id": "k", "answer": "x", "pass": true, "rater": "ann"}"#,
            r#"{"id": "k", "answer": "x", "pass": true, "rater": "ann"}"#,
            r#"{"id": "k", "answer": "z", "pass": true, "rater": "bob"}"#,
        ]);
        assert!(labels.is_some());
        let expected = [
            ("l.jsonl:1:1", "neither `pass` nor `score`"),
            ("l.jsonl:2:1", "no `answer`"),
            ("l.jsonl:3:36", "`pass` must be true or false"),
            ("l.jsonl:4:37", "`score` is 0.3"),
            ("l.jsonl:5:28", "unknown key `verdict`"),
            ("l.jsonl:6:24", "`answers` has 1 text"),
            ("l.jsonl:7:1", "no `preferred`"),
            ("l.jsonl:7:44", "belong to a label of one answer"),
            ("l.jsonl:8:39", "not both"),
            ("l.jsonl:9:55", "belongs to a label of two answers"),
            ("l.jsonl:10:", "not valid JSON"),
            ("l.jsonl:11:8", "`id` may not be empty"),
            ("l.jsonl:13:", "has labelled `k` already"),
            ("l.jsonl:14:23", "another `answer` in line 12"),
        ];
        assert_eq!(said.len(), expected.len(), "{said:#?}");
        for (said, (place, what)) in said.iter().zip(expected) {
            assert!(
                said.contains(place) && said.contains(what),
                "{place} {what}:\n{said}"
            );
        }
    }

    #[test]
    fn a_misspelt_key_is_one_error_a_line() {
        let (_, said) = labels(&[
            r#"{"id": "a", "answer": "x", "passed": true}"#,
            r#"{"id": "b", "answr": "x", "pass": true}"#,
        ]);
        assert_eq!(said.len(), 2, "{said:#?}");
        assert!(said[0].contains("did you mean `pass`?"), "{}", said[0]);
        assert!(said[1].contains("did you mean `answer`?"), "{}", said[1]);
    }

    #[test]
    fn a_file_without_a_label_is_an_error() {
        let (labels, said) = labels(&["", "  "]);
        assert_eq!(labels, None);
        assert!(said.concat().contains("no label"), "{said:?}");
    }
}
