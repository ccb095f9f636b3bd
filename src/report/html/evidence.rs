//! The evidence of a suite: every rule and segment in a table whose column of intervals is a plot
//! against what the policy allows; one table for each scale, so that lengths can be compared.

use std::fmt::Write as _;

use super::axis::Axis;
use crate::record::Arm;
use crate::report::content::SuiteReport;
use crate::report::escape::html as safe;
use crate::report::number::{self, Scale, UNKNOWN, probability};
use crate::report::words;
use crate::verdict::{RuleResult, RuleVerdict};

const WIDTH: f64 = 280.0;
const HEIGHT: f64 = 30.0;
const TICKS: u32 = 5;

/// What a plot's line measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plot {
    /// A change between the arms on a scale; left of 0 is worse, but for ratios, where it is right of 1.
    Change(Scale),
    /// A value of the candidate alone.
    Value(Scale),
}

impl Plot {
    fn of(rule: &RuleResult) -> Self {
        let scale = Scale::of(rule);
        match rule.estimate {
            None if rule.ci.is_some() => Self::Value(scale),
            Some(_) | None => Self::Change(scale),
        }
    }

    /// The point of a rule.
    fn point(self, rule: &RuleResult) -> Option<f64> {
        match self {
            Self::Change(_) => rule.estimate,
            Self::Value(_) => rule.candidate_value,
        }
    }

    /// Where nothing changed.
    fn still(self) -> Option<f64> {
        match self {
            Self::Change(Scale::Ratio) => Some(1.0),
            Self::Change(Scale::Rate | Scale::Score) => Some(0.0),
            Self::Value(_) => None,
        }
    }

    /// Where what the policy allows ends.
    fn bound(self, rule: &RuleResult) -> Option<f64> {
        match self {
            Self::Change(Scale::Ratio) => rule.max_ratio,
            Self::Change(Scale::Rate | Scale::Score) => rule.margin.map(|margin| -margin),
            Self::Value(_) => rule.required,
        }
    }

    /// Whether what is allowed lies left of the bound.
    fn allows_left(self) -> bool {
        matches!(self, Self::Change(Scale::Ratio))
    }

    fn tick(self, value: f64) -> String {
        match self {
            Self::Change(Scale::Rate) => trimmed(number::signed(value * 100.0, 1)),
            Self::Change(Scale::Score) => trimmed(number::signed(value, 2)),
            Self::Change(Scale::Ratio) => trimmed(number::signed((value - 1.0) * 100.0, 1)),
            Self::Value(Scale::Rate) => format!("{} %", trimmed(format!("{:.1}", value * 100.0))),
            Self::Value(Scale::Score | Scale::Ratio) => trimmed(format!("{value:.2}")),
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Self::Change(Scale::Rate) => "Pass rates, change in points",
            Self::Change(Scale::Score) => "Scores, change",
            Self::Change(Scale::Ratio) => "Cost, tokens and time, change in percent",
            Self::Value(_) => "The candidate alone",
        }
    }

    /// What the two directions of the line mean.
    fn directions(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Change(Scale::Ratio) => Some(("less", "more")),
            Self::Change(Scale::Rate | Scale::Score) => Some(("worse", "better")),
            Self::Value(_) => None,
        }
    }
}

/// A number without needless decimals.
fn trimmed(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The section; empty for a suite without a rule.
pub fn render(suite: &SuiteReport<'_>) -> String {
    let mut html = String::new();
    let rules = &suite.decision.rules;
    if rules.is_empty() {
        return html;
    }
    html.push_str("<section class=\"evidence\">\n<h2>Evidence</h2>\n");
    // Writing to a `String` can not fail.
    if let Some(evidence) = suite
        .pass_rate()
        .and_then(|rule| words::evidence(&suite.decision, rule))
    {
        let _ = writeln!(html, "<p>{}</p>", safe(&evidence));
    }
    let mut plots: Vec<Plot> = Vec::new();
    for rule in rules {
        let plot = Plot::of(rule);
        if !plots.contains(&plot) {
            plots.push(plot);
        }
    }
    let several = plots.len() > 1;
    for plot in plots {
        let rules: Vec<&RuleResult> = rules.iter().filter(|rule| Plot::of(rule) == plot).collect();
        table(&mut html, suite, plot, &rules, several);
    }
    let footnote = words::footnote(suite);
    if !footnote.is_empty() {
        let _ = writeln!(html, "<p class=\"small\">{}</p>", safe(&footnote));
    }
    if rules.iter().any(|rule| rule.ci.is_some()) {
        html.push_str("<p class=\"small\">In the plot: the interval with its point; shaded, up to the dashed line, what the policy allows.</p>\n");
    }
    html.push_str("</section>\n");
    html
}

fn table(
    html: &mut String,
    suite: &SuiteReport<'_>,
    plot: Plot,
    rules: &[&RuleResult],
    several: bool,
) {
    let values = rules.iter().flat_map(|rule| {
        let ci = rule.ci.map(|ci| [ci.low, ci.high]);
        let ci = ci.into_iter().flatten();
        ci.chain(plot.point(rule)).chain(plot.bound(rule))
    });
    let drawn = rules.iter().any(|rule| rule.ci.is_some());
    let axis = Axis::over(values.chain(plot.still()), WIDTH).filter(|_| drawn);
    let has_arms = suite.table.has_baseline;
    let heading = plot.heading();
    let hidden = if several { "" } else { " class=\"aside\"" };
    let _ = write!(
        html,
        "<div class=\"scroll\" role=\"region\" aria-label=\"{heading}\" tabindex=\"0\">\n<table class=\"rules\">\n\
         <caption{hidden}>{heading}</caption>\n<thead><tr><th scope=\"col\">Rule</th><th scope=\"col\" class=\"n\">Cases</th>"
    );
    for arm in suite.run.arms() {
        let _ = write!(
            html,
            "<th scope=\"col\" class=\"n\">{}</th>",
            safe(suite.label(arm))
        );
    }
    if has_arms {
        html.push_str("<th scope=\"col\" class=\"n\">Change</th>");
    }
    if let Some(axis) = axis {
        let head = head_of_plot(plot, axis);
        let _ = write!(
            html,
            "<th scope=\"col\" class=\"plot\"><span class=\"aside\">Plot of the interval</span>{head}</th>"
        );
    }
    let interval = words::interval_head(&suite.decision);
    let _ = writeln!(
        html,
        "<th scope=\"col\" class=\"n\">{}</th><th scope=\"col\" class=\"n\">{}</th><th scope=\"col\">Verdict</th></tr></thead>\n<tbody>",
        safe(&interval),
        suite.decision.p_name()
    );
    for rule in rules {
        row(html, suite, plot, rule, axis);
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}

fn row(
    html: &mut String,
    suite: &SuiteReport<'_>,
    plot: Plot,
    rule: &RuleResult,
    axis: Option<Axis>,
) {
    let scale = Scale::of(rule);
    let _ = write!(
        html,
        "<tr><th scope=\"row\">{}</th>",
        safe(words::row_label(rule))
    );
    cell(html, "Cases", &words::row_count(rule));
    for arm in suite.run.arms() {
        let value = match arm {
            Arm::Baseline => rule.baseline_value,
            Arm::Candidate => rule.candidate_value,
        };
        cell(html, suite.label(arm), &scale.value(&rule.metric, value));
    }
    if suite.table.has_baseline {
        cell(html, "Change", &scale.change(rule.estimate));
    }
    if let Some(axis) = axis {
        let none = if rule.ci.is_none() && plot.point(rule).is_none() {
            " none"
        } else {
            ""
        };
        let _ = write!(
            html,
            "<td class=\"plot{none}\">{}</td>",
            interval(plot, rule, axis)
        );
    }
    let decision = &suite.decision;
    cell(html, &words::interval_head(decision), &scale.interval(rule));
    let p = probability(rule.p_regression_adjusted);
    cell(html, decision.p_name(), &p);
    let _ = writeln!(
        html,
        "<td><span class=\"badge {}\">{}</span></td></tr>",
        class(rule.verdict),
        safe(&words::row_verdict(rule)),
    );
}

/// A number with the head of its column, which stands before it where rows are stacked.
fn cell(html: &mut String, head: &str, value: &str) {
    let none = if matches!(value, "" | UNKNOWN) {
        " none"
    } else {
        ""
    };
    let _ = write!(
        html,
        "<td class=\"n{none}\" data-head=\"{}\">{}</td>",
        safe(head),
        safe(value)
    );
}

fn class(verdict: RuleVerdict) -> &'static str {
    match verdict {
        RuleVerdict::Pass => "pass",
        RuleVerdict::Fail => "fail",
        RuleVerdict::Inconclusive => "undecided",
        RuleVerdict::Skipped => "quiet",
    }
}

/// The ticks of a line, and what its directions mean.
fn head_of_plot(plot: Plot, axis: Axis) -> String {
    let mut svg = format!(
        "<svg class=\"axis\" viewBox=\"0 0 {WIDTH} 34\" width=\"{WIDTH}\" height=\"34\" aria-hidden=\"true\">"
    );
    if let Some(((left, right), still)) = plot.directions().zip(plot.still()) {
        let x = axis.x(still);
        if x > 60.0 {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"11\" text-anchor=\"end\">\u{2190} {left}</text>",
                x - 5.0
            );
        }
        if x < WIDTH - 60.0 {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"11\">{right} \u{2192}</text>",
                x + 5.0
            );
        }
    }
    for tick in axis.ticks(TICKS) {
        let x = axis.x(tick);
        let _ = write!(
            svg,
            "<text x=\"{x:.1}\" y=\"26\" text-anchor=\"middle\">{}</text><line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"30\" y2=\"34\"/>",
            plot.tick(tick)
        );
    }
    svg.push_str("</svg>");
    svg
}

/// The line of a rule: what is allowed, where nothing changed, the interval and its point.
fn interval(plot: Plot, rule: &RuleResult, axis: Axis) -> String {
    let middle = HEIGHT / 2.0;
    let mut svg = format!(
        "<svg class=\"interval {}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" aria-hidden=\"true\">",
        class(rule.verdict)
    );
    if let Some(bound) = plot.bound(rule) {
        let x = axis.x(bound);
        let (from, width) = if plot.allows_left() {
            (0.0, x)
        } else {
            (x, WIDTH - x)
        };
        let _ = write!(
            svg,
            "<rect class=\"allowed\" x=\"{from:.1}\" width=\"{width:.1}\" height=\"{HEIGHT}\"/><line class=\"bound\" x1=\"{x:.1}\" x2=\"{x:.1}\" y2=\"{HEIGHT}\"/>"
        );
    }
    if let Some(still) = plot.still() {
        let x = axis.x(still);
        let _ = write!(
            svg,
            "<line class=\"still\" x1=\"{x:.1}\" x2=\"{x:.1}\" y2=\"{HEIGHT}\"/>"
        );
    }
    if let Some(ci) = rule.ci {
        let (low, high) = (axis.x(ci.low), axis.x(ci.high));
        let (top, bottom) = (middle - 5.0, middle + 5.0);
        let _ = write!(
            svg,
            "<path class=\"ci\" d=\"M{low:.1} {top}V{bottom}M{low:.1} {middle}H{high:.1}M{high:.1} {top}V{bottom}\"/>"
        );
    }
    if let Some(point) = plot.point(rule) {
        let _ = write!(
            svg,
            "<circle class=\"point\" cx=\"{:.1}\" cy=\"{middle}\" r=\"4.5\"/>",
            axis.x(point)
        );
    }
    svg.push_str("</svg>");
    svg
}
