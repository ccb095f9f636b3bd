//! The suites of cases: one test case for each case, repeats and all.

use std::fmt::Write as _;
use std::io;

use super::count::{Counts, seconds};
use super::group::{Group, Names, part};
use super::mark::{self, Mark};
use super::xml::Xml;
use super::{File, Level, Profile};
use crate::analysis::CaseRow;
use crate::record::{Arm, Outcome};
use crate::report::content::SuiteReport;
use crate::report::escape::cut_middle;
use crate::report::exhibit::{self, Exhibit};

/// The largest answer within a body, so that one answer does not push the others out.
const ANSWER_LIMIT: usize = 16 * 1024;

/// Counts the cases of a group that the file has.
pub fn count(file: &File<'_>, suite: &SuiteReport<'_>, group: &Group) -> Counts {
    let mut counts = Counts::default();
    for (index, row) in rows(suite, group) {
        let mark = mark::of_case(suite, index, row, file.options.cases);
        if is_written(file, row, mark) {
            counts.take(mark, time(suite, index));
        }
    }
    counts
}

fn rows<'a>(
    suite: &'a SuiteReport<'a>,
    group: &'a Group,
) -> impl Iterator<Item = (usize, &'a CaseRow<'a>)> {
    let rows = group.rows.iter();
    rows.filter_map(|index| Some((*index, suite.table.rows.get(*index)?)))
}

fn is_written(file: &File<'_>, row: &CaseRow<'_>, mark: Mark<'_>) -> bool {
    file.level == Level::Full || mark != Mark::Passed || row.candidate.is_flaky()
}

/// The seconds that the candidate's answers took.
fn time(suite: &SuiteReport<'_>, index: usize) -> f64 {
    let trials = suite.run.repeats(index, Arm::Candidate).iter();
    trials
        .filter_map(|trial| trial.latency_ms.get())
        .sum::<f64>()
        / 1000.0
}

/// Writes the suite of a group, unless size leaves it without a case.
pub fn write_group(
    file: &File<'_>,
    suite: &SuiteReport<'_>,
    group: &Group,
    names: &mut Names,
    xml: &mut Xml<'_>,
) -> io::Result<()> {
    let counts = count(file, suite, group);
    if counts.tests == 0 {
        return Ok(());
    }
    let title = part(&suite.run.header.title);
    let class = format!("gate.{title}.{}", group.name);
    xml.start(
        "testsuite",
        &counts.suite_attributes(&format!("gate/{title}/{}", group.name)),
    )?;
    for (index, row) in rows(suite, group) {
        let mark = mark::of_case(suite, index, row, file.options.cases);
        let name = names.unique(&class, row.id);
        if is_written(file, row, mark) {
            let place = Place {
                class: &class,
                name,
                index,
            };
            write_case(file, suite, row, &place, mark, xml)?;
        }
    }
    xml.end("testsuite")
}

struct Place<'a> {
    class: &'a str,
    name: String,
    index: usize,
}

fn write_case(
    file: &File<'_>,
    suite: &SuiteReport<'_>,
    row: &CaseRow<'_>,
    place: &Place<'_>,
    mark: Mark<'_>,
    xml: &mut Xml<'_>,
) -> io::Result<()> {
    let mut attributes = vec![
        ("classname", place.class.to_owned()),
        ("name", place.name.clone()),
    ];
    match file.options.profile {
        Profile::Common => {
            attributes.push(("file", suite.run.header.dataset.path.clone()));
            attributes.push(("line", row.line.to_string()));
        }
        Profile::Strict => {}
    }
    attributes.push(("time", seconds(time(suite, place.index))));
    xml.start("testcase", &attributes)?;
    match file.options.profile {
        Profile::Common => xml.properties(properties(suite, row))?,
        Profile::Strict => {}
    }
    write_mark(file, suite, row, place.index, mark, xml)?;
    xml.end("testcase")
}

fn write_mark(
    file: &File<'_>,
    suite: &SuiteReport<'_>,
    row: &CaseRow<'_>,
    index: usize,
    mark: Mark<'_>,
    xml: &mut Xml<'_>,
) -> io::Result<()> {
    let text = || {
        let exhibit = exhibit::of(suite, index, row, suite.run.cases.get(index));
        if file.level < Level::WithoutBodies {
            body(&exhibit)
        } else {
            exhibit.message
        }
    };
    let attributes = |kind: &str| {
        let message = exhibit::message(suite, index, row);
        [("message", message), ("type", kind.to_owned())]
    };
    match mark {
        Mark::Passed => flaky(suite, index, xml),
        Mark::Quoted => xml.element("system-out", &[], &text()),
        Mark::Failure(kind) => xml.element("failure", &attributes(kind), &text()),
        Mark::Error(kind) => xml.element("error", &attributes(kind), &text()),
        Mark::Skipped(kind) => xml.empty("skipped", &attributes(kind)),
    }
}

/// One element for each lost repeat of a case that passes.
fn flaky(suite: &SuiteReport<'_>, index: usize, xml: &mut Xml<'_>) -> io::Result<()> {
    let trials = suite.run.repeats(index, Arm::Candidate).iter().zip(1..);
    for (trial, repeat) in trials.filter(|(trial, _)| trial.outcome == Some(Outcome::Failed)) {
        let problems = exhibit::problems(suite, trial).join("; ");
        let message = format!("repeat {repeat} of {}: {problems}", suite.run.header.repeat);
        let message = exhibit::one_line(&message);
        let attributes = [("message", message.clone()), ("type", "flaky".to_owned())];
        xml.element("flakyFailure", &attributes, &message)?;
    }
    Ok(())
}

fn properties(suite: &SuiteReport<'_>, row: &CaseRow<'_>) -> Vec<(String, Option<String>)> {
    let transition = row.transition().as_str().to_owned();
    let mut properties = vec![
        ("gate.transition".to_owned(), Some(transition)),
        (
            "gate.score".to_owned(),
            row.candidate.score.map(|score| score.to_string()),
        ),
    ];
    for (scorer, score) in &row.candidate.scorer_scores {
        if let Some(name) = suite.run.scorers.get(usize::from(*scorer)) {
            properties.push((format!("gate.score.{name}"), Some(score.to_string())));
        }
    }
    let cost = row.candidate.cost_usd.get().map(|cost| cost.to_string());
    properties.push(("gate.cost_usd".to_owned(), cost));
    properties
}

/// The message again, then what was asked, what was expected and what was answered.
fn body(exhibit: &Exhibit) -> String {
    let mut body = format!("{}\n", exhibit.message);
    // Writing to a `String` can not fail.
    for (name, value) in &exhibit.input {
        let _ = write!(
            body,
            "\ninput {name}:\n{}\n",
            cut_middle(value, ANSWER_LIMIT)
        );
    }
    if let Some(expected) = &exhibit.expected {
        let _ = write!(
            body,
            "\nexpected:\n{}\n",
            cut_middle(expected, ANSWER_LIMIT)
        );
    }
    for answer in &exhibit.answers {
        let text = cut_middle(&answer.text, ANSWER_LIMIT);
        let _ = write!(body, "\n{}:\n{text}\n", answer.heading);
        for problem in &answer.problems {
            let _ = writeln!(body, "- {}", cut_middle(problem, ANSWER_LIMIT));
        }
    }
    body
}
