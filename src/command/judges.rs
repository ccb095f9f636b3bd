//! The judges that a suite's scorers name: from the registry or from the binary, each checked for
//! its scorer.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::CommandError;
use super::project::Project;
use super::versions::Versions;
use crate::base::{Diagnostic, Diagnostics, Name, Span};
use crate::chat::ModelSpec;
use crate::prompt::PromptVersion;
use crate::registry::reference::{ReferenceError, VersionRef};
use crate::score::judge::JudgeReference;
use crate::score::judge::builtin;
use crate::score::{Judge, JudgeSpec, ScorerSpec};
use crate::suite::Suite;

/// A judge with the model that it asks.
#[derive(Clone)]
pub struct ChosenJudge {
    /// The judge.
    pub judge: Judge,
    /// The version as reports name it, `judges/routing@v1`.
    pub version: String,
    /// The model that it asks.
    pub model: ModelSpec,
    /// Whether the model judges its own answers.
    pub grades_itself: bool,
    /// Whether each case has to say what is expected.
    pub needs_expected: bool,
    /// The most verdicts that one score takes.
    pub most_verdicts: u32,
}

/// Finds the judges of a suite's scorers, those of single cases included, by the names of
/// [`ScorerSpec::judges`].
///
/// # Errors
/// When the registry can not be read; what is wrong with a judge goes to `diagnostics`.
pub fn load<'s>(
    project: &Project,
    suite: &'s Suite,
    own: impl Iterator<Item = &'s ScorerSpec>,
    model: &ModelSpec,
    diagnostics: &mut Diagnostics,
) -> Result<BTreeMap<String, ChosenJudge>, CommandError> {
    let mut judges = BTreeMap::new();
    for scorer in suite.scorers.iter().chain(own) {
        for (name, spec) in scorer.judges() {
            if judges.contains_key(&name) {
                continue;
            }
            if let Some(judge) = find(project, suite, &name, spec, model, diagnostics)? {
                judges.insert(name, judge);
            }
        }
    }
    Ok(judges)
}

fn find(
    project: &Project,
    suite: &Suite,
    scorer: &str,
    spec: &JudgeSpec,
    main: &ModelSpec,
    diagnostics: &mut Diagnostics,
) -> Result<Option<ChosenJudge>, CommandError> {
    let mut error = |rule, message: String, help: &str| {
        let message = format!("scorer `{scorer}`: {message}");
        diagnostics.push(
            Diagnostic::error(rule, message)
                .at(&suite.source, Span::default())
                .help(help),
        );
    };
    let written = spec.judge.to_string();
    let version = match version(project, suite, spec) {
        Ok(version) => version,
        Err(CommandError::Usage { message, help }) => {
            let help = help.as_deref().unwrap_or("add the judge to the registry");
            error("unknown-judge", message, help);
            return Ok(None);
        }
        Err(CommandError::Findings(found)) => {
            diagnostics.extend(found);
            return Ok(None);
        }
        Err(other) => return Err(other),
    };
    let name = version.number.map_or_else(
        || written.clone(),
        |number| format!("{}@v{number}", spec.judge.slug),
    );
    let judge = match Judge::new(version).and_then(|judge| judge.check(spec).map(|()| judge)) {
        Ok(judge) => judge,
        Err(fault) => {
            error(
                "judge",
                format!("{fault}"),
                "change the scorer or use another judge",
            );
            return Ok(None);
        }
    };
    let Some((model, grades_itself)) = choose_model(suite, spec, main) else {
        let wanted = spec.model.as_ref().map_or("", Name::as_str);
        error(
            "unknown-model",
            format!("there is no model `{wanted}`"),
            "name an entry of `judge_models` or `models`",
        );
        return Ok(None);
    };
    Ok(Some(ChosenJudge {
        needs_expected: judge.needs_expected(spec),
        // The two orders of a pair are one verdict for each of its trials.
        most_verdicts: spec.form.samples(),
        judge,
        version: name,
        model: model.clone(),
        grades_itself,
    }))
}

/// The version that a scorer names as its judge: one of the program's, or one of the registry.
fn version(
    project: &Project,
    suite: &Suite,
    spec: &JudgeSpec,
) -> Result<Arc<PromptVersion>, CommandError> {
    judge_version(project, &registry_of(project, Some(suite)), &spec.judge)
}

/// The registry's folder of a suite's judges.
#[must_use]
pub fn registry_of(project: &Project, suite: Option<&Suite>) -> String {
    suite
        .and_then(|suite| suite.registry.clone())
        .or_else(|| project.settings.registry.clone())
        .unwrap_or_else(|| "prompts".to_owned())
}

/// The version that a reference to a judge means.
///
/// # Errors
/// When it means none, or the version can not be read.
pub fn judge_version(
    project: &Project,
    registry: &str,
    judge: &JudgeReference,
) -> Result<Arc<PromptVersion>, CommandError> {
    let written = judge.to_string();
    if judge.slug.is_builtin() {
        let version = builtin::version(&written).ok_or_else(|| {
            CommandError::usage(
                format!("there is no judge `{written}` in the program"),
                format!(
                    "the judges of the program are {}",
                    builtin::names().collect::<Vec<_>>().join(", ")
                ),
            )
        })?;
        return Ok(Arc::new(version));
    }
    let reference: VersionRef = judge.version.parse().map_err(|fault: ReferenceError| {
        CommandError::usage(fault.to_string(), "write the judge as `judges/name@v1`")
    })?;
    let versions = Versions::of_slug(project, registry, &judge.slug);
    Ok(versions.resolve(&reference)?.prompt)
}

/// The model of a judge: the one named, else the first for judges, else the model under test.
pub fn choose_model<'s>(
    suite: &'s Suite,
    spec: &JudgeSpec,
    main: &'s ModelSpec,
) -> Option<(&'s ModelSpec, bool)> {
    match &spec.model {
        Some(name) => {
            let found = suite
                .judge_models
                .iter()
                .chain(&suite.models)
                .find(|model| model.name == *name)?;
            Some((found, found == main))
        }
        None => Some(
            suite
                .judge_models
                .first()
                .map_or((main, true), |model| (model, false)),
        ),
    }
}
