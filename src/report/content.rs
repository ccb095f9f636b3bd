//! The content of a report: plain data that every renderer reads and none changes.
//!
//! Answers and the reasons of scores are not part of it: they stay in the log of the run, and a
//! renderer asks [`Texts`] for the one line it is about to show.

use std::collections::HashMap;

use super::words;
use crate::analysis::correction::CorrectedRate;
use crate::analysis::{ArmSummary, CaseRow, CaseTable};
use crate::dataset::Case;
use crate::record::{
    Arm, AttemptFinished, LogSpan, Outcome, Reply, Run, ScoreRecord, Skip, TrialFinished,
    TrialRecord,
};
use crate::verdict::{Decision, RuleResult, Verdict};

/// Reads single lines of a run's log on demand.
pub trait Texts {
    /// What was answered in the attempt that a line tells of; `None` where it can not be read.
    fn reply(&self, span: LogSpan) -> Option<Reply>;

    /// The scores of the result that a line tells of; `None` where it can not be read.
    fn scores(&self, span: LogSpan) -> Option<Vec<ScoreRecord>>;
}

/// Texts that are in memory, by the offset of their line: of a run that has no log, or of a test.
#[derive(Debug, Default, Clone)]
pub struct MemoryTexts {
    /// Replies by the offset of their line.
    pub replies: HashMap<u64, AttemptFinished>,
    /// Results by the offset of their line.
    pub results: HashMap<u64, TrialFinished>,
}

impl Texts for MemoryTexts {
    fn reply(&self, span: LogSpan) -> Option<Reply> {
        let attempt = self.replies.get(&span.offset)?;
        Some(Reply {
            reply: attempt.reply.clone(),
            tool_calls: attempt.tool_calls.clone(),
        })
    }

    fn scores(&self, span: LogSpan) -> Option<Vec<ScoreRecord>> {
        let result = self.results.get(&span.offset)?;
        Some(result.scores.clone())
    }
}

/// What a command found.
pub struct Report<'a> {
    /// The command: `compare`, `run`, `drift`, …
    pub command: String,
    /// The version of the program.
    pub tool: String,
    /// The worst verdict of the suites.
    pub verdict: Verdict,
    /// How the process ends.
    pub exit: ExitNote,
    /// The suites in the order in which they ran.
    pub suites: Vec<SuiteOutcome<'a>>,
    /// What a reader should know of the whole, such as a gate definition that changed.
    pub notes: Vec<String>,
    /// What to do now; only commands that would work.
    pub next: Vec<NextStep>,
    /// The command line that leads to this report again, where it is known.
    pub reproduce: Option<String>,
}

/// How the process ends, as ci-and-cli.md section 1 says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExitNote {
    /// The exit code.
    pub code: u8,
    /// Its name, such as `gate_failed`.
    pub name: &'static str,
    /// One word: the rule that decided, a word of reliability-security.md, else the verdict.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// A command that would now work, or an action in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextStep {
    /// What to type or do.
    pub command: String,
    /// What it leads to; may be empty.
    pub note: String,
}

/// One suite with one model.
pub enum SuiteOutcome<'a> {
    /// It ran, to its end or not.
    Ran(Box<SuiteReport<'a>>),
    /// There was nothing to do.
    Skipped(SuiteNote),
    /// It could not begin.
    Failed(SuiteNote),
}

/// A suite without a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuiteNote {
    /// The suite's name.
    pub name: String,
    /// One word, such as `skipped` or `auth`.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// A suite that ran.
pub struct SuiteReport<'a> {
    /// The run.
    pub run: &'a Run,
    /// Its cases with both sides.
    pub table: CaseTable<'a>,
    /// Its arms, summed up, the candidate last.
    pub arms: Vec<ArmSummary>,
    /// What was decided.
    pub decision: Decision,
    /// Where the texts are.
    pub texts: &'a dyn Texts,
    /// Pass rates by judges, corrected for what the judges get wrong.
    pub corrected: Vec<CorrectedRate>,
    /// What this command paid for the suite; unknown is `None`.
    pub spent_usd: Option<f64>,
    /// What a reader should know besides the notes of the run and of the decision.
    pub notes: Vec<String>,
}

impl SuiteOutcome<'_> {
    /// The suite's verdict.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Ran(suite) => suite.decision.verdict,
            Self::Skipped(_) => Verdict::Skipped,
            Self::Failed(_) => Verdict::Error,
        }
    }

    /// The suite's name as reports print it, with `@<model>` where it has several models.
    #[must_use]
    pub fn title(&self) -> &str {
        match self {
            Self::Ran(suite) => &suite.run.header.title,
            Self::Skipped(note) | Self::Failed(note) => &note.name,
        }
    }

    /// The sentence about its verdict.
    #[must_use]
    pub fn message(&self) -> &str {
        match self {
            Self::Ran(suite) => &suite.decision.message,
            Self::Skipped(note) | Self::Failed(note) => &note.message,
        }
    }

    /// The report, if the suite ran.
    #[must_use]
    pub fn ran(&self) -> Option<&SuiteReport<'_>> {
        match self {
            Self::Ran(suite) => Some(suite),
            Self::Skipped(_) | Self::Failed(_) => None,
        }
    }
}

impl Report<'_> {
    /// The suites that ran.
    pub fn ran(&self) -> impl Iterator<Item = &SuiteReport<'_>> {
        self.suites.iter().filter_map(SuiteOutcome::ran)
    }

    /// The suite that the command's verdict comes from: the first one with it.
    #[must_use]
    pub fn deciding(&self) -> Option<&SuiteReport<'_>> {
        self.ran()
            .find(|suite| suite.decision.verdict == self.verdict)
            .or_else(|| self.ran().next())
    }
}

impl SuiteReport<'_> {
    /// How reports name an arm.
    #[must_use]
    pub fn label(&self, arm: Arm) -> &str {
        self.run.header.label(arm)
    }

    /// An arm, summed up.
    #[must_use]
    pub fn arm(&self, arm: Arm) -> Option<&ArmSummary> {
        self.arms.iter().find(|summary| summary.arm == arm)
    }

    /// The rule about the pass rate of all cases.
    #[must_use]
    pub fn pass_rate(&self) -> Option<&RuleResult> {
        let rule = |id: &str| self.decision.rules.iter().find(|rule| rule.id == id);
        rule("pass-rate").or_else(|| rule("score"))
    }

    /// Whether the run did all that was planned and led to a verdict.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.run.is_complete() && self.decision.verdict != Verdict::Error
    }

    /// The rows with the cases they are about, in the dataset's order, each with its index.
    pub fn rows(&self) -> impl Iterator<Item = (usize, &CaseRow<'_>, Option<&Case>)> {
        let rows = self.table.rows.iter().enumerate();
        rows.map(|(index, row)| (index, row, self.run.cases.get(index)))
    }

    /// The models that answered, by their own word, each once.
    #[must_use]
    pub fn served(&self) -> Vec<&str> {
        let served = self.run.served.values().flatten().map(String::as_str);
        let mut served: Vec<&str> = served.collect();
        served.sort_unstable();
        served.dedup();
        served
    }

    /// What is shown below the notes of the decision: notes of the run and of this report, and what
    /// the run was narrowed to unless the decision has said so.
    #[must_use]
    pub fn all_notes(&self) -> Vec<String> {
        let header = &self.run.header;
        let is_said = |words: &str| self.decision.notes.iter().any(|note| note.contains(words));
        let filter = header.filter.iter().filter(|words| !is_said(words));
        let filter = filter.map(|words| format!("Filter: {words}."));
        let sample = header
            .sample
            .iter()
            .map(|words| format!("Sample: {words}."));
        let notes = header.notes.iter().chain(&self.notes).cloned();
        let notes = notes.chain(words::corrected(self));
        let notes = notes.chain(super::flaky::sentences(self));
        notes.chain(filter).chain(sample).collect()
    }

    /// The answer of a trial; an `Err` holds words for an answer that can not be shown.
    ///
    /// # Errors
    /// When the trial has no answer, or its line can not be read.
    pub fn answer(&self, trial: &TrialRecord) -> Result<Reply, &'static str> {
        let span = trial.answer.reply_at.ok_or("no answer")?;
        self.texts
            .reply(span)
            .ok_or("the answer could not be read from the run's log")
    }

    /// The scores of a trial with their reasons, where they can be read.
    #[must_use]
    pub fn scores(&self, trial: &TrialRecord) -> Option<Vec<ScoreRecord>> {
        self.texts.scores(trial.result_at?)
    }

    /// Why a trial was not run, or `None` if it was.
    #[must_use]
    pub fn skip_of(&self, trial: &TrialRecord) -> Option<Skip> {
        match trial.outcome {
            Some(Outcome::Passed | Outcome::Failed | Outcome::Errored) => None,
            Some(Outcome::Skipped) => Some(trial.skipped.unwrap_or(Skip::Infra)),
            None => Some(self.skip_of_unfinished()),
        }
    }

    /// A trial that never ended was not run for the reason that ended the run.
    fn skip_of_unfinished(&self) -> Skip {
        match self.run.finished.as_ref().map(|end| end.reason.as_str()) {
            None | Some("interrupted" | "cancelled") => Skip::Cancelled,
            Some("budget") => Skip::Budget,
            Some("deadline") => Skip::Deadline,
            Some("complete" | "stopped") => Skip::Stopped,
            Some(_) => Skip::Infra,
        }
    }
}
