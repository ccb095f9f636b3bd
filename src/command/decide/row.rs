//! A row of an outcome file: one trial of one case.

use crate::base::Digest;

/// One trial of one case, as a file tells it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(in crate::command) struct Row {
    /// The case.
    pub id: String,
    /// The line on which the row begins, from 1; its number in files without lines.
    pub line: u32,
    /// The repeat, where the file numbers them.
    pub trial: Option<u32>,
    /// Whether it passed.
    pub pass: Option<bool>,
    /// Its score, 0 to 1.
    pub score: Option<f64>,
    /// Why there is no usable result.
    pub error: Option<String>,
    /// Whether it was not run.
    pub skipped: bool,
    /// What group the case is in.
    pub segment: Vec<(String, String)>,
    /// The group whose cases depend on each other.
    pub cluster: Option<String>,
    /// Whether the candidate has to pass the case.
    pub must_pass: bool,
    /// Whether it was kept out of the gate, being known to be flaky.
    pub quarantined: bool,
    /// What the answer cost.
    pub cost_usd: Option<f64>,
    /// How long it took.
    pub latency_ms: Option<f64>,
    /// Tokens of the question.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer.
    pub output_tokens: Option<u64>,
    /// The answer itself, where the file has it.
    pub output: Option<String>,
    /// What was asked, where the file says it: two rows of one id must agree.
    pub content: Option<Digest>,
}

/// A file, read.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::command) struct Outcomes {
    /// The file or run as the caller named it.
    pub name: String,
    /// Digest of what was read.
    pub digest: Digest,
    /// Its rows, in the file's order.
    pub rows: Vec<Row>,
}

impl Row {
    /// Whether it has a result.
    pub fn is_finished(&self) -> bool {
        self.error.is_none() && !self.skipped
    }
}

/// Gives rows of equal id and no number their repeat, in the file's order.
pub(super) fn number_trials(rows: &mut [Row]) {
    let mut seen = std::collections::HashMap::<String, u32>::new();
    for row in rows.iter_mut().filter(|row| row.trial.is_none()) {
        let count = seen.entry(row.id.clone()).or_default();
        *count += 1;
        row.trial = Some(*count);
    }
}
