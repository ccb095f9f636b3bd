//! Exit codes, ci-and-cli.md section 1.

use std::process::ExitCode;

use crate::command::{CommandError, Outcome};
use crate::report::content::ExitNote;
use crate::runner::Interrupt;
use crate::verdict::Verdict;

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
