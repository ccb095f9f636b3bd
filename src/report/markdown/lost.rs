//! The ten worst lost cases with their answers. Only the indices of ten cases are in memory.

use std::cmp::Reverse;
use std::fmt::Write as _;

use super::folded;
use crate::analysis::CaseRow;
use crate::base::text::count;
use crate::report::content::SuiteReport;
use crate::report::escape::{cut_middle, markdown, markdown_block, markdown_code};
use crate::report::exhibit::{self, Exhibit};

const MOST: usize = 10;

/// How much a lost case weighs: those that must pass first, then by the score lost.
fn weight(row: &CaseRow<'_>) -> (bool, u64) {
    let before = row
        .baseline
        .as_ref()
        .and_then(|cell| cell.score)
        .unwrap_or(1.0);
    let loss = (before - row.candidate.score.unwrap_or(0.0)).clamp(0.0, 1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a million"
    )]
    let loss = (loss * 1e6) as u64;
    (row.must_pass, loss)
}

/// The section; empty where no case is lost.
pub fn render(suite: &SuiteReport<'_>, heading: &str, limit: usize) -> String {
    let mut worst: Vec<(usize, &CaseRow<'_>)> = Vec::with_capacity(MOST + 1);
    let mut lost = 0;
    for (index, row, _) in suite.rows().filter(|(_, row, _)| row.is_lost()) {
        lost += 1;
        let place =
            worst.partition_point(|(_, other)| Reverse(weight(other)) <= Reverse(weight(row)));
        worst.insert(place, (index, row));
        worst.truncate(MOST);
    }
    if lost == 0 {
        return String::new();
    }
    let shown = worst.len();
    let which = if shown < lost {
        format!(", the {shown} worst")
    } else {
        String::new()
    };
    let mut text = format!("\n#### {}{heading}{which}\n", count(lost, "lost case"));
    for (index, row) in worst {
        let exhibit = exhibit::of(suite, index, row, suite.run.cases.get(index));
        let place = format!("{}:{}", suite.run.header.dataset.path, row.line);
        let must = if row.must_pass { ", must pass" } else { "" };
        let summary = format!("{}{must}", summary(row.id, &exhibit.message));
        let body = format!("{}\n\n{}", markdown_code(&place), body(&exhibit, limit));
        text.push_str(&folded(&summary, &body));
    }
    text
}

/// A line of HTML, in which Markdown's escapes would show: entities and broken words alone.
fn summary(id: &str, message: &str) -> String {
    let safe = |text: &str| {
        let text = crate::report::escape::html(&crate::report::escape::terminal_line(text));
        let text = text.replace('@', "@\u{200b}").replace("&#39;", "&apos;");
        let text = text.replace('#', "#\u{200b}").replace("://", ":\u{200b}//");
        let text = text
            .replace('`', "&#96;")
            .replace('*', "&#42;")
            .replace('_', "&#95;");
        text.replace('[', "&#91;")
            .replace(']', "&#93;")
            .replace("www.", "www\u{200b}.")
    };
    format!("<code>{}</code> {}", safe(id), safe(message))
}

fn body(exhibit: &Exhibit, limit: usize) -> String {
    let mut text = String::new();
    for (name, value) in &exhibit.input {
        text.push_str(&block(
            &format!("input {}", markdown_code(name)),
            value,
            limit,
        ));
    }
    if let Some(expected) = &exhibit.expected {
        text.push_str(&block("expected", expected, limit));
    }
    for answer in &exhibit.answers {
        text.push_str(&block(&markdown(&answer.heading), &answer.text, limit));
        for problem in &answer.problems {
            let _ = writeln!(text, "- {}", markdown(&cut_middle(problem, limit)));
        }
    }
    text
}

fn block(heading: &str, content: &str, limit: usize) -> String {
    format!(
        "\n{heading}\n\n{}\n",
        markdown_block(&cut_middle(content, limit))
    )
}
