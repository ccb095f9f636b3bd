//! What moved since the promotion: prompt, served model, dataset; and how answers are distributed.

use super::pinned::Pinned;
use crate::analysis::drift::{AnswerShape, shifts};
use crate::command::outcome::SuiteRun;
use crate::record::{Arm, Run};
use crate::report::Texts as _;

/// p below which a distribution is said to have moved.
const NOTABLE: f64 = 0.01;

/// Rise of the cost of an answer that is worth a word.
const COST_CREEP: f64 = 1.05;

/// Sentences on what moved.
pub(super) fn notes(suite: &SuiteRun, pinned: &Pinned) -> Vec<String> {
    let run = &suite.run;
    let mut notes = vec![three(run, pinned)];
    let before = shapes(suite, Arm::Baseline);
    let after = shapes(suite, Arm::Candidate);
    let found = shifts(&before, &after);
    let moved: Vec<String> = found
        .iter()
        .filter(|shift| shift.p < NOTABLE)
        .map(|shift| {
            let psi = shift
                .psi
                .map_or(String::new(), |psi| format!(", PSI {psi:.2}"));
            let weak = if shift.weak { ", few answers" } else { "" };
            format!(
                "{} ({} p = {:.4}{psi}{weak})",
                shift.what, shift.test, shift.p
            )
        })
        .collect();
    if !found.is_empty() {
        notes.push(if moved.is_empty() {
            "Distributions of the answers (advisory): none moved.".to_owned()
        } else {
            format!("Distributions that moved (advisory): {}.", moved.join("; "))
        });
    }
    notes.extend(cost(run));
    notes
}

/// Which of the three moved.
fn three(run: &Run, pinned: &Pinned) -> String {
    let now: Vec<String> = run.served.get(&Arm::Candidate).cloned().unwrap_or_default();
    let hash = run.header.arm(Arm::Candidate).map(|arm| arm.hash);
    let mut moved = Vec::new();
    let mut same = Vec::new();
    if pinned.hash.is_some() && pinned.hash != hash {
        moved.push("the prompt's content".to_owned());
    } else {
        same.push("prompt");
    }
    if pinned.served.is_empty() || now.is_empty() {
        same.push("served model (unknown)");
    } else if pinned.served == now {
        same.push("served model");
    } else {
        moved.push(format!(
            "the served model ({} then, {} now)",
            pinned.served.join(", "),
            now.join(", ")
        ));
    }
    if pinned
        .dataset
        .is_some_and(|digest| digest != run.header.dataset.digest)
    {
        moved.push("the dataset".to_owned());
    } else {
        same.push("dataset");
    }
    match (moved.is_empty(), same.is_empty()) {
        (true, _) => format!(
            "Since the pinned answers nothing moved: {}.",
            same.join(", ")
        ),
        (false, true) => format!("Moved since the pinned answers: {}.", moved.join(", ")),
        (false, false) => format!(
            "Moved since the pinned answers: {}. The same: {}.",
            moved.join(", "),
            same.join(", ")
        ),
    }
}

fn shapes(suite: &SuiteRun, arm: Arm) -> Vec<AnswerShape> {
    let run = &suite.run;
    let cases = 0..run.cases.len();
    let trials = cases.flat_map(|case| run.repeats(case, arm));
    trials
        .filter(|trial| trial.answer.answered)
        .map(|trial| {
            let reply = trial
                .answer
                .reply_at
                .and_then(|span| suite.texts.reply(span));
            let text = reply.map_or(String::new(), |reply| reply.reply);
            AnswerShape {
                label: AnswerShape::label_of(&text),
                chars: text.chars().count(),
                finish: run.finish_of(trial).unwrap_or("unknown").to_owned(),
                refused: trial.fault == Some(crate::chat::AnswerFault::Refused),
                output_tokens: trial.usage.output_tokens.get().map(|tokens| tokens as f64),
                latency_ms: trial.latency_ms.get(),
            }
        })
        .collect()
}

/// Mean cost of an answer, where each is known.
pub(super) fn mean_cost(run: &Run, arm: Arm) -> Option<f64> {
    let cases = 0..run.cases.len();
    let answered = cases
        .flat_map(|case| run.repeats(case, arm))
        .filter(|trial| trial.answer.answered);
    let (mut sum, mut count) = (0.0, 0_u32);
    for trial in answered {
        sum += trial.answer.cost_usd.get()?;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}

fn cost(run: &Run) -> Option<String> {
    let before = mean_cost(run, Arm::Baseline).filter(|cost| *cost > 0.0)?;
    let now = mean_cost(run, Arm::Candidate)?;
    (now > COST_CREEP * before).then(|| {
        format!(
            "Cost creep: an answer costs {:.2} times what it did ({now:.6} USD).",
            now / before
        )
    })
}
