//! What the flags of a command narrow a run to.

use std::collections::BTreeSet;

use minijinja::context;
use minijinja::value::Value as Operand;
use serde::Deserialize as _;
use serde_json::Value;

use super::Case;
use crate::base::expression::{Expression, Given, Invalid};
use crate::base::text;

/// What an expression can name of a case.
const NAMES: [&str; 8] = [
    "id",
    "vars",
    "expected",
    "segment",
    "tags",
    "must_pass",
    "quarantined",
    "cluster",
];

/// What a run is narrowed to; everything set must hold.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Ids, of which one must match; `*` and `?` stand for any characters.
    pub cases: Vec<String>,
    /// Tags, of which one must be there.
    pub tags: Vec<String>,
    /// Segment values, `key=value`, of which one must hold.
    pub segments: Vec<(String, String)>,
    /// An expression that must be true.
    pub condition: Option<Condition>,
    /// The cases that a run did not pass.
    pub failed: Option<Failed>,
    /// The very ids, where a plan is repeated; not shown as a filter.
    pub only: Option<BTreeSet<String>>,
}

/// An expression over a case.
#[derive(Debug, Clone)]
pub struct Condition {
    source: String,
    expression: Expression,
}

/// The cases that a stored run did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The run, as reports name it.
    pub run: String,
    /// The ids.
    pub ids: BTreeSet<String>,
}

/// An expression that can not be worked out for a case.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the filter can not be worked out for case `{}`: {message}",
    text::visible_line(case)
)]
pub struct FilterError {
    /// The case.
    pub case: String,
    /// Why not.
    pub message: String,
}

impl Condition {
    /// Reads an expression, such as `segment.tier == "pro" and vars.plan != "free"`.
    ///
    /// # Errors
    /// When it is not well formed, or names something that a case does not have.
    pub fn parse(source: &str) -> Result<Self, Invalid> {
        Ok(Self {
            source: source.to_owned(),
            expression: Expression::compile(source, &NAMES)?,
        })
    }

    fn holds(&self, case: &Case) -> Result<bool, FilterError> {
        let error = |message| FilterError {
            case: case.id.to_string(),
            message,
        };
        let uses = |name| self.expression.uses(name);
        let known = |value: Option<&Value>| {
            let value = value.and_then(|value| Operand::deserialize(value).ok());
            value.unwrap_or(Operand::UNDEFINED)
        };
        let vars = uses("vars").then(|| case.vars.to_json());
        let segment = uses("segment").then(|| case.segment_json());
        let cluster = case.cluster.as_deref().map(Value::from);
        let tags: Vec<String> = case.tags.iter().map(ToString::to_string).collect();
        let values = context! {
            id => case.id.as_str(),
            vars => known(vars.as_ref()),
            expected => known(case.expected.as_ref()),
            segment => known(segment.as_ref()),
            tags => tags,
            must_pass => case.must_pass,
            quarantined => case.quarantined,
            cluster => known(cluster.as_ref()),
        };
        match self.expression.eval(values).map_err(error)? {
            Given::Truth(truth) => Ok(truth),
            Given::Share(number) => Err(error(format!("it gives {number}, not true or false"))),
        }
    }
}

impl Filter {
    /// Whether every case is taken.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cases.is_empty()
            && self.tags.is_empty()
            && self.segments.is_empty()
            && self.condition.is_none()
            && self.failed.is_none()
    }

    /// Whether a case is taken.
    ///
    /// # Errors
    /// When the expression can not be worked out for it.
    pub fn accepts(&self, case: &Case) -> Result<bool, FilterError> {
        if !self.names(case) {
            return Ok(false);
        }
        self.condition
            .as_ref()
            .map_or(Ok(true), |condition| condition.holds(case))
    }

    fn names(&self, case: &Case) -> bool {
        let id = case.id.as_str();
        let listed = |ids: &BTreeSet<String>| ids.contains(id);
        let tagged = |tag: &String| case.tags.iter().any(|known| known.as_ref() == tag);
        let in_segment = |(key, value): &(String, String)| {
            let found = case.segment.get(key);
            found.is_some_and(|found| found.as_ref() == value)
        };
        self.only.as_ref().is_none_or(listed)
            && self
                .failed
                .as_ref()
                .is_none_or(|failed| listed(&failed.ids))
            && (self.cases.is_empty() || self.cases.iter().any(|pattern| matches(pattern, id)))
            && (self.tags.is_empty() || self.tags.iter().any(tagged))
            && (self.segments.is_empty() || self.segments.iter().any(in_segment))
    }

    /// The filter in words, for reports.
    #[must_use]
    pub fn describe(&self) -> String {
        let segments = self
            .segments
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let condition = self.condition.as_ref();
        let parts = [
            ("case", self.cases.join(", ")),
            ("tag", self.tags.join(", ")),
            ("segment", segments.collect::<Vec<_>>().join(", ")),
            (
                "where",
                condition.map_or(String::new(), |c| c.source.clone()),
            ),
            (
                "not passed in run",
                self.failed
                    .as_ref()
                    .map_or(String::new(), |f| f.run.clone()),
            ),
        ];
        let shown = parts.iter().filter(|(_, value)| !value.is_empty());
        shown
            .map(|(key, value)| format!("{key} {value}"))
            .collect::<Vec<_>>()
            .join("; ")
    }
}

/// Whether a text matches a pattern in which `*` stands for any characters and `?` for one.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                retry = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Diagnostics;
    use crate::dataset::Decoder;

    fn cases() -> Vec<Case> {
        let mut found = Diagnostics::new();
        let mut decoder = Decoder::new("cases.jsonl", &mut found);
        for index in 0..100u32 {
            let tier = if index < 70 { "free" } else { "pro" };
            let row = format!(
                "{{\"id\":\"c{index}\",\"vars\":{{\"plan\":\"{tier}\",\"n\":{index}}},\"expected\":\"x\",\"segment\":{{\"tier\":\"{tier}\"}},\"tags\":[\"t{}\"]}}",
                index % 3
            );
            decoder.jsonl_line(row.as_bytes(), index + 1);
        }
        decoder.finish()
    }

    fn count(expression: &str) -> Result<usize, FilterError> {
        let filter = Filter {
            condition: Some(Condition::parse(expression).unwrap()),
            ..Filter::default()
        };
        let mut count = 0;
        for case in &cases() {
            count += usize::from(filter.accepts(case)?);
        }
        Ok(count)
    }

    #[test]
    fn filters_by_an_expression_over_the_case() {
        assert_eq!(count("segment.tier == 'pro'"), Ok(30));
        assert_eq!(count("vars.n < 10 or 't0' in tags"), Ok(40));
        assert_eq!(count("expected == 'x' and not must_pass"), Ok(100));
        assert_eq!(count("id is endingwith '7'"), Ok(10));
    }

    #[test]
    fn an_expression_that_is_no_condition_names_the_case() {
        let error = count("vars.missing == 1").unwrap_err();
        assert_eq!(error.case, "c0");
        assert!(count("vars.n / 100").is_err());
        assert!(
            Condition::parse("output == 1")
                .unwrap_err()
                .message
                .contains("output")
        );
        assert!(Condition::parse("segment.tier ==").is_err());
    }

    #[test]
    fn filters_by_id_tag_and_segment() {
        let cases = cases();
        let count = |filter: &Filter| {
            cases
                .iter()
                .filter(|case| filter.accepts(case).unwrap())
                .count()
        };
        assert_eq!(
            count(&Filter {
                cases: vec!["c1?".into()],
                ..Filter::default()
            }),
            10
        );
        assert_eq!(
            count(&Filter {
                tags: vec!["t0".into()],
                ..Filter::default()
            }),
            34
        );
        let pro = Filter {
            segments: vec![("tier".into(), "pro".into())],
            cases: vec!["c9*".into()],
            ..Filter::default()
        };
        assert_eq!(count(&pro), 10);
        assert_eq!(pro.describe(), "case c9*; segment tier=pro");
    }

    #[test]
    fn patterns_match_whole_ids() {
        for (pattern, text, expected) in [
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*", "", true),
            ("?", "", false),
            ("a**b*", "ab", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }
}
