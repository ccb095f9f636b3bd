//! What a page says in words: the verdict first, the figures of a suite, and how they came about.

use std::fmt::Write as _;

use crate::analysis::Transition;
use crate::record::Arm;
use crate::report::content::{Report, SuiteOutcome, SuiteReport};
use crate::report::escape::html as safe;
use crate::report::method::{numbers, origins, trials};
use crate::report::{number, words};
use crate::verdict::Verdict;

/// The most rules whose numbers are printed; the JSON report has all.
const MAX_RULES: usize = 200;

/// The class of a verdict, and the sign before its word.
fn look(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("pass", "\u{2713}"),
        Verdict::Fail => ("fail", "\u{2715}"),
        Verdict::Inconclusive => ("undecided", "?"),
        Verdict::Skipped => ("quiet", "\u{2013}"),
        Verdict::Error => ("fail", "!"),
    }
}

fn word(verdict: Verdict) -> String {
    let (class, sign) = look(verdict);
    format!(
        "<span class=\"word {class}\"><span aria-hidden=\"true\">{sign}</span> {}</span>",
        words::shout(verdict)
    )
}

/// The verdict of the command, what a reader should know, and what to do.
pub fn head(report: &Report<'_>) -> String {
    let (class, _) = look(report.verdict);
    let only = match report.suites.as_slice() {
        [outcome] => outcome.ran(),
        [] | [_, _, ..] => None,
    };
    let mut html = format!(
        "<header class=\"verdict {class}\">\n<p class=\"over\">{}</p>\n<p>{}</p>\n<h1>{}</h1>\n",
        over(report),
        word(report.verdict),
        safe(&report.exit.message)
    );
    // Writing to a `String` can not fail.
    for note in &report.notes {
        let _ = writeln!(html, "<p>{}</p>", safe(note));
    }
    if let Some(suite) = only {
        notes(&mut html, suite);
    }
    if !report.next.is_empty() {
        html.push_str("<h2>Next</h2>\n<ul class=\"next\">\n");
        for step in &report.next {
            let _ = writeln!(
                html,
                "<li><code>{}</code> {}</li>",
                safe(&step.command),
                safe(&step.note)
            );
        }
        html.push_str("</ul>\n");
    }
    html.push_str("</header>\n");
    html
}

fn notes(html: &mut String, suite: &SuiteReport<'_>) {
    for note in suite.decision.notes.iter().chain(&suite.all_notes()) {
        let _ = writeln!(html, "<p>{}</p>", safe(note));
    }
}

/// What the page is about, above the verdict.
fn over(report: &Report<'_>) -> String {
    let mut parts = vec![format!("<b>gate {}</b>", safe(&report.command))];
    match report.suites.as_slice() {
        [outcome] => {
            parts.push(safe(outcome.title()));
            parts.extend(outcome.ran().map(subject));
        }
        several => parts.push(format!("{} suites", several.len())),
    }
    parts.join(" \u{b7} ")
}

/// The versions, the model and the time of a run.
fn subject(suite: &SuiteReport<'_>) -> String {
    let header = &suite.run.header;
    let new = safe(suite.label(Arm::Candidate));
    let arms = match suite.arm(Arm::Baseline) {
        Some(_) => format!("{} \u{2192} {new}", safe(suite.label(Arm::Baseline))),
        None => new,
    };
    let models = std::iter::once(&header.model).chain(&header.candidate_model);
    let models: Vec<&str> = models
        .map(|model| model.model.as_deref().unwrap_or(&model.name))
        .collect();
    let at = suite.run.started_at.to_string();
    let minute = at.get(..16).unwrap_or(&at).replace('T', " ");
    format!(
        "{arms} \u{b7} {} \u{b7} <time datetime=\"{}\">{} UTC</time>",
        safe(&models.join(", then ")),
        safe(&at),
        safe(&minute)
    )
}

/// The head of one suite among several; its section is still open after it.
pub fn suite_head(outcome: &SuiteOutcome<'_>) -> String {
    let mut html = format!(
        "<section class=\"suite\">\n<h2 class=\"title\">{}</h2>\n<p>{}</p>\n<p class=\"message\">{}</p>\n",
        safe(outcome.title()),
        word(outcome.verdict()),
        safe(outcome.message())
    );
    if let Some(suite) = outcome.ran() {
        let _ = writeln!(html, "<p class=\"over\">{}</p>", subject(suite));
        notes(&mut html, suite);
    }
    html
}

/// The figures that a reader looks for first.
pub fn figures(suite: &SuiteReport<'_>) -> String {
    let count = |wanted: &dyn Fn(&crate::analysis::CaseRow<'_>) -> bool| {
        let rows = suite.table.rows.iter().filter(|row| wanted(row));
        number::count(Some(rows.count() as u64))
    };
    let is = |transition| move |row: &crate::analysis::CaseRow<'_>| row.counts_as(transition);
    let mut figures = vec![("Cases", count(&|_| true))];
    if suite.table.has_baseline {
        figures.push(("Lost", count(&is(Transition::Regression))));
        figures.push(("Fixed", count(&is(Transition::Fixed))));
        figures.push(("Fail on both", count(&is(Transition::KnownFailure))));
    } else {
        figures.push(("Fail", count(&|row| row.is_lost())));
    }
    figures.push(("Without a result", count(&is(Transition::Missing))));
    let held_out = suite.table.rows.iter().filter(|row| row.is_held_out());
    if held_out.count() > 0 {
        figures.push(("Quarantined", count(&|row| row.is_held_out())));
    }
    if suite.run.header.repeat > 1 {
        figures.push(("Repeats", suite.run.header.repeat.to_string()));
        figures.push(("Flaky", count(&|row| row.candidate.is_flaky())));
    }
    let rates = suite.run.arms().filter_map(|arm| suite.arm(arm)?.pass_rate);
    let rates: Vec<String> = rates.map(number::percent).collect();
    if !rates.is_empty() {
        figures.push(("Pass rate", rates.join(" \u{2192} ")));
    }
    figures.push(("Spent", number::usd(suite.spent_usd)));
    let figures = figures
        .iter()
        .map(|(name, value)| format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", safe(value)));
    format!(
        "<dl class=\"figures\">\n{}</dl>\n",
        figures.collect::<String>()
    )
}

/// Every number behind the verdict, and the digests, folded.
pub fn method(suite: &SuiteReport<'_>) -> String {
    let mut html =
        "<details class=\"method\">\n<summary><h2>Method and digests</h2></summary>\n<dl>\n"
            .to_owned();
    for arm in &suite.arms {
        term(&mut html, suite.label(arm.arm), &trials(suite, arm.arm));
    }
    for (what, value) in origins(suite) {
        term(&mut html, what, &value);
    }
    html.push_str("</dl>\n");
    for rule in suite.decision.rules.iter().take(MAX_RULES) {
        let _ = write!(
            html,
            "<h3>{}</h3>\n<p>{}</p>\n",
            safe(&rule.id),
            safe(&rule.reason)
        );
        let numbers = numbers(rule);
        if !numbers.is_empty() {
            html.push_str("<dl>\n");
            for (what, value) in numbers {
                term(&mut html, what, &value);
            }
            html.push_str("</dl>\n");
        }
    }
    let left = suite.decision.rules.len().saturating_sub(MAX_RULES);
    if left > 0 {
        let _ = writeln!(html, "<p>{left} more rules: the JSON report has them.</p>");
    }
    html.push_str("</details>\n");
    html
}

fn term(html: &mut String, what: &str, value: &str) {
    let _ = writeln!(
        html,
        "<div><dt>{}</dt><dd>{}</dd></div>",
        safe(what),
        safe(value)
    );
}

/// How the page came about.
pub fn foot(report: &Report<'_>) -> String {
    let reproduce = report
        .reproduce
        .as_deref()
        .map_or_else(String::new, |command| {
            format!(" Again: <code>{}</code>", safe(command))
        });
    format!(
        "<footer class=\"small\">gate {}, exit {} ({}).{reproduce}</footer>\n",
        safe(&report.tool),
        report.exit.code,
        report.exit.name
    )
}
