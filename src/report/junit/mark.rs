//! What a case or a rule is in JUnit's words: the table of ci-and-cli.md section 2.

use super::CaseMode;
use crate::analysis::{CaseRow, Transition};
use crate::chat::ErrorClass;
use crate::record::TrialRecord;
use crate::report::content::SuiteReport;
use crate::verdict::{Decision, RuleResult, RuleVerdict, Verdict};

/// The element of a test case; its `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark<'a> {
    /// None.
    Passed,
    /// None, but the text that a failure would have, in `system-out`.
    Quoted,
    /// `<failure>`
    Failure(&'a str),
    /// `<error>`
    Error(&'a str),
    /// `<skipped>`
    Skipped(&'a str),
}

/// The type of a case that is kept out of the gate.
pub const QUARANTINED: &str = "quarantined";

/// What a case is.
pub fn of_case(
    suite: &SuiteReport<'_>,
    index: usize,
    row: &CaseRow<'_>,
    mode: CaseMode,
) -> Mark<'static> {
    let is_quoted = mode == CaseMode::Verdict && suite.decision.verdict == Verdict::Pass;
    let lost = |kind| {
        if is_quoted {
            Mark::Quoted
        } else {
            Mark::Failure(kind)
        }
    };
    if row.is_held_out() {
        return Mark::Skipped(QUARANTINED);
    }
    match row.transition() {
        Transition::Kept | Transition::Fixed => Mark::Passed,
        Transition::New if row.candidate.pass() == Some(true) => Mark::Passed,
        Transition::New => lost("assertion"),
        Transition::Regression => lost("regression"),
        Transition::KnownFailure => match mode {
            CaseMode::Default | CaseMode::Verdict => Mark::Skipped("known_failure"),
            CaseMode::Strict => Mark::Failure("known_failure"),
        },
        Transition::Missing => missing(suite, index),
    }
}

/// A case without a result: errored if a trial of it is, else not run.
fn missing(suite: &SuiteReport<'_>, index: usize) -> Mark<'static> {
    let trials = || {
        suite
            .run
            .arms()
            .flat_map(|arm| suite.run.repeats(index, arm))
    };
    let error = trials().find_map(|trial: &TrialRecord| trial.error.as_ref());
    if let Some(error) = error {
        return Mark::Error(match error.class {
            ErrorClass::Timeout => "timeout",
            ErrorClass::Judge => "judge",
            ErrorClass::Auth
            | ErrorClass::Quota
            | ErrorClass::RateLimit
            | ErrorClass::Overloaded
            | ErrorClass::Server
            | ErrorClass::Conflict
            | ErrorClass::Connect
            | ErrorClass::Dns
            | ErrorClass::Tls
            | ErrorClass::ContextLength
            | ErrorClass::RequestTooLarge
            | ErrorClass::FilteredInput
            | ErrorClass::ModelMissing
            | ErrorClass::BadRequest
            | ErrorClass::BadBody
            | ErrorClass::ReplyTooLarge
            | ErrorClass::Empty
            | ErrorClass::UnknownFinish
            | ErrorClass::Internal
            | ErrorClass::NoRecording => "provider",
        });
    }
    let skip = trials().find_map(|trial| suite.skip_of(trial));
    Mark::Skipped(skip.map_or("missing", crate::record::Skip::as_str))
}

/// What a rule is. A watched rule never fails; of a segment only a fail counts in the verdict, so
/// one that is undecided is no failure.
pub fn of_rule<'a>(decision: &Decision, rule: &'a RuleResult) -> Mark<'a> {
    match rule.verdict {
        RuleVerdict::Pass => Mark::Passed,
        RuleVerdict::Fail if rule.gating => Mark::Failure(&rule.id),
        RuleVerdict::Inconclusive if blocks(decision, rule) => Mark::Failure("inconclusive"),
        RuleVerdict::Fail | RuleVerdict::Inconclusive | RuleVerdict::Skipped => {
            Mark::Skipped(&rule.id)
        }
    }
}

fn blocks(decision: &Decision, rule: &RuleResult) -> bool {
    let decides = rule.gating && rule.segment.is_none();
    decides && decision.blocks_inconclusive && decision.verdict == Verdict::Inconclusive
}
