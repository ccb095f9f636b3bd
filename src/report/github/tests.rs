//! Annotations and outputs, and hostile text in them.

use super::*;
use crate::report::sample::{self, Said};

fn annotations(report: &Report<'_>) -> String {
    sample::rendered(|into| write_annotations(report, into))
}

#[test]
fn annotates_lost_cases_where_they_stand() {
    let sample = sample::hostile();
    sample::assert_snapshot(
        "github-annotations",
        &annotations(&sample::several(&sample)),
    );
}

#[test]
fn annotates_a_run_without_a_verdict() {
    let sample = sample::broken();
    assert_eq!(
        annotations(&sample.report()),
        "::error title=gate::support-triage: no verdict: ten attempts in a row timed out.\n"
    );
}

#[test]
fn only_warns_where_the_gate_does_not_block() {
    let mut sample = sample::hostile();
    sample.decision = sample::undecided(false);
    assert!(annotations(&sample.report()).starts_with("::warning file="));
}

#[test]
fn keeps_nine_and_counts_the_rest() {
    let mut sample = sample::hostile();
    let case = sample.run.cases[0].clone();
    let ids = (0..40).map(|number| crate::base::CaseId::new(&format!("case-{number}")));
    let cases: Vec<_> = ids
        .map(|id| crate::dataset::Case { id, ..case.clone() })
        .collect();
    let mut header = sample.run.header.clone();
    header.dataset.path = "data,a:b%\n::error::x".into();
    let said = [Said::Right("billing"), Said::Wrong("%\r\n::x")].repeat(cases.len());
    (sample.run, sample.texts) = sample::fold(header, cases, &said);
    for result in sample.texts.results.values_mut() {
        for score in &mut result.scores {
            score.reason = "%\n".repeat(5_000);
        }
    }
    let text = annotations(&sample.report());
    assert_eq!(text.lines().count(), 10);
    assert!(text.ends_with("::error title=gate::and 31 more\n"));
    for line in text.lines() {
        assert!(line.starts_with("::error ") && line.len() <= 4_096);
    }
    assert!(text.starts_with("::error file=data%2Ca%3Ab%25%0A%3A%3Aerror%3A%3Ax,line=1,title="));
}

#[test]
fn gives_every_output() {
    let sample = sample::hostile();
    let paths = Paths {
        junit: Some("gate.xml".into()),
        json: Some("a\nEND\nverdict=pass".into()),
        ..Paths::default()
    };
    let report = sample::several(&sample);
    let text = sample::rendered(|into| write_outputs(&report, &paths, "END", into));
    sample::assert_snapshot("github-outputs", &text);
    assert_eq!(text.lines().filter(|line| *line == "END").count(), 11);
}

#[test]
fn quoted_text_has_no_commands() {
    let text = sample::rendered(|into| write_quoted("a\n::error::b", "t0ken", into));
    assert_eq!(
        text,
        "::stop-commands::t0ken\na\n\u{2502} ::error::b\n::t0ken::\n"
    );
}
