//! The outcomes of a stored run's arm: `run:ID`, `run:ID#baseline`, `run:last`.

use super::row::{Outcomes, Row};
use crate::base::Digest;
use crate::command::{CommandError, Project};
use crate::dataset::Case;
use crate::record::{Arm, Outcome, Run, TrialRecord};
use crate::store::runs;

/// Reads an arm of a stored run. `wanted` is what follows `run:`.
pub(super) fn read(project: &Project, wanted: &str) -> Result<Outcomes, CommandError> {
    let (run, arm) = match wanted.split_once('#') {
        None | Some((_, "candidate")) => (wanted.split('#').next(), Arm::Candidate),
        Some((run, "baseline")) => (Some(run), Arm::Baseline),
        Some((_, other)) => {
            return Err(CommandError::usage(
                format!("a run has no arm `{other}`"),
                "write run:ID for the candidate, or run:ID#baseline",
            ));
        }
    };
    let id = runs::find(&project.state, run.unwrap_or(wanted))?;
    let loaded = runs::load(&project.state, &id)?;
    let run = &loaded.run;
    let Some(header) = run.header.arm(arm) else {
        return Err(CommandError::usage(
            format!("run {id} has no baseline"),
            "name its candidate with run:ID",
        ));
    };
    Ok(Outcomes {
        name: format!("{} of run {}", header.label, short(id.as_str())),
        digest: header.hash,
        rows: rows(run, arm),
    })
}

fn short(id: &str) -> &str {
    crate::base::text::byte_prefix(id, 8)
}

fn rows(run: &Run, arm: Arm) -> Vec<Row> {
    let cases = run.cases.iter().enumerate();
    let trials = cases.flat_map(|(index, case)| {
        let content = Digest::of_json(&case.to_json());
        let repeats = run.repeats(index, arm).iter().zip(1..);
        repeats.map(move |(trial, repeat)| row(case, content, trial, repeat))
    });
    trials.collect()
}

fn row(case: &Case, content: Digest, trial: &TrialRecord, repeat: u32) -> Row {
    let pass = match trial.outcome {
        Some(Outcome::Passed) => Some(true),
        Some(Outcome::Failed) => Some(false),
        Some(Outcome::Errored | Outcome::Skipped) | None => None,
    };
    let segment = case.segment.iter();
    Row {
        id: case.id.as_str().to_owned(),
        line: case.line,
        trial: Some(repeat),
        pass,
        score: trial.score(),
        error: trial.error.as_ref().map(|error| error.message.clone()),
        skipped: pass.is_none() && trial.error.is_none(),
        segment: segment
            .map(|(key, value)| (key.to_owned(), value.to_string()))
            .collect(),
        cluster: case.cluster.as_deref().map(str::to_owned),
        must_pass: case.must_pass,
        quarantined: case.quarantined,
        cost_usd: trial.answer.cost_usd.get(),
        latency_ms: trial.latency_ms.get(),
        input_tokens: trial.usage.input_tokens.get(),
        output_tokens: trial.usage.output_tokens.get(),
        output: None,
        content: Some(content),
    }
}
