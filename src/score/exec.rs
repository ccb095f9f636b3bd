//! `exec`: a command of the owner's own gives the score (formats.md section 9). Its declared form,
//! the message that it gets and the reading of its reply stand here; who may run programs runs it.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::answer::{Context, Finding, MAX_REASON, Score};
use super::evaluate;
use super::form::{Form, ScorerType};
use super::spec::{Kind, ScorerSpec};
use crate::base::decode::Reader;
use crate::base::{Diagnostics, Node, Source, Table, text};

/// The types of this family.
pub const TYPES: &[ScorerType] = &[ScorerType::new("exec", &["command"], decode).graded()];

/// A command that scores.
#[derive(Debug, Clone)]
pub struct ExecSpec {
    /// The program and its arguments, which no shell reads.
    pub command: Vec<String>,
}

/// Why a reply of a command is no score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the command's reply can not be used: {0}")]
pub struct NoScore(String);

fn decode(form: &mut Form<'_, '_, '_>) -> Option<Kind> {
    let node = form.require("command")?;
    let items = form.reader.list(node, "`command`")?;
    if items.is_empty() {
        let help = "write the program and its arguments as a list of words";
        form.reader
            .error(node.span, "empty", "`command` may not be empty", help);
        return None;
    }
    let command = form.reader.texts(node, "`command`")?;
    (command.len() == items.len()).then_some(Kind::Exec(ExecSpec { command }))
}

/// What the command is told of an answer, but for the `id`.
#[must_use]
pub fn message(output: &str, context: &Context<'_>) -> Map<String, Value> {
    let case = context.case;
    [
        ("case", json!(case.id)),
        ("output", json!(output)),
        ("expected", json!(case.expected)),
        ("vars", case.vars.to_json()),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect()
}

/// Reads a reply as a score.
///
/// # Errors
/// When it has neither `pass` nor `score`, unknown keys or wrong types.
pub fn read(spec: &ScorerSpec, source: &Arc<Source>, node: &Node) -> Result<Score, NoScore> {
    let mut diagnostics = Diagnostics::new();
    let finding = read_finding(source, node, &mut diagnostics);
    if let Some(first) = diagnostics.iter().next() {
        let help = first.help.as_deref().unwrap_or_default();
        let message = text::visible_line(&format!("{}; {help}", first.message));
        return Err(NoScore(text::byte_prefix(&message, 500).to_owned()));
    }
    finding
        .map(|finding| evaluate::conclude(spec, finding))
        .ok_or_else(|| NoScore("it has neither `pass` nor `score`".to_owned()))
}

fn read_finding(
    source: &Arc<Source>,
    node: &Node,
    diagnostics: &mut Diagnostics,
) -> Option<Finding> {
    let mut reader = Reader {
        source: Arc::clone(source),
        diagnostics,
    };
    let mut table = Table::new(&mut reader, node, "the reply")?;
    let _ = (table.get("id"), table.get_or_null("error"));
    let pass = table.get_or_null("pass").filter(|node| !node.is_null());
    let pass = pass.map(|node| reader.boolean(node, "`pass`"));
    let score = table.get_or_null("score").filter(|node| !node.is_null());
    let score = score.map(|node| reader.number(node, "`score`", 0.0, 1.0));
    let reason = table.get_or_null("reason").filter(|node| !node.is_null());
    let reason = reason.and_then(|node| reader.text(node, "`reason`"));
    table.finish(&mut reader);
    let reason = match reason {
        Some(reason) if !reason.is_empty() => {
            let visible = text::visible_line(text::byte_prefix(reason, 4 * MAX_REASON));
            text::shorten(&visible, MAX_REASON).into_owned()
        }
        Some(_) | None => "the command gives no reason".to_owned(),
    };
    match (pass, score) {
        (None, None) => None,
        (Some(pass), None) => Some(Finding::binary(pass?, reason)),
        (None, Some(score)) => Some(Finding::graded(score?, reason)),
        (Some(pass), Some(score)) => Some(Finding {
            pass: pass?,
            ..Finding::graded(score?, reason)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::decode;
    use super::*;

    fn scored(declared: &str, reply: &str) -> Result<(bool, f64, String), String> {
        let spec = decode(declared).unwrap();
        let source = Source::new("reply", reply);
        let node = crate::base::json::parse(&source).unwrap();
        read(&spec, &source, &node)
            .map(|score| (score.pass, score.score, score.reason))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_reply_gives_pass_or_score_or_both() {
        let plain = "{type: exec, command: [./check]}";
        let given = |reply| scored(plain, reply).map(|(pass, score, _)| (pass, score));
        assert_eq!(given(r#"{"id": "1", "pass": true}"#), Ok((true, 1.0)));
        assert_eq!(given(r#"{"pass": false, "error": null}"#), Ok((false, 0.0)));
        assert_eq!(given(r#"{"score": 0.5}"#), Ok((false, 0.5)));
        assert_eq!(given(r#"{"score": 1}"#), Ok((true, 1.0)));
        assert_eq!(given(r#"{"pass": true, "score": 0.5}"#), Ok((true, 0.5)));
        let least = "{type: exec, command: [./check], threshold: 0.5}";
        let found = scored(least, r#"{"score": 0.5, "reason": "\u001b[2Jfine"}"#).unwrap();
        assert!(found.0 && found.2.starts_with("\\x1b[2Jfine"), "{found:?}");
        let turned = "{type: not-exec, command: [./check]}";
        assert!(!scored(turned, r#"{"pass": true}"#).unwrap().0);
    }

    #[test]
    fn what_is_no_score_is_an_error_and_never_a_fail() {
        let wrong = [
            "{}",
            r#"{"id": "1"}"#,
            r#"{"pass": null}"#,
            r#"{"pass": "yes"}"#,
            r#"{"pass": 1}"#,
            r#"{"score": 1.5}"#,
            r#"{"score": -0.1}"#,
            r#"{"score": "1"}"#,
            r#"{"pass": true, "reason": 7}"#,
            r#"{"pass": true, "verdict": "x"}"#,
            "[true]",
            "true",
        ];
        for reply in wrong {
            let found = scored("{type: exec, command: [./check]}", reply);
            assert!(found.is_err(), "{reply}: {found:?}");
        }
    }
}
