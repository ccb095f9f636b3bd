//! The cases of a suite: the frame in which the page's script shows them, and they themselves as
//! JSON, in which no character could end the element that holds it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeSeq as _, Serializer as _};

use crate::analysis::{CaseRow, Transition};
use crate::base::text::{count, thousands};
use crate::dataset::Case;
use crate::record::{Outcome, TrialRecord};
use crate::report::content::SuiteReport;
use crate::report::escape::{cut_middle, html as safe, terminal};
use crate::report::exhibit;

/// How much of the cases a page holds, so that it stays within its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The bytes of a text of a case that changed or failed; 0 for none.
    changed: usize,
    /// The bytes of a text of a case that passes on both sides; 0 for none.
    kept: usize,
    /// The most cases; those that changed or failed come first when there are more.
    cases: usize,
}

impl Level {
    /// From everything to little.
    pub const ALL: [Self; 7] = [
        Self::new(64 << 10, 64 << 10, usize::MAX),
        Self::new(64 << 10, 2_000, usize::MAX),
        Self::new(16 << 10, 500, usize::MAX),
        Self::new(4_000, 0, usize::MAX),
        Self::new(1_000, 0, usize::MAX),
        Self::new(300, 0, 40_000),
        Self::LEAST,
    ];
    /// What is taken whatever its size.
    pub const LEAST: Self = Self::new(0, 0, 20_000);

    const fn new(changed: usize, kept: usize, cases: usize) -> Self {
        Self {
            changed,
            kept,
            cases,
        }
    }
}

/// What a filter calls a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Lost,
    Fixed,
    Known,
    Missing,
    Quarantined,
    Kept,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Lost,
        Self::Fixed,
        Self::Known,
        Self::Missing,
        Self::Quarantined,
        Self::Kept,
    ];

    fn of(row: &CaseRow<'_>) -> Self {
        match row.transition() {
            _ if row.is_held_out() => Self::Quarantined,
            _ if row.is_lost() => Self::Lost,
            Transition::Fixed => Self::Fixed,
            Transition::KnownFailure => Self::Known,
            Transition::Missing => Self::Missing,
            Transition::Kept | Transition::Regression | Transition::New => Self::Kept,
        }
    }

    /// The value of its filter, and its name with and without a baseline.
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Lost => ("lost", "Lost", "Fail"),
            Self::Fixed => ("fixed", "Fixed", "Fixed"),
            Self::Known => ("known", "Fail on both", "Fail on both"),
            Self::Missing => ("missing", "Without a result", "Without a result"),
            Self::Quarantined => ("quarantined", "Quarantined", "Quarantined"),
            Self::Kept => ("kept", "Pass on both", "Pass"),
        }
    }
}

/// Writes the section.
///
/// # Errors
/// Those of the writer.
pub fn write(
    into: &mut dyn Write,
    suite: &SuiteReport<'_>,
    number: usize,
    level: Level,
) -> io::Result<()> {
    let rows = listed(suite, level);
    into.write_all(frame(suite, number, &rows).as_bytes())?;
    write!(
        into,
        "<script type=\"application/json\" id=\"data-{number}\">"
    )?;
    data(into, suite, &rows, level)?;
    into.write_all(b"</script>\n</section>\n")
}

/// The indices of the cases that the page holds, in the dataset's order.
fn listed(suite: &SuiteReport<'_>, level: Level) -> Vec<usize> {
    let all = 0..suite.table.rows.len();
    if all.len() <= level.cases {
        return all.collect();
    }
    let kind = |index: &usize| suite.table.rows.get(*index).map(Kind::of);
    let mut rows: Vec<usize> = all.collect();
    rows.sort_by_key(kind);
    rows.truncate(level.cases);
    rows.sort_unstable();
    rows
}

/// The filters and the empty table; without JavaScript, the lost cases by name.
fn frame(suite: &SuiteReport<'_>, number: usize, rows: &[usize]) -> String {
    let mut html = format!(
        "<section id=\"cases-{number}\" class=\"cases\" data-cases=\"data-{number}\">\n<h2>Cases</h2>\n"
    );
    // Writing to a `String` can not fail.
    let left = suite.table.rows.len() - rows.len();
    if left > 0 {
        let _ = writeln!(
            html,
            "<p>{} that pass or come last are left out for size: the JSON report has them.</p>",
            count(left, "case")
        );
    }
    html.push_str(&without_script(suite));
    let _ = write!(
        html,
        "<form class=\"filters\" hidden>\n<fieldset>\n<legend class=\"aside\">Which cases</legend>\n{}</fieldset>\n",
        kinds(suite, number, rows)
    );
    html.push_str(&segments(suite, rows));
    html.push_str(
        "<label class=\"search\"><span class=\"aside\">Search in all texts</span><input type=\"search\" placeholder=\"Search in all texts\" autocomplete=\"off\" spellcheck=\"false\"></label>\n</form>\n",
    );
    let arms = suite.run.arms().map(|arm| {
        format!(
            "<th scope=\"col\" class=\"side\">{}</th>",
            safe(suite.label(arm))
        )
    });
    let _ = write!(
        html,
        "<div class=\"listing\" hidden>\n<p class=\"status\"><span role=\"status\"></span> <span class=\"small keys\"><kbd>\u{2191}</kbd> <kbd>\u{2193}</kbd> move, <kbd>Enter</kbd> opens, <kbd>Esc</kbd> closes, <kbd>/</kbd> searches</span></p>\n\
         <table class=\"list\">\n<caption class=\"aside\">Cases</caption>\n<thead><tr><th scope=\"col\">Case</th><th scope=\"col\">Change</th><th scope=\"col\">Segment</th>{}<th scope=\"col\">Why</th></tr></thead>\n<tbody></tbody>\n</table>\n\
         <p class=\"actions\"><button type=\"button\" data-more>Show more</button> <button type=\"button\" data-open>Open all shown</button></p>\n</div>\n",
        arms.collect::<String>()
    );
    html
}

fn without_script(suite: &SuiteReport<'_>) -> String {
    const MOST: usize = 100;
    let lost = || suite.rows().filter(|(_, row, _)| row.is_lost());
    let items = lost().take(MOST).map(|(index, row, _)| {
        let message = exhibit::message(suite, index, row);
        format!("<li><b>{}</b> {}</li>\n", safe(row.id), safe(&message))
    });
    let items: String = items.collect();
    let more = lost().skip(MOST).count();
    let more = if more > 0 {
        format!("<p>And {} more.</p>\n", thousands(more))
    } else {
        String::new()
    };
    format!(
        "<noscript>\n<p>The cases with their answers need JavaScript; none of it comes from elsewhere.</p>\n<ul>\n{items}</ul>\n{more}</noscript>\n"
    )
}

/// A choice for each kind of case that is there.
fn kinds(suite: &SuiteReport<'_>, number: usize, rows: &[usize]) -> String {
    let rows = || rows.iter().filter_map(|index| suite.table.rows.get(*index));
    let has_baseline = suite.table.has_baseline;
    let mut choices = Vec::new();
    for kind in Kind::ALL {
        let (value, both, alone) = kind.words();
        let found = rows().filter(|row| Kind::of(row) == kind).count();
        choices.push((value, if has_baseline { both } else { alone }, found));
    }
    let flaky = rows().filter(|row| is_flaky(row)).count();
    let errors = rows().filter(|row| has_error(row)).count();
    choices.push(("flaky", "Flaky", flaky));
    choices.push(("errors", "Errors", errors));
    choices.push(("all", "All", rows().count()));
    choices.retain(|(value, _, found)| *found > 0 || *value == "all");
    let first = choices.first().map(|(value, ..)| *value);
    let first = first.filter(|value| matches!(*value, "lost" | "fixed" | "known" | "missing"));
    let chosen = first.unwrap_or("all");
    let choices = choices.iter().map(|(value, name, found)| {
        let checked = if *value == chosen { " checked" } else { "" };
        format!(
            "<label><input type=\"radio\" name=\"kind-{number}\" value=\"{value}\"{checked}><span>{name} <b>{}</b></span></label>\n",
            thousands(*found)
        )
    });
    choices.collect()
}

fn is_flaky(row: &CaseRow<'_>) -> bool {
    row.candidate.is_flaky()
        || row
            .baseline
            .as_ref()
            .is_some_and(crate::analysis::ArmCell::is_flaky)
}

fn has_error(row: &CaseRow<'_>) -> bool {
    row.candidate.errored > 0 || row.baseline.as_ref().is_some_and(|cell| cell.errored > 0)
}

/// A choice of one segment, where cases have any.
fn segments(suite: &SuiteReport<'_>, rows: &[usize]) -> String {
    const MOST: usize = 500;
    let mut found: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for row in rows.iter().filter_map(|index| suite.table.rows.get(*index)) {
        for (key, value) in row.segment.iter() {
            *found.entry((key, value.as_ref())).or_default() += 1;
        }
    }
    if found.is_empty() {
        return String::new();
    }
    let mut html = "<label><span class=\"aside\">Segment</span><select><option value=\"\">All segments</option>".to_owned();
    for ((key, value), count) in found.iter().take(MOST) {
        let name = safe(&format!("{key}={value}"));
        let _ = write!(
            html,
            "<option value=\"{name}\">{name} ({})</option>",
            thousands(*count)
        );
    }
    html.push_str("</select></label>\n");
    html
}

#[derive(Serialize)]
struct Head<'a> {
    run: &'a str,
    arms: Vec<String>,
    scorers: Vec<String>,
}

#[derive(Serialize)]
struct Entry<'a> {
    id: String,
    line: u32,
    kind: Kind,
    #[serde(skip_serializing_if = "is_false")]
    flaky: bool,
    #[serde(skip_serializing_if = "is_false")]
    error: bool,
    #[serde(skip_serializing_if = "is_false")]
    must: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    segment: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    input: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    sides: Vec<Vec<Trial<'a>>>,
}

#[derive(Serialize)]
struct Trial<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calls: Vec<String>,
    /// Why there is no answer, or what is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    /// Scorer, pass, score, whether it decides, reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scores: Vec<(u16, bool, f64, bool, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usd: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finish: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    cached: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// An array: what all cases share, then the cases.
fn data(
    into: &mut dyn Write,
    suite: &SuiteReport<'_>,
    rows: &[usize],
    level: Level,
) -> io::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(into, Inert);
    let mut list = serializer.serialize_seq(None)?;
    list.serialize_element(&Head {
        run: suite.run.header.run_id.as_str(),
        arms: suite
            .run
            .arms()
            .map(|arm| shown(suite.label(arm)))
            .collect(),
        scorers: suite.run.scorers.iter().map(|name| shown(name)).collect(),
    })?;
    for index in rows {
        if let Some(row) = suite.table.rows.get(*index) {
            list.serialize_element(&entry(suite, *index, row, level))?;
        }
    }
    list.end()?;
    Ok(())
}

/// Text as a page may show it: what would deceive a reader is an escape to read.
fn shown(text: &str) -> String {
    terminal(text).into_owned()
}

fn entry<'a>(
    suite: &'a SuiteReport<'_>,
    index: usize,
    row: &CaseRow<'_>,
    level: Level,
) -> Entry<'a> {
    let kind = Kind::of(row);
    let limit = if kind == Kind::Kept && !is_flaky(row) && !has_error(row) {
        level.kept
    } else {
        level.changed
    };
    let case = suite.run.cases.get(index).filter(|_| limit > 0);
    let cut = |text: &str| shown(&cut_middle(text, limit));
    let sides = suite.run.arms().map(|arm| {
        let trials = suite.run.repeats(index, arm).iter();
        trials.map(|record| trial(suite, record, limit)).collect()
    });
    Entry {
        id: shown(row.id),
        line: row.line,
        kind,
        flaky: is_flaky(row),
        error: has_error(row),
        must: row.must_pass,
        segment: row
            .segment
            .iter()
            .map(|(key, value)| shown(&format!("{key}={value}")))
            .collect(),
        input: case.map_or_else(Vec::new, |case| inputs(case, limit)),
        expected: case
            .and_then(|case| case.expected.as_ref())
            .map(|value| cut(&exhibit::plain(value))),
        sides: sides.collect(),
    }
}

fn inputs(case: &Case, limit: usize) -> Vec<(String, String)> {
    let vars = case.vars.iter();
    vars.map(|(name, value)| {
        (
            shown(name),
            shown(&cut_middle(&exhibit::plain(value), limit)),
        )
    })
    .collect()
}

fn trial<'a>(suite: &'a SuiteReport<'_>, record: &TrialRecord, limit: usize) -> Trial<'a> {
    let cut = |text: &str| shown(&cut_middle(text, limit));
    let outcome = record.outcome.unwrap_or(Outcome::Skipped);
    let answer = if limit > 0 {
        Some(suite.answer(record))
    } else {
        None
    };
    let (text, calls, unread) = match answer {
        Some(Ok(answer)) => {
            let calls = answer.tool_calls.iter();
            let calls = calls.map(|call| cut(&format!("{}({})", call.name, call.arguments)));
            (Some(cut(&answer.reply)), calls.collect(), None)
        }
        Some(Err(words)) => (None, Vec::new(), Some(words)),
        None => (None, Vec::new(), None),
    };
    let skip = suite
        .skip_of(record)
        .map(|skip| format!("not run: {}", skip.as_str()));
    let error = record
        .error
        .as_ref()
        .map(|error| format!("{}: {}", error.class.as_str(), error.message));
    let fault = record
        .fault
        .map(|fault| format!("the answer is faulty: {}", fault.as_str()));
    let note = skip.or(error).or(fault).or(unread.map(str::to_owned));
    Trial {
        outcome: outcome.as_str(),
        text,
        calls,
        note: note.map(|note| shown(&cut_middle(&note, limit.max(300)))),
        scores: scores(suite, record, limit),
        ms: record.latency_ms.get(),
        usd: record.answer.cost_usd.get(),
        finish: suite.run.finish_of(record).filter(|word| *word != "stop"),
        cached: record.answer.cached,
    }
}

/// The scores with their reasons; without texts where the page has no room for them.
fn scores(
    suite: &SuiteReport<'_>,
    record: &TrialRecord,
    limit: usize,
) -> Vec<(u16, bool, f64, bool, String)> {
    let reasons = if limit > 0 {
        suite.scores(record)
    } else {
        None
    };
    let reasons: Vec<String> = reasons.map_or_else(Vec::new, |scores| {
        scores
            .iter()
            .map(|score| shown(&cut_middle(&score.reason, limit)))
            .collect()
    });
    let mut reasons = reasons.into_iter();
    let scores = record.scores.iter().map(|score| {
        let reason = reasons.next().unwrap_or_default();
        (score.scorer, score.pass, score.score, score.gating, reason)
    });
    scores.collect()
}

/// Writes JSON that an HTML parser sees nothing in: `<`, `>`, `&` and the line ends of JavaScript
/// are escapes.
struct Inert;

impl serde_json::ser::Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let is_active = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        let mut rest = fragment;
        while let Some((plain, active)) = rest
            .find(is_active)
            .and_then(|at| rest.split_at_checked(at))
        {
            writer.write_all(plain.as_bytes())?;
            let mut letters = active.chars();
            if let Some(c) = letters.next() {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
            rest = letters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}
