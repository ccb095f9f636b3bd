//! The last section: how the verdict came about, number by number (statistics.md section 5), and the
//! digests of everything that went into it.

use std::fmt::Write as _;

use crate::report::content::SuiteReport;
use crate::report::escape::markdown;
use crate::report::method::{numbers, origins, trials};

/// The most rules whose numbers are printed; the JSON report has all.
const MAX_RULES: usize = 20;

/// The section's body.
pub fn render(suite: &SuiteReport<'_>) -> String {
    let mut text = String::new();
    // Writing to a `String` can not fail.
    for arm in &suite.arms {
        let label = markdown(suite.label(arm.arm));
        let _ = writeln!(text, "- {label}: {}", markdown(&trials(suite, arm.arm)));
    }
    let rules = suite
        .decision
        .rules
        .iter()
        .filter(|rule| rule.segment.is_none());
    for rule in rules.take(MAX_RULES) {
        let _ = writeln!(text, "- {}: {}", markdown(&rule.id), markdown(&rule.reason));
        for (what, value) in numbers(rule) {
            let _ = writeln!(text, "  - {}: {}", markdown(what), markdown(&value));
        }
    }
    for (what, value) in origins(suite) {
        let _ = writeln!(text, "- {what}: {}", markdown(&value));
    }
    text
}
