//! Exit codes, ci-and-cli.md section 1.

use std::process::ExitCode;

use crate::base::text;
use crate::command::{CommandError, Outcome};
use crate::report::content::ExitNote;
use crate::runner::Interrupt;
use crate::verdict::{RuleVerdict, Verdict};

use crate::command::outcome::SuiteResult;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All is well, or nothing was to be done.
    Ok,
    /// The run is complete and the policy says no.
    GateFailed,
    /// The command was called wrongly, or a file is invalid.
    Usage,
    /// No verdict could be formed.
    Infra,
    /// Too little evidence, and the policy blocks on it.
    Inconclusive,
    /// SIGINT.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

impl Exit {
    /// All ways to end, for the documentation.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::GateFailed,
        Self::Usage,
        Self::Infra,
        Self::Inconclusive,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::GateFailed => 1,
            Self::Usage => 2,
            Self::Infra => 3,
            Self::Inconclusive => 4,
            Self::Interrupted => 130,
            Self::Terminated => 143,
        }
    }

    /// The name in results and on the last line of stderr.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::GateFailed => "gate_failed",
            Self::Usage => "usage",
            Self::Infra => "infra",
            Self::Inconclusive => "inconclusive",
            Self::Interrupted | Self::Terminated => "interrupted",
        }
    }

    /// What the code says, for the last line where the reason stands above it already.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "exit 0: nothing is wrong",
            Self::GateFailed => "exit 1: the policy says no",
            Self::Usage => "exit 2: the command, or a file that it reads, is wrong",
            Self::Infra => "exit 3: says nothing about the answers",
            Self::Inconclusive => "exit 4: too little evidence, and the policy blocks on that",
            Self::Interrupted => "exit 130: interrupted",
            Self::Terminated => "exit 143: terminated",
        }
    }

    /// How a command that could not do its work ends.
    #[must_use]
    pub fn of_error(error: &CommandError) -> Self {
        match error {
            CommandError::Findings(_) | CommandError::Usage { .. } => Self::Usage,
            CommandError::Infra { .. } => Self::Infra,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// How a gating command ends, and the note about it for every report.
#[must_use]
pub fn conclude(outcome: &Outcome) -> (Exit, ExitNote) {
    let verdict = outcome.verdict();
    let exit = match (outcome.interrupt, verdict) {
        (Some(Interrupt::Interrupted), _) => Exit::Interrupted,
        (Some(Interrupt::Terminated), _) => Exit::Terminated,
        (None, Verdict::Pass | Verdict::Skipped) => Exit::Ok,
        (None, Verdict::Fail | Verdict::Inconclusive) if outcome.no_gate => Exit::Ok,
        (None, Verdict::Fail) => Exit::GateFailed,
        (None, Verdict::Error) => Exit::Infra,
        (None, Verdict::Inconclusive) => {
            if blocks(outcome) {
                Exit::Inconclusive
            } else {
                Exit::Ok
            }
        }
    };
    let deciding = outcome
        .suites
        .iter()
        .find(|suite| suite.verdict() == verdict);
    let (reason, message) = match deciding {
        Some(SuiteResult::Ran(suite)) => (
            suite.decision.reason.clone(),
            suite.decision.message.clone(),
        ),
        Some(SuiteResult::Skipped(note) | SuiteResult::Failed(note)) => {
            (note.reason.clone(), note.message.clone())
        }
        None => ("skipped".to_owned(), "there was nothing to do".to_owned()),
    };
    let message = match deciding {
        Some(SuiteResult::Ran(suite)) if outcome.suites.len() > 1 => {
            format!("{}: {message}", suite.run.header.title)
        }
        _ => message,
    };
    (
        exit,
        ExitNote {
            code: exit.code(),
            name: exit.name(),
            reason,
            message,
        },
    )
}

/// How much of an outcome failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Broken {
    rules: (usize, usize),
    suites: (usize, usize),
}

impl Broken {
    /// Counts the gating rules and the suites of an outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        let mut broken = Self::default();
        for suite in &outcome.suites {
            broken.suites.0 += usize::from(suite.verdict() == Verdict::Fail);
            broken.suites.1 += 1;
            let SuiteResult::Ran(suite) = suite else {
                continue;
            };
            for rule in suite.decision.rules.iter().filter(|rule| rule.gating) {
                broken.rules.0 += usize::from(rule.verdict == RuleVerdict::Fail);
                broken.rules.1 += 1;
            }
        }
        broken
    }

    /// `1 of 2 suites failed, 2 of 5 rules broken`
    fn phrase(self) -> String {
        let ((failed, suites), (broken, rules)) = (self.suites, self.rules);
        let rules = format!("{broken} of {} broken", text::count(rules, "rule"));
        match suites {
            0 | 1 => rules,
            suites => format!(
                "{failed} of {} failed, {rules}",
                text::count(suites, "suite")
            ),
        }
    }
}

/// The reason on the last line: the word of the note, with what the screen does not say yet. Where
/// the screen does not show the verdict's sentence, that.
#[must_use]
pub fn closing(exit: Exit, note: &ExitNote, broken: Broken, is_on_screen: bool) -> String {
    let said = match exit {
        _ if !is_on_screen => note.message.clone(),
        Exit::GateFailed => format!("{}; {}", broken.phrase(), exit.meaning()),
        Exit::Ok
        | Exit::Usage
        | Exit::Infra
        | Exit::Inconclusive
        | Exit::Interrupted
        | Exit::Terminated => exit.meaning().to_owned(),
    };
    if note.reason == said || note.reason == exit.name() {
        said
    } else {
        format!("{}: {said}", note.reason)
    }
}

/// Whether an undecided suite blocks: by its policy, and always when nothing could be sent.
fn blocks(outcome: &Outcome) -> bool {
    outcome.suites.iter().any(|suite| match suite {
        SuiteResult::Ran(suite) => {
            let offline = suite
                .decision
                .missing
                .is_some_and(|missing| missing.offline > 0);
            suite.decision.verdict == Verdict::Inconclusive
                && (suite.decision.blocks_inconclusive || offline)
        }
        SuiteResult::Skipped(_) | SuiteResult::Failed(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(reason: &str) -> ExitNote {
        ExitNote {
            code: 1,
            name: "",
            reason: reason.to_owned(),
            message: "v8 is worse than v7.".to_owned(),
        }
    }

    #[test]
    fn the_last_line_adds_to_the_screen_and_stands_for_one_that_is_not_shown() {
        let broken = Broken {
            rules: (2, 5),
            suites: (1, 1),
        };
        let (fails, pass_rate) = (Exit::GateFailed, note("pass-rate"));
        assert_eq!(
            closing(fails, &pass_rate, broken, true),
            "pass-rate: 2 of 5 rules broken; exit 1: the policy says no"
        );
        assert_eq!(
            closing(fails, &pass_rate, broken, false),
            "pass-rate: v8 is worse than v7."
        );
        let several = Broken {
            suites: (1, 3),
            ..broken
        };
        assert_eq!(
            closing(fails, &pass_rate, several, true),
            "pass-rate: 1 of 3 suites failed, 2 of 5 rules broken; exit 1: the policy says no"
        );
        assert_eq!(
            closing(Exit::Infra, &note("auth"), broken, true),
            "auth: exit 3: says nothing about the answers"
        );
        assert_eq!(
            closing(Exit::Inconclusive, &note("inconclusive"), broken, true),
            "exit 4: too little evidence, and the policy blocks on that"
        );
    }
}
