//! Tests of the decision through `decide`, on tables made of counts.

mod edges;
mod examples;
mod metrics;
mod policy;
mod properties;
mod quarantine;
mod simulation;

use std::sync::Arc;

use super::{Decision, DecisionContext, Policy, RuleResult, decide};
use crate::analysis::{ArmCell, CaseRow, CaseTable};
use crate::base::decode::Reader;
use crate::base::{Diagnostics, Fields, Source};

/// A case of a test, owned.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub id: String,
    pub segment: Fields<Box<str>>,
    pub cluster: Option<String>,
    pub must_pass: bool,
    pub quarantined: bool,
    pub baseline: ArmCell,
    pub candidate: ArmCell,
}

pub(super) fn cell(passed: u32, failed: u32) -> ArmCell {
    ArmCell {
        passed,
        failed,
        ..ArmCell::default()
    }
}

pub(super) fn lost(cell: &mut ArmCell) {
    cell.errored += cell.passed + cell.failed;
    (cell.passed, cell.failed) = (0, 0);
}

/// Rows of counts: both pass, regressions, fixes, both fail.
pub(super) fn counts([n11, b, c, n00]: [usize; 4]) -> Vec<Row> {
    let kinds = [(n11, (1, 1)), (b, (1, 0)), (c, (0, 1)), (n00, (0, 0))];
    let mut rows = Vec::new();
    for (number, (baseline, candidate)) in kinds {
        for _ in 0..number {
            rows.push(Row {
                id: format!("c-{:03}", rows.len() + 1),
                baseline: cell(baseline, 1 - baseline),
                candidate: cell(candidate, 1 - candidate),
                ..Row::default()
            });
        }
    }
    rows
}

pub(super) fn in_segment(mut rows: Vec<Row>, key: &str, value: &str) -> Vec<Row> {
    for row in &mut rows {
        row.segment = Fields::new(vec![(key.into(), value.into())]);
        row.id = format!("{value}-{}", row.id);
    }
    rows
}

pub(super) fn policy(yaml: &str) -> Policy {
    read(yaml).unwrap_or_else(|found| panic!("{found}"))
}

/// Reads a policy, or the rules broken.
pub(super) fn read(yaml: &str) -> Result<Policy, String> {
    let source = Source::new("suite.yaml", yaml);
    let node = crate::base::yaml::parse(&source).unwrap();
    let mut diagnostics = Diagnostics::new();
    let mut reader = Reader {
        source,
        diagnostics: &mut diagnostics,
    };
    Policy::decode(&mut reader, Some(&node)).ok_or_else(|| {
        let found: Vec<&str> = diagnostics.iter().map(|finding| finding.rule).collect();
        found.join(" ")
    })
}

pub(super) fn context() -> DecisionContext<'static> {
    DecisionContext {
        seed: 1,
        baseline: "v7",
        candidate: "v8",
        complete: true,
        ..DecisionContext::default()
    }
}

pub(super) fn with_table<T>(rows: &[Row], repeat: u32, act: impl FnOnce(&CaseTable<'_>) -> T) -> T {
    let table = CaseTable {
        rows: rows
            .iter()
            .map(|row| CaseRow {
                id: &row.id,
                line: 1,
                segment: &row.segment,
                cluster: row.cluster.as_deref(),
                must_pass: row.must_pass,
                quarantined: row.quarantined,
                baseline: Some(row.baseline.clone()),
                candidate: row.candidate.clone(),
            })
            .collect(),
        has_baseline: true,
        repeat,
        graded: false,
    };
    act(&table)
}

pub(super) fn scorers() -> Vec<Arc<str>> {
    vec!["equals".into(), "polite".into()]
}

pub(super) fn compare(rows: &[Row], policy: &Policy) -> Decision {
    compare_in(rows, policy, &context())
}

pub(super) fn compare_in(rows: &[Row], policy: &Policy, context: &DecisionContext<'_>) -> Decision {
    let repeat = rows.iter().map(|row| row.candidate.planned()).max();
    with_table(rows, repeat.unwrap_or(1), |table| {
        decide(table, &scorers(), policy, context)
    })
}

/// A run of the candidate alone.
pub(super) fn run_alone(rows: &[Row], policy: &Policy) -> Decision {
    with_table(rows, 1, |table| {
        let mut table = table.clone();
        table.has_baseline = false;
        for row in &mut table.rows {
            row.baseline = None;
        }
        decide(&table, &scorers(), policy, &context())
    })
}

pub(super) fn rule<'d>(decision: &'d Decision, id: &str) -> &'d RuleResult {
    let found = decision.rules.iter().find(|rule| rule.id == id);
    found.unwrap_or_else(|| panic!("no rule {id}"))
}

#[track_caller]
pub(super) fn assert_near(actual: Option<f64>, printed: f64) {
    let actual = actual.expect("a number");
    assert!((actual - printed).abs() < 1e-6, "{actual} is not {printed}");
}
