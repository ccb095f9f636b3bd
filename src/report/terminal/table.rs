//! The table of rules, in columns as wide as their widest cell. Where the screen is too narrow the
//! interval of a rule goes to a line of its own below it, and on a still narrower one the verdict too.

use std::io;

use super::{Lines, styled, width};
use crate::base::text::shorten;
use crate::record::Arm;
use crate::report::content::SuiteReport;
use crate::report::escape::terminal_line;
use crate::report::number::{Scale, UNKNOWN, probability};
use crate::report::words;
use crate::verdict::{RuleResult, RuleVerdict};

/// Columns of numbers between the label and the verdict: count, both arms, change, interval, p.
const COLUMNS: usize = 6;
const INTERVAL: usize = 4;
/// What separates columns.
const GAPS: [usize; COLUMNS] = [2, 3, 3, 3, 3, 3];
const VERDICT_GAP: usize = 3;
/// What separates columns where there is little room.
const TIGHT: usize = 2;

/// What stands below a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    Nothing,
    Interval,
    IntervalAndVerdict,
}

struct Row {
    label: String,
    cells: [String; COLUMNS],
    verdict: String,
    kind: Option<RuleVerdict>,
}

/// Writes the table.
///
/// # Errors
/// Those of the writer.
pub fn write(out: &mut Lines<'_>, suite: &SuiteReport<'_>) -> io::Result<()> {
    let head = head(suite);
    let rows: Vec<Row> = suite.decision.rules.iter().map(row).collect();
    let all = || std::iter::once(&head).chain(&rows);
    let widths: Vec<usize> = (0..COLUMNS)
        .map(|column| {
            let cells = all().filter_map(|row| row.cells.get(column));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let label = all().map(|row| width(&row.label)).max().unwrap_or(0);
    let verdict = all().map(|row| width(&row.verdict)).max().unwrap_or(0);
    let shown = (0..COLUMNS).map(|column| rows.iter().any(|row| row.has(column)));
    let mut layout = Layout {
        label,
        widths,
        shown: shown.collect(),
        interval_head: terminal_line(head.cells.get(INTERVAL).map_or("", String::as_str)),
        below: Below::Nothing,
        is_tight: false,
    };
    for (below, is_tight) in [
        (Below::Nothing, false),
        (Below::Nothing, true),
        (Below::Interval, true),
        (Below::IntervalAndVerdict, true),
    ] {
        (layout.below, layout.is_tight) = (below, is_tight);
        if layout.label + layout.numbers() + layout.verdict_gap() + verdict <= out.screen.width {
            break;
        }
    }
    if layout.below == Below::IntervalAndVerdict {
        layout.shrink(out.screen.width);
    }
    let line = layout.line(&head);
    if !line.trim().is_empty() {
        out.line(&styled(out.screen.palette.head, line.trim_end()))?;
    }
    for row in &rows {
        layout.write(out, row)?;
    }
    Ok(())
}

fn head(suite: &SuiteReport<'_>) -> Row {
    let arm = |arm| shorten(&terminal_line(suite.label(arm)), 12).into_owned();
    let cells = [
        String::new(),
        arm(Arm::Baseline),
        arm(Arm::Candidate),
        "change".to_owned(),
        words::interval_head(&suite.decision),
        suite.decision.p_name().to_owned(),
    ];
    Row {
        label: String::new(),
        cells,
        verdict: String::new(),
        kind: None,
    }
}

fn row(rule: &RuleResult) -> Row {
    let scale = Scale::of(rule);
    Row {
        label: terminal_line(words::row_label(rule)),
        cells: [
            words::row_count(rule),
            scale.value(&rule.metric, rule.baseline_value),
            scale.value(&rule.metric, rule.candidate_value),
            scale.change(rule.estimate),
            scale.interval(rule),
            probability(rule.p_regression_adjusted),
        ],
        verdict: words::row_verdict(rule),
        kind: Some(rule.verdict),
    }
}

impl Row {
    /// Whether a column has something to say in this row.
    fn has(&self, column: usize) -> bool {
        let cell = self.cells.get(column).map_or("", String::as_str);
        !cell.is_empty() && cell != UNKNOWN
    }
}

struct Layout {
    label: usize,
    widths: Vec<usize>,
    shown: Vec<bool>,
    interval_head: String,
    below: Below,
    is_tight: bool,
}

impl Layout {
    /// The width of the gap before a column and of the column itself.
    fn column(&self, column: usize) -> (usize, usize) {
        let gap = GAPS.get(column).copied().unwrap_or(2);
        let gap = if self.is_tight { TIGHT } else { gap };
        (gap, self.widths.get(column).copied().unwrap_or(0))
    }

    fn is_shown(&self, column: usize) -> bool {
        let has_cells = self.shown.get(column).copied().unwrap_or(false);
        has_cells && (self.below == Below::Nothing || column != INTERVAL)
    }

    fn verdict_gap(&self) -> usize {
        if self.is_tight { TIGHT } else { VERDICT_GAP }
    }

    /// The width of all columns of numbers with their gaps.
    fn numbers(&self) -> usize {
        let columns = (0..COLUMNS).filter(|column| self.is_shown(*column));
        columns
            .map(|column| self.column(column))
            .map(|(gap, width)| gap + width)
            .sum()
    }

    /// Shortens the labels to what the numbers leave.
    fn shrink(&mut self, screen: usize) {
        self.label = self.label.min(screen.saturating_sub(self.numbers())).max(8);
    }

    fn line(&self, row: &Row) -> String {
        let label = shorten(&row.label, self.label);
        let mut line = format!("{label}{}", " ".repeat(self.label - width(&label)));
        for (column, cell) in row.cells.iter().enumerate() {
            if self.is_shown(column) {
                let (gap, wide) = self.column(column);
                line.push_str(&" ".repeat(gap + wide.saturating_sub(width(cell))));
                line.push_str(cell);
            }
        }
        line
    }

    fn write(&self, out: &mut Lines<'_>, row: &Row) -> io::Result<()> {
        let palette = out.screen.palette;
        let style = match row.kind {
            Some(RuleVerdict::Pass) => palette.pass,
            Some(RuleVerdict::Fail) => palette.fail,
            Some(RuleVerdict::Inconclusive) => palette.undecided,
            Some(RuleVerdict::Skipped) | None => palette.dim,
        };
        let verdict = styled(style, &row.verdict);
        let line = self.line(row);
        let interval = row.has(INTERVAL).then(|| {
            let interval = row.cells.get(INTERVAL).map_or("", String::as_str);
            format!("{} {interval}", self.interval_head)
        });
        let gap = " ".repeat(self.verdict_gap());
        match (self.below, interval) {
            (Below::Nothing, _) | (Below::Interval, None) => {
                out.line(&format!("{line}{gap}{verdict}"))
            }
            (Below::Interval, Some(interval)) => {
                out.line(&format!("{line}{gap}{verdict}"))?;
                out.line(&format!("  {interval}"))
            }
            (Below::IntervalAndVerdict, interval) => {
                let interval =
                    interval.map_or_else(String::new, |interval| format!("; {interval}"));
                out.line(&line)?;
                out.line(&format!("  {verdict}{interval}"))
            }
        }
    }
}
