//! The history of drift: one line a run, in an append-only file.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::command::CommandError;
use crate::stats::drift::{EwmaPoint, Week, ewma};
use crate::store::fs;

const MAX_HISTORY: u64 = 64 << 20;

/// One run of drift.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    /// The form of the line.
    pub gate: String,
    /// When it ended.
    pub at: Timestamp,
    /// The series that it belongs to.
    pub series: Series,
    /// The run's id.
    pub run: String,
    /// The models that answered.
    pub served: Vec<String>,
    /// Candidate less pinned.
    pub effect: f64,
    /// Share of cases that changed.
    pub churn: f64,
    /// Pairs.
    pub pairs: u64,
    /// One-sided p of a loss.
    pub p_regression: Option<f64>,
    /// The candidate's pass rate.
    pub pass_rate: Option<f64>,
    /// Mean cost of an answer.
    pub cost_usd: Option<f64>,
    /// The verdict.
    pub verdict: String,
}

/// What must be equal for runs to be compared with the same pinned answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Series {
    /// The prompt.
    pub prompt: String,
    /// The suite.
    pub suite: String,
    /// The model's name in the suite.
    pub model: String,
    /// The version's content hash.
    pub hash: String,
    /// The run whose answers are pinned.
    pub pinned: String,
    /// The dataset.
    pub dataset: String,
}

/// The form of a line.
pub(super) const FORMAT: &str = "drift/1";

/// The points of a file; none where it is not there.
pub(super) fn read(path: &Utf8Path) -> Result<Vec<Point>, CommandError> {
    let text = match fs::read_text(path, MAX_HISTORY) {
        Ok(text) => text,
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let lines = text.lines().zip(1..).filter(|(line, _)| !line.is_empty());
    lines
        .map(|(line, number)| {
            let point: Point = serde_json::from_str(line)
                .map_err(|error| bad(path, number, &error.to_string()))?;
            if point.gate == FORMAT {
                Ok(point)
            } else {
                let message = format!(
                    "it has format `{}`, this program reads `{FORMAT}`",
                    point.gate
                );
                Err(bad(path, number, &message))
            }
        })
        .collect()
}

fn bad(path: &Utf8Path, line: usize, what: &str) -> CommandError {
    CommandError::usage(
        format!("{path}:{line} is no point of a history: {what}"),
        "restore the file, or name another with --history FILE",
    )
}

/// Adds a point.
pub(super) fn append(path: &Utf8Path, point: &Point) -> Result<(), CommandError> {
    let mut line = serde_json::to_string(point).map_err(|error| {
        CommandError::infra("io", format!("failed to write {path}: {error}"), None)
    })?;
    line.push('\n');
    Ok(fs::append(path, line.as_bytes())?)
}

/// The last point of the chart of a series; `None` before its fifth week.
pub(super) fn chart(points: &[&Point]) -> Option<EwmaPoint> {
    let weeks: Vec<Week> = points
        .iter()
        .map(|point| Week {
            effect: point.effect,
            churn: point.churn,
            pairs: point.pairs,
        })
        .collect();
    ewma(&weeks).ok()?.pop()?
}

/// The series as a line of blocks, the lowest being the worst.
pub(super) fn plot(points: &[&Point]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let effects = || points.iter().map(|point| point.effect);
    let low = effects().fold(f64::INFINITY, f64::min);
    let high = effects().fold(f64::NEG_INFINITY, f64::max);
    effects()
        .map(|effect| {
            let share = if high > low {
                (effect - low) / (high - low)
            } else {
                0.5
            };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "the share is between 0 and 1"
            )]
            let step = (share * 7.0).round() as usize;
            BLOCKS.get(step).copied().unwrap_or('▁')
        })
        .collect()
}
