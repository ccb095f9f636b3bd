//! Asks the judge on each model, computes the figures and writes the records.

use std::collections::BTreeSet;

use camino::Utf8Path;
use serde_json::json;

use super::ask::{self, Asked};
use super::choose::{self, Chosen};
use super::{labels, record};
use crate::analysis::calibration::{Figures, JudgedExample, consensus};
use crate::base::{Digest, text};
use crate::chat::ModelSpec;
use crate::command::run::{self, Carried, Hooks};
use crate::command::{CommandError, Project, prepare};
use crate::dataset::label::{Example, Labels, Preference, Subject};
use crate::record::calibration::{
    CalibrationItem, CalibrationRecord, CriteriaCount, JudgeIdentity, JudgeVerdict, LabelSet,
    ModelIdentity, SCHEMA,
};
use crate::record::run::{ScoreSummary, TrialRecord};
use crate::record::{Arm, Outcome, Run};
use crate::runner::Interrupt;
use crate::suite::digest::Referenced;

/// Above this share of examples without a verdict nothing is measured.
const MOST_ERRORED: f64 = 0.05;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The judge, `judges/politeness@v2`.
    pub judge: String,
    /// The labels' file as written.
    pub labels: String,
    /// Models by name or as `provider:model`; none for the one that the suites ask.
    pub models: Vec<String>,
    /// How often the judge is asked about each example.
    pub repeat: u32,
    /// The least score that passes.
    pub threshold: Option<f64>,
}

/// What came out.
pub struct Calibration {
    /// The judge.
    pub judge: String,
    /// The labels.
    pub labels: LabelSet,
    /// Where the labels are.
    pub path: String,
    /// One entry a model.
    pub models: Vec<Calibrated>,
    /// The signal that ended the command.
    pub interrupt: Option<Interrupt>,
}

/// A judge calibrated on one model.
pub struct Calibrated {
    /// The record.
    pub record: CalibrationRecord,
    /// The figures.
    pub figures: Figures,
    /// Where the record was written.
    pub path: String,
    /// The digest of its file.
    pub digest: Digest,
    /// The record of more labels that it replaced, in words.
    pub replaced: Option<String>,
    /// What was paid.
    pub spent_usd: f64,
    /// Requests sent.
    pub requests: u64,
    /// Answers from the cache.
    pub cache_hits: u64,
}

/// Calibrates a judge.
///
/// # Errors
/// When labels, judge or model are not usable, or too few examples got a verdict; then no record of
/// that model is written.
pub async fn calibrate(
    project: &Project,
    folder: &Utf8Path,
    options: &Options,
    hooks: &mut Hooks<'_>,
) -> Result<Calibration, CommandError> {
    let chosen = choose::choose(project, &options.judge, &options.models)?;
    if chosen.judge.compares() && options.threshold.is_some() {
        return Err(CommandError::usage(
            format!(
                "`{}` compares two answers, and knows no threshold",
                options.judge
            ),
            "leave --threshold out",
        ));
    }
    let shown = &options.labels;
    let labels = labels::read(&folder.join(shown), shown, &chosen.version)?;
    let mut calibration = Calibration {
        judge: chosen.reference.to_string(),
        labels: label_set(&labels),
        path: shown.clone(),
        models: Vec::new(),
        interrupt: None,
    };
    for (suite, model) in &chosen.models {
        let asked = Asked {
            labels: &labels,
            shown,
            suite,
            model,
            repeat: options.repeat,
        };
        let (prepared, endpoints) = ask::prepare(project, &chosen, &asked)?;
        for warning in prepare::render_warnings(&prepared.warnings) {
            (hooks.say)(&warning);
        }
        require_price(project, &prepared)?;
        let referenced = Referenced {
            files: endpoints.files,
            ..Referenced::default()
        };
        // A run of its own kind: `gate report last` and evidence do not meet it.
        let state = project.state.join("calibrate");
        let carried = Box::pin(run::carry_out(project, prepared, None, &state, hooks)).await?;
        for note in &carried.notes {
            (hooks.say)(note);
        }
        if carried.interrupt.is_some() {
            calibration.interrupt = carried.interrupt;
            return Ok(calibration);
        }
        let measured = measure(project, &chosen, &asked, options, &carried, &referenced)?;
        calibration.models.push(measured);
    }
    Ok(calibration)
}

fn require_price(project: &Project, prepared: &prepare::Prepared) -> Result<(), CommandError> {
    if project.settings.budget.is_none()
        || crate::command::dryrun::is_priced(project, &prepared.job)
    {
        return Ok(());
    }
    Err(CommandError::usage(
        "--budget needs a price for the judge's model, and it is unknown",
        "add `price: { input: …, output: … }` (USD per million tokens) to the model",
    ))
}

fn label_set(labels: &Labels) -> LabelSet {
    let ratings = labels.examples.iter().flat_map(|example| &example.ratings);
    let raters: BTreeSet<&str> = ratings
        .filter_map(|rating| rating.rater.as_deref())
        .collect();
    LabelSet {
        digest: labels.digest,
        rows: labels.rows as u64,
        examples: labels.examples.len() as u64,
        raters: raters.len() as u64,
    }
}

/// What a record of fewer labels is about to replace.
fn replaced(project: &Project, path: &str, record: &CalibrationRecord) -> Option<String> {
    let (old, _) = record::find(project, path).ok()??;
    if old.labels.rows <= record.labels.rows {
        return None;
    }
    let kappa = |record: &CalibrationRecord| {
        let kappa = record.figures.pointer("/pass/kappa");
        let kappa = kappa.and_then(serde_json::Value::as_f64);
        kappa.map_or_else(String::new, |kappa| format!(", kappa {kappa:.2}"))
    };
    Some(format!(
        "a record of {}{} was replaced by one of {}{}",
        text::count(
            usize::try_from(old.labels.rows).unwrap_or(usize::MAX),
            "label"
        ),
        kappa(&old),
        text::thousands(usize::try_from(record.labels.rows).unwrap_or(usize::MAX)),
        kappa(record)
    ))
}

/// The figures of a run that asked the judge, written down.
fn measure(
    project: &Project,
    chosen: &Chosen,
    asked: &Asked<'_>,
    options: &Options,
    carried: &Carried,
    referenced: &Referenced,
) -> Result<Calibrated, CommandError> {
    let run = &carried.run;
    require_answers(run)?;
    let (judged, criteria) = judge_examples(asked, run);
    let figures = Figures::of(&judged, options.threshold, asked.repeat);
    let errored = asked.labels.examples.len() - judged.len();
    let record = CalibrationRecord {
        schema: SCHEMA.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        date: run.started_at,
        judge: JudgeIdentity {
            prompt: chosen.reference.slug.to_string(),
            version: chosen.number,
            hash: chosen.version.hash,
        },
        model: ModelIdentity {
            provider: asked.model.provider.as_str().to_owned(),
            model: asked.model.id().to_owned(),
            served: run.judges_served.clone(),
            digest: record::model_digest(asked.model, referenced),
        },
        labels: label_set(asked.labels),
        threshold: options.threshold,
        repeat: asked.repeat,
        errored: errored as u64,
        criteria,
        figures: json!(figures),
        items: judged.into_iter().map(|one| one.item).collect(),
    };
    let path = record::place(
        &chosen.registry,
        &chosen.reference.slug,
        chosen.number,
        asked.model,
    );
    let replaced = replaced(project, &path, &record);
    let digest = record::write(project, &path, &record)?;
    let calls = || run.trials.iter().flat_map(|trial| &trial.judges);
    Ok(Calibrated {
        record,
        figures,
        path,
        digest,
        replaced,
        spent_usd: run.totals(Arm::Candidate).spent_usd,
        requests: calls().map(|judge| u64::from(judge.record.sends)).sum(),
        cache_hits: calls().map(|judge| u64::from(judge.record.cached)).sum(),
    })
}

/// The examples with a first verdict, and the criteria met.
fn judge_examples<'a>(
    asked: &Asked<'a>,
    run: &Run,
) -> (Vec<JudgedExample<'a>>, Vec<CriteriaCount>) {
    let mut criteria: Vec<CriteriaCount> = Vec::new();
    let mut judged = Vec::new();
    for (index, example) in asked.labels.examples.iter().enumerate() {
        let compares = matches!(example.subject, Subject::Pair(_));
        let said = verdicts(run, index, compares);
        // The first time: what a run would see, which asks once.
        let Some(Some(first)) = said.first().copied() else {
            continue;
        };
        let criteria = example
            .criteria
            .as_ref()
            .map(|text| number(&mut criteria, text));
        judged.push(JudgedExample {
            example,
            item: item(example, criteria, first),
            length: length(example),
            said: said.into_iter().flatten().collect(),
            own: own(example, asked.model, &run.judges_served),
        });
    }
    (judged, criteria)
}

/// A run that ended early, or whose judge often gave no verdict, measures nothing.
fn require_answers(run: &Run) -> Result<(), CommandError> {
    if let Some(end) = run.finished.as_ref().filter(|end| !end.is_complete()) {
        let message = end.message.clone().unwrap_or_else(|| end.reason.clone());
        return Err(CommandError::infra(
            "incomplete",
            format!("the judge was not asked about every example: {message}"),
            Some("run the command again: answers that came are in the cache"),
        ));
    }
    // The baseline's answers are there to be compared with; the questions are the candidate's.
    let trials: Vec<&TrialRecord> = (0..run.cases.len())
        .flat_map(|case| run.repeats(case, Arm::Candidate))
        .collect();
    let lost = trials
        .iter()
        .filter(|trial| !matches!(trial.outcome, Some(Outcome::Passed | Outcome::Failed)));
    let count = lost.clone().count();
    if count as f64 <= MOST_ERRORED * trials.len() as f64 && count < trials.len() {
        return Ok(());
    }
    let offline = run.header.offline;
    let why = lost
        .filter_map(|trial| trial.error.as_ref())
        .map(|error| text::shorten(&text::visible_line(&error.message), 200).into_owned())
        .next();
    let why = match why {
        Some(message) => format!(": {message}"),
        None if offline => ": it is not in the cache, and nothing may leave the machine".to_owned(),
        None => String::new(),
    };
    let questions = text::count(trials.len(), "question");
    Err(CommandError::infra(
        if offline { "offline" } else { "judge" },
        format!("the judge gave no verdict on {count} of {questions}{why}"),
        Some("no record was written; mend the judge or its model, and calibrate again"),
    ))
}

/// What the judge said of an example, each time.
fn verdicts(run: &Run, index: usize, compares: bool) -> Vec<Option<JudgeVerdict>> {
    let trials = run.repeats(index, Arm::Candidate).iter();
    let said = trials.map(|trial| {
        let score = trial.scores.first()?;
        Some(JudgeVerdict {
            pass: score.pass,
            score: score.score,
            preferred: compares.then(|| preferred(score)),
            position: score.position,
        })
    });
    said.collect()
}

/// The better answer by the score of the second: 1 for a win, 0 for a loss, else a tie.
fn preferred(score: &ScoreSummary) -> Preference {
    match score.score {
        won if won > 0.75 => Preference::B,
        lost if lost < 0.25 => Preference::A,
        _ => Preference::Tie,
    }
}

/// The number of some criteria among those met, counted.
fn number(criteria: &mut Vec<CriteriaCount>, text: &str) -> u32 {
    let place = criteria.iter().position(|known| known.text == text);
    let place = place.unwrap_or_else(|| {
        criteria.push(CriteriaCount {
            text: text.to_owned(),
            examples: 0,
        });
        criteria.len() - 1
    });
    if let Some(known) = criteria.get_mut(place) {
        known.examples += 1;
    }
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// The digest of what was judged.
fn answer(example: &Example) -> Digest {
    match &example.subject {
        Subject::Answer(answer) => Digest::of_bytes(answer.as_bytes()),
        Subject::Pair(answers) => Digest::of_json(&json!(answers)),
    }
}

/// The length of an answer in characters; of two, by how much the second is longer.
fn length(example: &Example) -> f64 {
    let length = |text: &str| text.chars().count() as f64;
    match &example.subject {
        Subject::Answer(answer) => length(answer),
        Subject::Pair([first, second]) => length(second) - length(first),
    }
}

fn item(example: &Example, criteria: Option<u32>, judge: JudgeVerdict) -> CalibrationItem {
    CalibrationItem {
        id: example.id.to_string(),
        answer: answer(example),
        criteria,
        human: consensus(&example.ratings),
        judge,
    }
}

/// Whether the judge's model wrote an answer, by any of the names that it goes by.
fn own(example: &Example, model: &ModelSpec, served: &[String]) -> Option<bool> {
    let author = example.author.as_deref()?;
    // A served model may carry its backend's configuration in brackets.
    let mut served = served.iter().filter_map(|name| name.split(" (").next());
    Some(author == model.id() || author == model.name.as_str() || served.any(|name| name == author))
}
