//! `gate lint`: suites, templates, data and judges are checked; nothing is sent.

use super::dataset;
use super::error::CommandError;
use super::prepare;
use super::project::Project;
use super::run::Flags;
use super::selection;
use super::suites;
use super::versions::Versions;
use crate::base::{Diagnostic, Diagnostics, Span};
use crate::dataset::{Case, Filter};
use crate::prompt::{PromptVersion, VariableKind};
use crate::record::{Arm, JudgeCalibration};
use crate::registry::reference::VersionRef;
use crate::suite::Suite;
use crate::verdict::{JudgeCheck, Judges, Quarantine, planning};

/// What the check found.
pub struct Linted {
    /// All findings.
    pub found: Diagnostics,
    /// What each suite that is usable can show, in a sentence.
    pub can_show: Vec<(String, String)>,
}

/// Checks all suites chosen.
///
/// # Errors
/// When a file can not be read at all; what is wrong with files is in the findings.
pub fn lint(project: &Project) -> Result<Linted, CommandError> {
    let mut linted = Linted {
        found: Diagnostics::new(),
        can_show: Vec::new(),
    };
    let all = match suites::load_all(project) {
        Ok((suites, warnings)) => {
            linted.found.extend(warnings);
            suites
        }
        Err(CommandError::Findings(found)) => {
            linted.found.extend(found);
            return Ok(linted);
        }
        Err(other) => return Err(other),
    };
    for suite in suites::choose(project, all)? {
        lint_suite(project, &suite, &mut linted)?;
    }
    Ok(linted)
}

fn lint_suite(project: &Project, suite: &Suite, linted: &mut Linted) -> Result<(), CommandError> {
    let versions = Versions::of(project, suite);
    let pair = match selection::pair(&versions, None, None, None) {
        Ok(pair) => vec![
            (Arm::Baseline, pair.baseline),
            (Arm::Candidate, pair.candidate),
        ],
        // Without a baseline one version alone is checked.
        Err(CommandError::Usage { .. }) => match versions.resolve(&VersionRef::Worktree) {
            Ok(one) => vec![(Arm::Candidate, one)],
            Err(error) => return keep_findings(error, suite, linted),
        },
        Err(error) => return keep_findings(error, suite, linted),
    };
    for (_, arm) in &pair {
        lint_prompt(&arm.prompt, suite, &mut linted.found);
    }
    let filter = Filter::default();
    for model in suite.models.iter().take(1) {
        let wanted = prepare::Wanted {
            command: "lint",
            suite,
            model,
            arms: pair.clone(),
            filter: &filter,
            shard: Flags::default().shard,
            allow_empty: true,
        };
        match prepare::prepare(project, &wanted) {
            Ok(Some(prepared)) => {
                lint_judges(
                    project,
                    suite,
                    &prepared.header.calibrations,
                    &mut linted.found,
                );
                linted.found.extend(prepared.warnings);
                lint_quarantine(suite, &prepared.cases, &mut linted.found);
                lint_power(suite, &prepared.cases, linted);
            }
            Ok(None) => {}
            Err(error) => return keep_findings(error, suite, linted),
        }
    }
    Ok(())
}

fn keep_findings(
    error: CommandError,
    suite: &Suite,
    linted: &mut Linted,
) -> Result<(), CommandError> {
    match error {
        CommandError::Findings(found) => linted.found.extend(found),
        CommandError::Usage { message, help } => {
            let diagnostic = Diagnostic::error("suite", message).at(&suite.source, Span::default());
            linted.found.push(match help {
                Some(help) => diagnostic.help(help),
                None => diagnostic,
            });
        }
        infra @ CommandError::Infra { .. } => return Err(infra),
    }
    Ok(())
}

/// What the cases that have a say can show.
fn lint_power(suite: &Suite, cases: &[Case], linted: &mut Linted) {
    let gated = cases.iter().filter(|case| !case.is_held_out());
    let gated: Vec<Case> = gated.cloned().collect();
    let count = gated.len() as u64;
    let table = dataset::segment_sizes(&gated);
    let shown = planning::what_can_it_show(count, &suite.policy);
    linted
        .can_show
        .push((suite.name.to_string(), shown.sentence()));
    let churn = planning::PLANNED_CHURN;
    for warning in planning::plan_warnings(count, &table, churn, &suite.policy) {
        let diagnostic =
            Diagnostic::warning("power", warning.message()).at(&suite.source, Span::default());
        let help = "add cases, or choose a policy that fits their number";
        linted.found.push(diagnostic.help(help));
    }
}

/// Cases kept out of the gate, where they are more than a few.
fn lint_quarantine(suite: &Suite, cases: &[Case], found: &mut Diagnostics) {
    let held_out = cases.iter().filter(|case| case.is_held_out());
    let quarantine = Quarantine {
        cases: held_out.count() as u64,
        of: cases.len() as u64,
    };
    let consequence = if quarantine.is_too_large() {
        "above 20 % nothing passes"
    } else {
        "above 5 % the gate sees too little"
    };
    if quarantine.is_large() {
        let message = format!("{}: {consequence}", quarantine.phrase());
        let diagnostic =
            Diagnostic::warning("quarantine", message).at(&suite.source, Span::default());
        found.push(diagnostic.help("make flaky cases reliable, and take them back into the gate"));
    }
}

/// Judges that gate, and of which nobody knows how well they agree with people.
fn lint_judges(
    project: &Project,
    suite: &Suite,
    known: &[JudgeCalibration],
    found: &mut Diagnostics,
) {
    let judges = Judges {
        calibrations: known,
        at: Some(project.clock.now()),
        ..Judges::default()
    };
    for judge in known.iter().filter(|judge| judge.gating) {
        let message = match &suite.policy.require_calibration {
            Some(required) => {
                let check = JudgeCheck::of(judge, required, &judges);
                (!check.fit).then_some(check.reason)
            }
            None => judge.fault.as_ref().map(|fault| {
                let scorer = &judge.scorer;
                format!("judge `{scorer}` gates, and nothing says how often it is right: {fault}")
            }),
        };
        if let Some(message) = message {
            let diagnostic = Diagnostic::warning("uncalibrated-judge", message);
            let diagnostic = diagnostic.at(&suite.source, place_of(&judge.scorer, suite));
            found.push(diagnostic.help(judge.command.clone()));
        }
    }
}

/// Where a suite names a scorer; else its list of scorers.
fn place_of(scorer: &str, suite: &Suite) -> Span {
    let text = suite.source.text.as_str();
    let Some(list) = text.find("scorers:") else {
        return Span::default();
    };
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '-' && c != '_');
    let after = text.get(list..).unwrap_or_default();
    let named = after.match_indices(scorer).find(|(at, name)| {
        let before = after.get(..*at).and_then(|text| text.chars().next_back());
        let next = after.get(at + name.len()..);
        is_edge(before) && is_edge(next.and_then(|text| text.chars().next()))
    });
    let (start, length) = named.map_or((list, "scorers".len()), |(at, name)| {
        (list + at, name.len())
    });
    Span {
        start,
        end: start + length,
    }
}

/// What is allowed in a prompt and probably not meant.
fn lint_prompt(prompt: &PromptVersion, suite: &Suite, found: &mut Diagnostics) {
    let mut warn = |at: Span, rule, message: String, help: &str| {
        let name = &prompt.source.name;
        let diagnostic =
            Diagnostic::warning(rule, format!("{name}: {message}")).at(&prompt.source, at);
        found.push(diagnostic.help(help));
    };
    for variable in &prompt.variables {
        if matches!(
            variable.kind,
            VariableKind::Text {
                max_length: None,
                ..
            }
        ) {
            let message = format!("variable `{}` has no max_length", variable.name);
            warn(
                prompt.place_of(&variable.name),
                "no-max-length",
                message,
                "declare it with `max_length`, so that a long value is found before it costs money",
            );
        }
    }
    let main = suite
        .models
        .first()
        .and_then(|model| model.model.as_deref());
    if let (Some(hint), Some(main)) = (&prompt.model_hint, main)
        && hint != main
    {
        let message = format!("it was tuned for `{hint}`, the suite tests it on `{main}`");
        warn(
            Span::default(),
            "model-hint",
            message,
            "test on the model that the prompt is for, or change `model_hint`",
        );
    }
}
