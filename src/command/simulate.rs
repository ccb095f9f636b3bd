//! `gate simulate`: error rates of each test, and of a suite's policy on the suite's own cases.

use super::error::CommandError;
use super::project::Project;
use super::{dataset, suites};
use crate::analysis::{ArmCell, CaseRow, CaseTable};
use crate::base::Diagnostics;
use crate::dataset::Filter;
use crate::stats;
use crate::stats::simulate::{Criteria, Design, Simulation, simulate as run_tests};
use crate::verdict::{Policy, Rehearsal, rehearse};

/// What is simulated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Question {
    /// The outcomes.
    pub design: Design,
    /// What they are judged by.
    pub criteria: Criteria,
    /// Simulated runs.
    pub draws: usize,
    /// The seed.
    pub seed: u64,
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulated {
    /// What was simulated.
    pub question: Question,
    /// Each test by itself.
    pub tests: Simulation,
    /// The policy of a suite, where one was named.
    pub policy: Option<PolicyRates>,
}

/// How a suite's policy fares on its own cases.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRates {
    /// The suite.
    pub suite: String,
    /// What the policy said.
    pub rehearsal: Rehearsal,
    /// What of the policy or the cases could not be simulated.
    pub notes: Vec<&'static str>,
}

fn refused(error: &stats::Error) -> CommandError {
    CommandError::usage(
        error.to_string(),
        "see `gate simulate --help`; shares are fractions such as 0.05",
    )
}

/// Simulates single tests.
///
/// # Errors
/// When the outcomes are impossible.
pub fn simulate(question: Question) -> Result<Simulated, CommandError> {
    let Question {
        design,
        criteria,
        draws,
        seed,
    } = question;
    let tests = run_tests(&design, criteria, draws, seed).map_err(|error| refused(&error))?;
    Ok(Simulated {
        question,
        tests,
        policy: None,
    })
}

/// Simulates single tests and the policy of the one suite that the settings choose, with the
/// suite's cases and repeats.
///
/// # Errors
/// When no or several suites are chosen, its files are wrong, or the outcomes are impossible.
pub fn simulate_suite(
    project: &Project,
    mut question: Question,
    policy_draws: usize,
) -> Result<Simulated, CommandError> {
    let (all, _) = suites::load_all(project)?;
    let chosen = suites::choose(project, all)?;
    let [suite] = chosen.as_slice() else {
        return Err(CommandError::usage(
            "several suites are chosen",
            "name one with --suite NAME",
        ));
    };
    let mut found = Diagnostics::new();
    let data = dataset::load(project, suite, &[], &mut found)?;
    let (data, _) = found.finish(data)?;
    let cases = dataset::choose(suite, data.cases, &Filter::default(), None)?.cases;
    let rows = cases.iter().map(|case| CaseRow {
        id: case.id.as_str(),
        line: case.line,
        segment: &case.segment,
        cluster: case.cluster.as_deref(),
        must_pass: case.must_pass,
        quarantined: case.quarantined,
        baseline: Some(ArmCell::default()),
        candidate: ArmCell::default(),
    });
    let table = CaseTable {
        rows: rows.collect(),
        has_baseline: true,
        repeat: suite.repeat,
        graded: false,
    };
    question.design.cases = u32::try_from(table.rows.len()).unwrap_or(u32::MAX);
    question.design.trials = suite.repeat;
    question.criteria.alpha = suite.policy.alpha;
    question.criteria.margin = suite.policy.margin;
    let mut simulated = simulate(question)?;
    let rehearsal = rehearse(
        &table,
        &suite.policy,
        &question.design,
        policy_draws.max(1),
        question.seed,
    )
    .map_err(|error| refused(&error))?;
    simulated.policy = Some(PolicyRates {
        suite: suite.name.to_string(),
        rehearsal,
        notes: left_out(&suite.policy, &table),
    });
    Ok(simulated)
}

/// What of a policy the model of the outcomes says nothing about.
fn left_out(policy: &Policy, table: &CaseTable<'_>) -> Vec<&'static str> {
    let mut notes = Vec::new();
    if !policy.metrics.is_empty() {
        notes.push("further metrics are not simulated");
    }
    if table.rows.iter().any(|row| row.must_pass) {
        notes.push("must-pass cases are simulated like any other");
    }
    if table.rows.iter().any(|row| row.cluster.is_some()) {
        notes.push("the cases of a cluster are simulated as independent");
    }
    notes
}
