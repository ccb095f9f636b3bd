//! The record of a calibration (`gate/calibration@1`): what a judge said of examples that people had
//! labelled. It holds each pair of verdicts, so that whoever reads it computes the figures anew and
//! believes none that stands beside them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::decode::{Reader, Table};
use crate::base::{Diagnostics, Digest, Node, Source, Timestamp, json};
use crate::dataset::label::Preference;
use crate::score::judge::Position;

/// The form that this program writes and reads.
pub const SCHEMA: &str = "gate/calibration@1";

/// What a judge said of labelled examples.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationRecord {
    /// [`SCHEMA`].
    pub schema: String,
    /// The version of the program that wrote it.
    pub tool: String,
    /// When the judge was asked.
    pub date: Timestamp,
    /// The judge.
    pub judge: JudgeIdentity,
    /// The model that judged.
    pub model: ModelIdentity,
    /// The labels.
    pub labels: LabelSet,
    /// The least score that passes; without it the judge's `pass` decides.
    pub threshold: Option<f64>,
    /// How often the judge was asked about each example; the items are of the first time.
    pub repeat: u32,
    /// Examples without a verdict.
    pub errored: u64,
    /// What a good answer is by the labels, where the judge takes criteria.
    pub criteria: Vec<CriteriaCount>,
    /// What was computed from the items, for people.
    pub figures: Value,
    /// The examples with a verdict; one a line in the file, so that differences can be read.
    #[serde(skip)]
    pub items: Vec<CalibrationItem>,
}

/// The judge of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JudgeIdentity {
    /// Its slug.
    pub prompt: String,
    /// Its version.
    pub version: u32,
    /// Its content hash.
    pub hash: Digest,
}

/// The model of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelIdentity {
    /// The protocol.
    pub provider: String,
    /// Its id, or its name in the suite where it has none.
    pub model: String,
    /// The models that answered, by their own word.
    pub served: Vec<String>,
    /// The digest of everything in the suite's entry that can change what it says.
    pub digest: Digest,
}

/// The labels of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LabelSet {
    /// The digest of the labels.
    pub digest: Digest,
    /// Lines with a label.
    pub rows: u64,
    /// Examples.
    pub examples: u64,
    /// Raters, those without a name left out.
    pub raters: u64,
}

/// Criteria that labels carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CriteriaCount {
    /// The criteria.
    pub text: String,
    /// Examples with them that have a verdict.
    pub examples: u64,
}

/// An example with both verdicts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationItem {
    /// The example's id.
    pub id: String,
    /// The digest of the answer's text; of two answers, of both as a JSON list.
    pub answer: Digest,
    /// Which of the criteria.
    pub criteria: Option<u32>,
    /// What people said.
    pub human: HumanVerdict,
    /// What the judge said the first time.
    pub judge: JudgeVerdict,
}

/// What people said of an example: the majority's `pass` or `preferred`, the mean `score`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HumanVerdict {
    /// Whether it passes; `None` where nobody said, or as many say yes as no.
    pub pass: Option<bool>,
    /// How good it is; `None` where nobody said.
    pub score: Option<f64>,
    /// Of two answers, the better one; `None` where nobody said, or no more than half agree.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<Preference>,
}

/// What a judge said of an example. Of two answers `pass` and `score` are the second one's, as a
/// candidate would get them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JudgeVerdict {
    /// Whether it passes by the judge's own word.
    pub pass: bool,
    /// How good it is.
    pub score: f64,
    /// Of two answers, the one that is better in both orders, else a tie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<Preference>,
    /// Of two answers, the place that was chosen; `None` where the judge was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// What is known of how well a scorer's judge agrees with people, as a run's header holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JudgeCalibration {
    /// The scorer.
    pub scorer: String,
    /// The judge's version, such as `judges/polite@v2`.
    pub judge: String,
    /// The model that judges, by its id.
    pub model: String,
    /// Whether the scorer decides if a trial passes.
    pub gating: bool,
    /// The scorer's threshold.
    #[serde(default)]
    pub threshold: Option<f64>,
    /// Where the record is, or would be.
    pub path: String,
    /// The digest of the record's file; none where it can not be used.
    #[serde(default)]
    pub digest: Option<Digest>,
    /// When the judge was asked.
    #[serde(default)]
    pub date: Option<Timestamp>,
    /// The models that answered then, by their own word.
    #[serde(default)]
    pub served: Vec<String>,
    /// Why there is no record that could be used.
    #[serde(default)]
    pub fault: Option<String>,
    /// How many of the criteria that the run's cases need have no label.
    #[serde(default)]
    pub uncovered: u64,
    /// The command that would mend it.
    pub command: String,
    /// The examples that count for this scorer.
    #[serde(default)]
    pub items: Vec<CalibrationItem>,
}

impl CalibrationRecord {
    /// The record as its file holds it.
    #[must_use]
    pub fn to_text(&self) -> String {
        let head = serde_json::to_string_pretty(self).unwrap_or_default();
        let head = head.trim_end_matches('}').trim_end();
        let items = self
            .items
            .iter()
            .filter_map(|item| serde_json::to_string(item).ok());
        let items: Vec<String> = items.map(|item| format!("    {item}")).collect();
        format!("{head},\n  \"items\": [\n{}\n  ]\n}}\n", items.join(",\n"))
    }

    /// Reads a record; what is wrong goes to `diagnostics`.
    pub fn decode(source: &Arc<Source>, diagnostics: &mut Diagnostics) -> Option<Self> {
        let node = match json::parse(source) {
            Ok(node) => node,
            Err(errors) => {
                diagnostics.extend(errors);
                return None;
            }
        };
        let mut found = Diagnostics::new();
        let mut reader = Reader {
            source: Arc::clone(source),
            diagnostics: &mut found,
        };
        let record = decode_record(&mut reader, &node);
        let usable = !found.has_errors();
        diagnostics.extend(found);
        record.filter(|_| usable)
    }
}

fn decode_record(reader: &mut Reader<'_>, node: &Node) -> Option<CalibrationRecord> {
    let mut table = Table::new(reader, node, "the calibration record")?;
    let schema = table.require(reader, "schema")?;
    let found = reader.text(schema, "`schema`")?;
    if found != SCHEMA {
        let message = format!("this file has format `{found}`, this program reads `{SCHEMA}`");
        let help = "calibrate the judge again with this version of gate";
        reader.error(schema.span, "format", message, help);
        return None;
    }
    let tool = required(reader, &mut table, "tool", |r, n| text(r, n, "`tool`"));
    let date = required(reader, &mut table, "date", |r, n| parsed(r, n, "`date`"));
    let judge = required(reader, &mut table, "judge", decode_judge);
    let model = required(reader, &mut table, "model", decode_model);
    let labels = required(reader, &mut table, "labels", decode_labels);
    let threshold = table
        .get("threshold")
        .and_then(|node| reader.number(node, "`threshold`", 0.0, 1.0));
    let repeat = required(reader, &mut table, "repeat", |r, n| {
        r.whole_u32(n, "`repeat`", 1)
    });
    let errored = required(reader, &mut table, "errored", |r, n| {
        r.whole(n, "`errored`", 0)
    });
    let criteria = required(reader, &mut table, "criteria", |r, n| {
        list(r, n, "`criteria`", decode_criteria)
    });
    let figures = table.get("figures").map(Node::to_json);
    let items = required(reader, &mut table, "items", |r, n| {
        list(r, n, "`items`", decode_item)
    });
    table.finish(reader);
    Some(CalibrationRecord {
        schema: SCHEMA.to_owned(),
        tool: tool?,
        date: date?,
        judge: judge?,
        model: model?,
        labels: labels?,
        threshold,
        repeat: repeat?,
        errored: errored?,
        criteria: criteria?,
        figures: figures.unwrap_or_default(),
        items: items?,
    })
}

fn required<T>(
    reader: &mut Reader<'_>,
    table: &mut Table<'_>,
    key: &'static str,
    read: impl FnOnce(&mut Reader<'_>, &Node) -> Option<T>,
) -> Option<T> {
    let node = table.require(reader, key)?;
    read(reader, node)
}

fn text(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<String> {
    reader.text(node, what).map(str::to_owned)
}

/// A text of a fixed form, such as a time or a digest.
fn parsed<T>(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<T>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
{
    let written = reader.text(node, what)?;
    match written.parse() {
        Ok(value) => Some(value),
        Err(error) => {
            let help = "records are written by `gate calibrate`, not by hand";
            reader.error(node.span, "wrong-type", format!("{what}: {error}"), help);
            None
        }
    }
}

fn list<T>(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    read: impl Fn(&mut Reader<'_>, &Node) -> Option<T>,
) -> Option<Vec<T>> {
    let nodes = reader.list(node, what)?;
    let values: Vec<T> = nodes.iter().filter_map(|node| read(reader, node)).collect();
    (values.len() == nodes.len()).then_some(values)
}

fn decode_judge(reader: &mut Reader<'_>, node: &Node) -> Option<JudgeIdentity> {
    let mut table = Table::new(reader, node, "`judge`")?;
    let prompt = required(reader, &mut table, "prompt", |r, n| text(r, n, "`prompt`"));
    let version = required(reader, &mut table, "version", |r, n| {
        r.whole_u32(n, "`version`", 1)
    });
    let hash = required(reader, &mut table, "hash", |r, n| parsed(r, n, "`hash`"));
    table.finish(reader);
    Some(JudgeIdentity {
        prompt: prompt?,
        version: version?,
        hash: hash?,
    })
}

fn decode_model(reader: &mut Reader<'_>, node: &Node) -> Option<ModelIdentity> {
    let mut table = Table::new(reader, node, "`model`")?;
    let provider = required(reader, &mut table, "provider", |r, n| {
        text(r, n, "`provider`")
    });
    let model = required(reader, &mut table, "model", |r, n| text(r, n, "`model`"));
    let served = required(reader, &mut table, "served", |r, n| r.texts(n, "`served`"));
    let digest = required(reader, &mut table, "digest", |r, n| {
        parsed(r, n, "`digest`")
    });
    table.finish(reader);
    Some(ModelIdentity {
        provider: provider?,
        model: model?,
        served: served?,
        digest: digest?,
    })
}

fn decode_labels(reader: &mut Reader<'_>, node: &Node) -> Option<LabelSet> {
    let mut table = Table::new(reader, node, "`labels`")?;
    let digest = required(reader, &mut table, "digest", |r, n| {
        parsed(r, n, "`digest`")
    });
    let rows = required(reader, &mut table, "rows", |r, n| r.whole(n, "`rows`", 0));
    let examples = required(reader, &mut table, "examples", |r, n| {
        r.whole(n, "`examples`", 0)
    });
    let raters = required(reader, &mut table, "raters", |r, n| {
        r.whole(n, "`raters`", 0)
    });
    table.finish(reader);
    Some(LabelSet {
        digest: digest?,
        rows: rows?,
        examples: examples?,
        raters: raters?,
    })
}

fn decode_criteria(reader: &mut Reader<'_>, node: &Node) -> Option<CriteriaCount> {
    let mut table = Table::new(reader, node, "an item of `criteria`")?;
    let written = required(reader, &mut table, "text", |r, n| text(r, n, "`text`"));
    let examples = required(reader, &mut table, "examples", |r, n| {
        r.whole(n, "`examples`", 0)
    });
    table.finish(reader);
    Some(CriteriaCount {
        text: written?,
        examples: examples?,
    })
}

fn decode_item(reader: &mut Reader<'_>, node: &Node) -> Option<CalibrationItem> {
    let mut table = Table::new(reader, node, "an item of `items`")?;
    let id = required(reader, &mut table, "id", |r, n| text(r, n, "`id`"));
    let answer = required(reader, &mut table, "answer", |r, n| {
        parsed(r, n, "`answer`")
    });
    let criteria = table
        .get("criteria")
        .and_then(|node| reader.whole_u32(node, "`criteria`", 0));
    let human = required(reader, &mut table, "human", |reader, node| {
        let mut table = Table::new(reader, node, "`human`")?;
        let pass = table
            .get("pass")
            .and_then(|node| reader.boolean(node, "`pass`"));
        let score = table
            .get("score")
            .and_then(|node| reader.number(node, "`score`", 0.0, 1.0));
        let preferred = decode_preferred(reader, &mut table);
        table.finish(reader);
        Some(HumanVerdict {
            pass,
            score,
            preferred,
        })
    });
    let judge = required(reader, &mut table, "judge", |reader, node| {
        let mut table = Table::new(reader, node, "`judge`")?;
        let pass = required(reader, &mut table, "pass", |r, n| r.boolean(n, "`pass`"));
        let score = required(reader, &mut table, "score", |r, n| {
            r.number(n, "`score`", 0.0, 1.0)
        });
        let preferred = decode_preferred(reader, &mut table);
        let position = table
            .get("position")
            .and_then(|node| reader.word(node, "`position`", Position::WORDS));
        table.finish(reader);
        Some(JudgeVerdict {
            pass: pass?,
            score: score?,
            preferred,
            position,
        })
    });
    table.finish(reader);
    Some(CalibrationItem {
        id: id?,
        answer: answer?,
        criteria,
        human: human?,
        judge: judge?,
    })
}

fn decode_preferred(reader: &mut Reader<'_>, table: &mut Table<'_>) -> Option<Preference> {
    let node = table.get("preferred")?;
    reader.word(node, "`preferred`", Preference::WORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CalibrationRecord {
        let digest = Digest::of_bytes(b"x");
        CalibrationRecord {
            schema: SCHEMA.to_owned(),
            tool: "0.1.0".to_owned(),
            date: Timestamp::from_millis(1_790_000_000_000),
            judge: JudgeIdentity {
                prompt: "judges/polite".to_owned(),
                version: 2,
                hash: digest,
            },
            model: ModelIdentity {
                provider: "openai".to_owned(),
                model: "gpt".to_owned(),
                served: vec!["gpt-1".to_owned()],
                digest,
            },
            labels: LabelSet {
                digest,
                rows: 3,
                examples: 2,
                raters: 1,
            },
            threshold: Some(0.75),
            repeat: 1,
            errored: 0,
            criteria: vec![CriteriaCount {
                text: "polite".to_owned(),
                examples: 2,
            }],
            figures: serde_json::json!({"kappa": 0.5}),
            items: vec![CalibrationItem {
                id: "p".to_owned(),
                answer: digest,
                criteria: Some(0),
                human: HumanVerdict {
                    pass: None,
                    score: Some(0.5),
                    preferred: Some(Preference::Tie),
                },
                judge: JudgeVerdict {
                    pass: true,
                    score: 1.0,
                    preferred: Some(Preference::B),
                    position: Some(Position::OneOrder),
                },
            }],
        }
    }

    fn decode(text: &str) -> (Option<CalibrationRecord>, String) {
        let mut found = Diagnostics::new();
        let record = CalibrationRecord::decode(&Source::new("r.json", text), &mut found);
        (record, found.to_string())
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = record();
        let (read, said) = decode(&record.to_text());
        assert_eq!(said, "");
        assert_eq!(read, Some(record));
    }

    #[test]
    fn an_unknown_form_names_both() {
        let text = record().to_text().replace("calibration@1", "calibration@2");
        let (read, said) = decode(&text);
        assert_eq!(read, None);
        assert!(
            said.contains("gate/calibration@2") && said.contains(SCHEMA),
            "{said}"
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let text = record()
            .to_text()
            .replace("\"repeat\": 1", "\"repeat\": 0, \"kappa\": 1")
            .replace("\"score\":1.0", "\"score\":7");
        let (read, said) = decode(&text);
        assert_eq!(read, None);
        for part in [
            "`repeat` is 0",
            "unknown key `kappa`",
            "`score` is 7",
            "r.json:",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}
