//! Known flaky cases: those that the suite names beside those that say so themselves, and what may
//! not be quarantined.

use std::collections::HashMap;

use super::Suite;
use super::validate::at_case;
use crate::base::{Diagnostic, Diagnostics, text};
use crate::dataset::Case;

/// Marks the cases that the suite's `quarantine` names. A name without a case is an error, and so is
/// a quarantined case that must pass: it can not both decide alone and have no say.
pub fn apply(suite: &Suite, cases: &mut [Case], diagnostics: &mut Diagnostics) {
    let mut left: HashMap<&str, _> = suite
        .quarantine
        .iter()
        .map(|(id, span)| (id.as_str(), *span))
        .collect();
    for case in cases.iter_mut() {
        case.quarantined |= left.remove(case.id.as_str()).is_some();
        if case.quarantined && case.must_pass {
            let id = text::visible_line(case.id.as_str());
            let message = format!("case `{id}` must pass, and is quarantined as flaky");
            let help =
                "remove `must_pass`, or take the case out of quarantine and make it reliable";
            let diagnostic = at_case("quarantined-must-pass", message, &suite.dataset, case);
            diagnostics.push(diagnostic.help(help));
        }
    }
    for (id, span) in &suite.quarantine {
        if left.contains_key(id.as_str()) {
            let message = format!(
                "`quarantine` names case `{}`, which the dataset does not have",
                text::visible_line(id)
            );
            let diagnostic = Diagnostic::error("unknown-case", message).at(&suite.source, *span);
            diagnostics.push(diagnostic.help("remove it, or write the id as in the dataset"));
        }
    }
}
