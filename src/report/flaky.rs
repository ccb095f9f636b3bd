//! What reports say of repeats: how reliable each arm is over them, which cases disagree with
//! themselves, and which are quarantined for it. Unescaped: each renderer makes it safe.

use super::content::SuiteReport;
use super::number::percent;
use crate::analysis::{flaky_cases, reliability};
use crate::record::Arm;
use crate::verdict::Quarantine;

/// The most cases named in a sentence; the lists below it and the JSON report have more.
const NAMED: usize = 10;

const ARMS: [Arm; 2] = [Arm::Baseline, Arm::Candidate];

/// The sentences: pass^k and pass@k, flaky cases, quarantined cases; each where there is something
/// to say.
#[must_use]
pub fn sentences(suite: &SuiteReport<'_>) -> Vec<String> {
    let quarantine = Quarantine::of_table(&suite.table);
    let quarantined = (quarantine.cases > 0).then(|| {
        format!(
            "{} as flaky and in no rule: {}.",
            quarantine.phrase(),
            named(quarantined(suite))
        )
    });
    let found = [over_repeats(suite), disagreeing(suite), quarantined];
    found.into_iter().flatten().collect()
}

/// `Over 3 repeats: v7 pass^3 91.0 %, pass@3 97.0 %; v8 ….`
fn over_repeats(suite: &SuiteReport<'_>) -> Option<String> {
    let arms: Vec<String> = ARMS
        .into_iter()
        .filter_map(|arm| {
            let found = reliability(&suite.table, arm)?;
            Some(format!(
                "{} pass^{k} {}, pass@{k} {}",
                suite.label(arm),
                percent(found.pass_hat_k),
                percent(found.pass_at_k),
                k = found.k,
            ))
        })
        .collect();
    let repeats = suite.table.repeat;
    (!arms.is_empty()).then(|| format!("Over {repeats} repeats: {}.", arms.join("; ")))
}

fn disagreeing(suite: &SuiteReport<'_>) -> Option<String> {
    let cases = flaky(suite);
    (!cases.is_empty()).then(|| format!("Flaky: {}.", named(cases)))
}

/// The cases whose repeats disagree, with the rate of each side that does.
#[must_use]
pub fn flaky<'a>(suite: &'a SuiteReport<'_>) -> Vec<(&'a str, String)> {
    let mut cases: Vec<(&str, String)> = Vec::new();
    let [baseline, candidate] = ARMS.map(|arm| flaky_cases(&suite.table, arm));
    let mut sides = [
        (suite.label(Arm::Baseline), baseline.into_iter().peekable()),
        (
            suite.label(Arm::Candidate),
            candidate.into_iter().peekable(),
        ),
    ];
    for row in &suite.table.rows {
        let rates: Vec<String> = sides
            .iter_mut()
            .filter_map(|(label, found)| {
                let case = found.next_if(|case| case.id == row.id)?;
                let (passed, finished) = (case.passed, case.finished);
                Some(format!("{passed} of {finished} pass on {label}"))
            })
            .collect();
        if !rates.is_empty() {
            cases.push((row.id, rates.join(", ")));
        }
    }
    cases
}

/// The quarantined cases with what became of each.
#[must_use]
pub fn quarantined<'a>(suite: &'a SuiteReport<'_>) -> Vec<(&'a str, String)> {
    let rows = suite.table.rows.iter().filter(|row| row.is_held_out());
    rows.map(|row| (row.id, row.transition().as_str().replace('_', " ")))
        .collect()
}

fn named(cases: Vec<(&str, String)>) -> String {
    let more = cases.len().saturating_sub(NAMED);
    let shown = cases.into_iter().take(NAMED);
    let shown: Vec<String> = shown.map(|(id, what)| format!("{id} ({what})")).collect();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
}
