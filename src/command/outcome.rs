//! What a gating command hands to the surface: runs with their decisions, ready to be reported.

use super::dryrun::Forecast;
use crate::analysis::{ArmSummary, CaseTable, correction};
use crate::base::{Digest, RunId};
use crate::record::{LogSpan, Reply, Run, ScoreRecord};
use crate::report::content::{NextStep, SuiteNote, SuiteReport};
use crate::runner::Interrupt;
use crate::store::runs::LogTexts;
use crate::verdict::{Decision, Verdict};

/// The texts of a run, from its log.
pub struct Texts(pub LogTexts);

impl crate::report::Texts for Texts {
    fn reply(&self, span: LogSpan) -> Option<Reply> {
        self.0.reply(span)
    }

    fn scores(&self, span: LogSpan) -> Option<Vec<ScoreRecord>> {
        self.0.scores(span)
    }
}

/// One suite with one model that ran.
pub struct SuiteRun {
    /// The run.
    pub run: Run,
    /// Its texts.
    pub texts: Texts,
    /// What was decided.
    pub decision: Decision,
    /// What a reader should know besides.
    pub notes: Vec<String>,
}

impl SuiteRun {
    /// The cases with both sides, and the arms summed up.
    #[must_use]
    pub fn tables(&self) -> (CaseTable<'_>, Vec<ArmSummary>) {
        let arms = self
            .run
            .arms()
            .map(|arm| ArmSummary::of_run(&self.run, arm))
            .collect();
        (CaseTable::of_run(&self.run), arms)
    }

    /// The suite as reports want it.
    #[must_use]
    pub fn report(&self) -> SuiteReport<'_> {
        let (table, arms) = self.tables();
        let spent = arms.iter().map(|arm| arm.spent_usd).sum();
        SuiteReport {
            run: &self.run,
            table,
            arms,
            decision: self.decision.clone(),
            texts: &self.texts,
            corrected: correction::of_run(&self.run, &|span| {
                let attempt = crate::report::Texts::reply(&self.texts, span)?;
                Some(Digest::of_bytes(attempt.reply.as_bytes()))
            }),
            spent_usd: Some(spent),
            notes: self.notes.clone(),
        }
    }
}

/// What became of one suite.
pub enum SuiteResult {
    /// It ran, to its end or not.
    Ran(Box<SuiteRun>),
    /// There was nothing to do.
    Skipped(SuiteNote),
    /// It could not begin.
    Failed(SuiteNote),
}

impl SuiteResult {
    /// Its verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Ran(suite) => suite.decision.verdict,
            Self::Skipped(_) => Verdict::Skipped,
            Self::Failed(_) => Verdict::Error,
        }
    }
}

/// What became of a gating command.
pub struct Outcome {
    /// The command's name.
    pub command: &'static str,
    /// The suites in the order in which they ran.
    pub suites: Vec<SuiteResult>,
    /// What a dry run found.
    pub forecasts: Vec<Forecast>,
    /// The cases that would be run, by suite, where only they were asked for.
    pub listed: Vec<(String, Vec<String>)>,
    /// What a reader should know of the whole.
    pub notes: Vec<String>,
    /// What to do now.
    pub next: Vec<NextStep>,
    /// The command line that leads to this again.
    pub reproduce: Option<String>,
    /// The signal that ended it.
    pub interrupt: Option<Interrupt>,
    /// Whether a failed or undecided gate is to be reported without blocking.
    pub no_gate: bool,
}

impl Outcome {
    /// The outcome of a command that has not begun.
    #[must_use]
    pub fn new(command: &'static str, no_gate: bool) -> Self {
        Self {
            command,
            suites: Vec::new(),
            forecasts: Vec::new(),
            listed: Vec::new(),
            notes: Vec::new(),
            next: Vec::new(),
            reproduce: None,
            interrupt: None,
            no_gate,
        }
    }

    /// The worst verdict of the suites: fail, error, inconclusive, pass, skipped.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.suites.iter().map(SuiteResult::verdict);
        verdicts
            .max_by_key(|verdict| verdict.severity())
            .unwrap_or(Verdict::Error)
    }

    /// The ids of the runs, for what to do next.
    #[must_use]
    pub fn runs(&self) -> Vec<&RunId> {
        self.suites
            .iter()
            .filter_map(|suite| match suite {
                SuiteResult::Ran(suite) => Some(&suite.run.header.run_id),
                SuiteResult::Skipped(_) | SuiteResult::Failed(_) => None,
            })
            .collect()
    }
}
