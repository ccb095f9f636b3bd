//! The command: reads both sides and the policy, decides, and hands back what a run would.

use camino::Utf8Path;

use super::files;
use super::matched::{Rules, matched};
use super::row::Outcomes;
use super::stored;
use super::synthetic::{self, Side};
use crate::base::decode::Reader;
use crate::base::{Diagnostics, Node, RunId, Source, Value, text, yaml};
use crate::command::outcome::{Outcome, SuiteResult, SuiteRun, Texts};
use crate::command::run::decide_run;
use crate::command::{CommandError, Project};
use crate::report::content::NextStep;
use crate::store::fs;
use crate::store::runs::LogTexts;
use crate::verdict::{Metric, Policy, Preset, Verdict};

/// What the flags say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The file of the policy.
    pub policy: Option<String>,
    /// The preset in place of a policy.
    pub preset: Option<String>,
    /// A score from here on is a pass.
    pub pass_at: Option<f64>,
    /// Whether cases of one side alone are left out.
    pub allow_unmatched: bool,
    /// The scorer of an Inspect log with several.
    pub scorer: Option<String>,
    /// The seed of resampling.
    pub seed: u64,
    /// Report, and never block.
    pub no_gate: bool,
}

const MAX_POLICY: u64 = 1 << 20;

/// Decides on two sets of outcomes. Paths are relative to `folder`.
///
/// # Errors
/// When a file can not be read or used, or the two do not match.
pub fn decide(
    project: &Project,
    folder: &Utf8Path,
    baseline: &str,
    candidate: &str,
    options: &Options,
) -> Result<Outcome, CommandError> {
    let policy = policy(folder, options)?;
    check_policy(&policy)?;
    if options
        .pass_at
        .is_some_and(|limit| !(0.0..=1.0).contains(&limit))
    {
        return Err(CommandError::usage(
            "--pass-at is not between 0 and 1",
            "scores are from 0 to 1; write --pass-at 0.7",
        ));
    }
    let mut notes = Vec::new();
    let before = read(project, folder, baseline, options, &mut notes)?;
    let after = read(project, folder, candidate, options, &mut notes)?;
    let labels = labels(&before, &after);
    let sides = [
        side(labels.0, &before, baseline),
        side(labels.1, &after, candidate),
    ];
    let rules = Rules {
        pass_at: options.pass_at,
        allow_unmatched: options.allow_unmatched,
    };
    let matched = matched(before, after, rules)
        .map_err(|mismatch| CommandError::usage(mismatch.to_string(), mismatch.help()))?;
    let now = project.clock.now();
    let id = RunId::new(now, &crate::base::rng::fresh_bytes());
    let run = synthetic::run(&matched, sides, &policy, options.seed, id, now);
    let decision = decide_run(&run)?;
    let mut outcome = Outcome::new("decide", options.no_gate);
    outcome.next = next_steps(decision.verdict, [baseline, candidate], options);
    outcome.suites.push(SuiteResult::Ran(Box::new(SuiteRun {
        run,
        texts: Texts(LogTexts::none()),
        decision,
        notes,
    })));
    Ok(outcome)
}

/// The same command with a report, where a reader would want one.
fn next_steps(verdict: Verdict, sides: [&str; 2], options: &Options) -> Vec<NextStep> {
    match verdict {
        Verdict::Fail | Verdict::Inconclusive => {}
        Verdict::Pass | Verdict::Skipped | Verdict::Error => return Vec::new(),
    }
    let mut words = vec!["gate decide".to_owned()];
    words.extend(sides.map(quoted));
    words.extend(
        options
            .policy
            .iter()
            .map(|path| format!("--policy {}", quoted(path))),
    );
    words.extend(options.preset.iter().map(|name| format!("--preset {name}")));
    words.extend(options.pass_at.map(|limit| format!("--pass-at {limit}")));
    if options.allow_unmatched {
        words.push("--allow-unmatched".to_owned());
    }
    words.extend(
        options
            .scorer
            .iter()
            .map(|name| format!("--scorer {}", quoted(name))),
    );
    words.push("--markdown report.md".to_owned());
    vec![NextStep {
        command: words.join(" "),
        note: "the cases that differ".to_owned(),
    }]
}

/// A word of a command line, in quotes where a shell would split or read it otherwise.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=#@+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    let escaped = text::visible_line(word).replace('\'', "'\\''");
    format!("'{escaped}'")
}

fn read(
    project: &Project,
    folder: &Utf8Path,
    written: &str,
    options: &Options,
    notes: &mut Vec<String>,
) -> Result<Outcomes, CommandError> {
    if let Some(run) = written.strip_prefix("run:") {
        return stored::read(project, run);
    }
    let found = files::read(written, folder, options.scorer.as_deref())?;
    notes.extend(found.notes);
    Ok(found.outcomes)
}

fn side(label: String, file: &Outcomes, written: &str) -> Side {
    Side {
        label,
        written: written.to_owned(),
        digest: file.digest,
    }
}

/// Names of the sides: the files' stems, or what tells them apart.
fn labels(before: &Outcomes, after: &Outcomes) -> (String, String) {
    let stem = |file: &Outcomes| {
        let path = Utf8Path::new(&file.name);
        text::visible_line(path.file_stem().unwrap_or(&file.name))
    };
    let whole = |file: &Outcomes| text::visible_line(&file.name);
    let (first, second) = (stem(before), stem(after));
    if first != second {
        return (first, second);
    }
    let (first, second) = (whole(before), whole(after));
    if first != second {
        return (first, second);
    }
    let again = format!("{second} again");
    (first, again)
}

fn policy(folder: &Utf8Path, options: &Options) -> Result<Policy, CommandError> {
    if let Some(path) = &options.policy {
        let text = fs::read_text(&folder.join(path), MAX_POLICY)?;
        return read_policy(path, &text);
    }
    let preset = options.preset.as_deref().and_then(|wanted| {
        let found = Preset::WORDS.iter().find(|(word, _)| *word == wanted);
        found.map(|(_, preset)| *preset)
    });
    Ok(Policy::preset(preset.unwrap_or(Preset::Smoke)))
}

/// Reads `gate: policy/1` with the keys of a suite's `policy` block, beside it or under `policy:`.
fn read_policy(path: &str, text: &str) -> Result<Policy, CommandError> {
    let source = Source::new(path, text);
    let node = yaml::parse(&source)?;
    let mut found = Diagnostics::new();
    let mut reader = Reader {
        source,
        diagnostics: &mut found,
    };
    let block = match node.get("gate") {
        Some(format) if reader.check_format(format, "policy/1") => Some(block(&node)),
        Some(_) => None,
        None => {
            reader.error(
                node.span,
                "missing-key",
                "the file does not say what it is",
                "add `gate: policy/1`",
            );
            None
        }
    };
    let policy = block.and_then(|block| Policy::decode(&mut reader, Some(&block)));
    let (policy, _) = found.finish(policy)?;
    Ok(policy)
}

fn block(node: &Node) -> Node {
    let entries = match &node.value {
        Value::Map(entries) => entries.as_slice(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) | Value::List(_) => &[],
    };
    let mut others = entries.iter().filter(|entry| entry.key != "gate");
    if let (Some(only), None) = (others.next(), others.next())
        && only.key == "policy"
    {
        return only.value.clone();
    }
    let others = entries.iter().filter(|entry| entry.key != "gate");
    Node {
        span: node.span,
        value: Value::Map(others.cloned().collect()),
    }
}

/// A rule on what outcome files do not say could only pass on no evidence.
fn check_policy(policy: &Policy) -> Result<(), CommandError> {
    for rule in &policy.metrics {
        let unknown = match &rule.metric {
            Metric::Fault(_) => true,
            Metric::Score(name) => name != "score",
            Metric::Amount(_) => false,
        };
        if unknown {
            return Err(CommandError::usage(
                format!("outcome files do not say `{}`", rule.metric.name()),
                "remove the metric; score.score, cost_usd, latency_ms, input_tokens and output_tokens can be decided",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_stands_beside_its_format_or_under_its_own_key() {
        let flat =
            read_policy("p.yaml", "gate: policy/1\npreset: promote\nmargin: 0.03\n").unwrap();
        let nested = read_policy(
            "p.yaml",
            "gate: policy/1\npolicy: { preset: promote, margin: 0.03 }\n",
        )
        .unwrap();
        assert_eq!(flat, nested);
        assert_eq!((flat.preset, flat.margin), (Preset::Promote, 0.03));
        assert!(read_policy("p.yaml", "preset: promote\n").is_err());
        assert!(read_policy("p.yaml", "gate: policy/2\n").is_err());
        assert!(read_policy("p.yaml", "gate: policy/1\nmargn: 0.03\n").is_err());
    }
}
