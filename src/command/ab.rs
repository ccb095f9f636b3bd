//! `gate ab`: two or more arms of production traffic, by their counts or by a log.

use std::io::BufRead;

use camino::Utf8Path;

use super::error::CommandError;
use crate::base::{decode, text};
use crate::stats::experiment::{anytime_rates, sample_ratio};
use crate::stats::multiple::holm;
use crate::stats::power::{Risk, unpaired_mde};
use crate::stats::proportion::{
    FisherTest, Tally, ZTest, fisher_exact, newcombe_interval, two_proportion_z, weak_normal,
    wilson_interval,
};
use crate::stats::sequential::EValue;
use crate::stats::{self, Interval};
use crate::verdict::Verdict;

/// Two-sided level of the decision, and 1 minus the level of the intervals.
pub const ALPHA: f64 = 0.05;

/// Power that the least loss is stated for.
pub const POWER: f64 = 0.8;

/// p of the arms' sizes below which the split is suspect.
pub const SUSPECT: f64 = 0.001;

/// One arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// What came out.
    pub tally: Tally,
    /// Wilson's interval of its rate.
    pub ci: Option<Interval>,
}

/// A later arm against the first.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The later arm's name.
    pub name: String,
    /// Its rate less the first's.
    pub difference: f64,
    /// Newcombe's interval.
    pub ci: Interval,
    /// The two-proportion z-test, which decides.
    pub z: ZTest,
    /// Its two-sided p after Holm over all later arms.
    pub p_adjusted: f64,
    /// Fisher's exact test, where it can be computed.
    pub fisher: Option<FisherTest>,
    /// Whether the normal approximation behind z is weak.
    pub weak: bool,
    /// Evidence that holds at whatever time one looks.
    pub anytime: EValue,
    /// The least loss that arms of this size find.
    pub mde: Option<f64>,
    /// Pass if better, fail if worse, else inconclusive.
    pub verdict: Verdict,
}

/// The whole experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Experiment {
    /// The arms, the baseline first.
    pub arms: Vec<Arm>,
    /// Each later arm against the first.
    pub comparisons: Vec<Comparison>,
    /// The last arm's comparison, which gives the verdict.
    pub last: Comparison,
    /// p of the arms' sizes under the planned split.
    pub split_p: Option<f64>,
    /// Whether the split is suspect; then nothing is decided.
    pub suspect: bool,
    /// The verdict.
    pub verdict: Verdict,
}

fn refused(error: &stats::Error) -> CommandError {
    CommandError::usage(
        error.to_string(),
        "write counts such as v7=430/500 v8=455/500",
    )
}

/// Reads `v7=430/500`.
///
/// # Errors
/// When it is not of that form, or has more passes than trials.
pub fn read_count(written: &str) -> Result<(String, Tally), CommandError> {
    let parts = written.rsplit_once('=').and_then(|(name, counts)| {
        let (passed, trials) = counts.split_once('/')?;
        Some((
            name,
            passed.trim().parse().ok()?,
            trials.trim().parse().ok()?,
        ))
    });
    let Some((name, passed, trials)) = parts.filter(|(name, _, _)| !name.is_empty()) else {
        return Err(CommandError::usage(
            format!("`{written}` is no count of an arm"),
            "write ARM=PASSED/TRIALS, such as v7=430/500",
        ));
    };
    let tally = Tally::new(passed, trials).map_err(|error| refused(&error))?;
    Ok((name.to_owned(), tally))
}

/// Reads a planned split such as `90/10`.
///
/// # Errors
/// When it holds anything but numbers above 0.
pub fn read_split(written: &str) -> Result<Vec<f64>, CommandError> {
    let shares: Option<Vec<f64>> = written
        .split(['/', ':', ','])
        .map(|share| share.trim().trim_end_matches('%').parse().ok())
        .collect();
    shares
        .filter(|shares| shares.iter().all(|share| share.is_finite() && *share > 0.0))
        .ok_or_else(|| {
            CommandError::usage(
                format!("`{written}` is no split"),
                "write one number for each arm, such as 50/50 or 90/10",
            )
        })
}

/// Compares later arms with the first.
///
/// # Errors
/// When there are fewer than two arms, two of one name, an arm without a trial, or a split of
/// another number of arms.
pub fn compare(
    counts: Vec<(String, Tally)>,
    split: Option<Vec<f64>>,
) -> Result<Experiment, CommandError> {
    check_arms(&counts)?;
    let shares = split.unwrap_or_else(|| vec![1.0; counts.len()]);
    if shares.len() != counts.len() {
        return Err(CommandError::usage(
            format!(
                "the split has {}, the experiment {}",
                text::count(shares.len(), "number"),
                text::count(counts.len(), "arm")
            ),
            "give --split one number for each arm, in their order",
        ));
    }
    let sizes: Vec<u64> = counts.iter().map(|(_, tally)| tally.trials()).collect();
    let split_p = sample_ratio(&sizes, &shares).map_err(|error| refused(&error))?;
    let suspect = split_p.is_some_and(|p| p < SUSPECT);
    let mut comparisons = Vec::new();
    if let [(_, baseline), later @ ..] = counts.as_slice() {
        for (name, tally) in later {
            comparisons.push(one(name, *tally, *baseline).map_err(|error| refused(&error))?);
        }
    }
    adjust(&mut comparisons).map_err(|error| refused(&error))?;
    let Some(last) = comparisons.last().cloned() else {
        return Err(too_few_arms());
    };
    let arms = counts.into_iter().map(|(name, tally)| Arm {
        name,
        tally,
        ci: wilson_interval(tally.successes() as f64, tally.trials() as f64, 1.0 - ALPHA).ok(),
    });
    Ok(Experiment {
        arms: arms.collect(),
        verdict: if suspect {
            Verdict::Inconclusive
        } else {
            last.verdict
        },
        comparisons,
        last,
        split_p,
        suspect,
    })
}

fn too_few_arms() -> CommandError {
    CommandError::usage(
        "there are fewer than two arms",
        "give two or more, the baseline first: v7=430/500 v8=455/500",
    )
}

fn check_arms(counts: &[(String, Tally)]) -> Result<(), CommandError> {
    if counts.len() < 2 {
        return Err(too_few_arms());
    }
    for (index, (name, tally)) in counts.iter().enumerate() {
        if tally.trials() == 0 {
            return Err(CommandError::usage(
                format!("arm `{name}` has no trial"),
                "leave the arm out, or wait for its first events",
            ));
        }
        if counts
            .iter()
            .take(index)
            .any(|(earlier, _)| earlier == name)
        {
            return Err(CommandError::usage(
                format!("there are two arms `{name}`"),
                "add up their counts",
            ));
        }
    }
    Ok(())
}

fn one(name: &str, arm: Tally, baseline: Tally) -> Result<Comparison, stats::Error> {
    let ci = newcombe_interval(arm, baseline, 1.0 - ALPHA)?;
    let z = two_proportion_z(arm, baseline).ok_or(stats::Error::TooFew {
        what: "trials",
        needed: 1,
        found: 0,
    })?;
    let (n1, n2) = (arm.trials() as f64, baseline.trials() as f64);
    let risk = Risk::new(0.5 * ALPHA, POWER)?;
    let rate = baseline.rate().unwrap_or_default();
    Ok(Comparison {
        name: name.to_owned(),
        difference: arm.rate().unwrap_or_default() - rate,
        ci,
        z,
        p_adjusted: z.p_two_sided,
        fisher: fisher_exact(arm, baseline),
        weak: weak_normal(arm, baseline),
        anytime: anytime_rates(arm, baseline),
        mde: unpaired_mde(rate, harmonic(n1, n2), risk)?,
        verdict: Verdict::Inconclusive,
    })
}

/// The harmonic mean of two sizes: equal arms of this size tell as much.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and the value is at least 0"
)]
fn harmonic(first: f64, second: f64) -> u64 {
    (2.0 * first * (second / (first + second))).floor() as u64
}

fn adjust(comparisons: &mut [Comparison]) -> Result<(), stats::Error> {
    let raw: Vec<f64> = comparisons.iter().map(|c| c.z.p_two_sided).collect();
    for (comparison, adjusted) in comparisons.iter_mut().zip(holm(&raw)?) {
        comparison.p_adjusted = adjusted;
        comparison.verdict = if adjusted >= ALPHA {
            Verdict::Inconclusive
        } else if comparison.z.statistic < 0.0 {
            Verdict::Fail
        } else {
            Verdict::Pass
        };
    }
    Ok(())
}

/// Which columns of a log to read.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// The arm's.
    pub arm: &'a str,
    /// The outcome's.
    pub outcome: &'a str,
    /// The arm that is the baseline; the first one met without it.
    pub baseline: Option<&'a str>,
}

/// Counts a log: CSV with a header where the name ends in `.csv`, else JSONL.
///
/// # Errors
/// When it can not be read, lacks a column, or holds an outcome that is no yes or no.
pub fn count_log(
    path: &Utf8Path,
    columns: Columns<'_>,
) -> Result<Vec<(String, Tally)>, CommandError> {
    let file = crate::store::fs::open(path)?;
    let input = std::io::BufReader::with_capacity(1 << 16, file);
    let is_csv = path
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let mut counts = Counts::default();
    if is_csv {
        count_csv(input, path, columns, &mut counts)?;
    } else {
        count_lines(input, path, columns, &mut counts)?;
    }
    counts.finish(columns.baseline)
}

/// Counts by arm, in the order in which arms are met.
#[derive(Default)]
struct Counts(Vec<(String, u64, u64)>);

impl Counts {
    fn add(&mut self, arm: &str, passed: bool) {
        let place = self.0.iter().position(|(name, _, _)| name == arm);
        let place = place.unwrap_or_else(|| {
            self.0.push((arm.to_owned(), 0, 0));
            self.0.len() - 1
        });
        if let Some((_, passes, trials)) = self.0.get_mut(place) {
            *passes += u64::from(passed);
            *trials += 1;
        }
    }

    fn finish(mut self, baseline: Option<&str>) -> Result<Vec<(String, Tally)>, CommandError> {
        if let Some(wanted) = baseline {
            let names: Vec<&str> = self.0.iter().map(|(name, _, _)| name.as_str()).collect();
            let Some(place) = names.iter().position(|name| *name == wanted) else {
                return Err(CommandError::usage(
                    format!("the data have no arm `{wanted}`"),
                    decode::choices(wanted, &names),
                ));
            };
            let arm = self.0.remove(place);
            self.0.insert(0, arm);
        }
        self.0
            .into_iter()
            .map(|(name, passes, trials)| {
                let tally = Tally::new(passes, trials).map_err(|error| refused(&error))?;
                Ok((name, tally))
            })
            .collect()
    }
}

fn bad_row(path: &Utf8Path, line: u64, what: &str) -> CommandError {
    CommandError::usage(
        format!("{path}:{line}: {what}"),
        "each row needs the arm's name and an outcome: true or false, 1 or 0, yes or no, pass or fail",
    )
}

/// The outcome that a word means.
fn outcome(word: &str) -> Option<bool> {
    match word.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "y" | "pass" | "passed" | "success" | "ok" => Some(true),
        "false" | "0" | "no" | "n" | "fail" | "failed" | "failure" => Some(false),
        _ => None,
    }
}

fn count_csv(
    input: impl std::io::Read,
    path: &Utf8Path,
    columns: Columns<'_>,
    counts: &mut Counts,
) -> Result<(), CommandError> {
    let broken = |error: &csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        bad_row(path, line, &error.to_string())
    };
    let mut reader = csv::Reader::from_reader(input);
    let header = reader.headers().map_err(|error| broken(&error))?.clone();
    let find = |name: &str| {
        let names: Vec<&str> = header.iter().collect();
        names
            .iter()
            .position(|column| *column == name)
            .ok_or_else(|| {
                CommandError::usage(
                    format!("{path} has no column `{name}`"),
                    decode::choices(name, &names),
                )
            })
    };
    let (arm, passed) = (find(columns.arm)?, find(columns.outcome)?);
    for record in reader.records() {
        let record = record.map_err(|error| broken(&error))?;
        let line = record.position().map_or(1, csv::Position::line);
        let cell = |index| record.get(index).filter(|cell: &&str| !cell.is_empty());
        let name = cell(arm).ok_or_else(|| bad_row(path, line, "the arm is empty"))?;
        let word = cell(passed).ok_or_else(|| bad_row(path, line, "the outcome is empty"))?;
        let passed =
            outcome(word).ok_or_else(|| bad_row(path, line, &format!("`{word}` is no outcome")))?;
        counts.add(name, passed);
    }
    Ok(())
}

fn count_lines(
    input: impl BufRead,
    path: &Utf8Path,
    columns: Columns<'_>,
    counts: &mut Counts,
) -> Result<(), CommandError> {
    for (line, row) in (1_u64..).zip(input.lines()) {
        let row = row.map_err(|error| bad_row(path, line, &error.to_string()))?;
        if row.trim().is_empty() {
            continue;
        }
        let row: serde_json::Value = serde_json::from_str(&row)
            .map_err(|error| bad_row(path, line, &format!("no JSON: {error}")))?;
        let text = |name: &str| match row.get(name) {
            Some(serde_json::Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(value @ (serde_json::Value::Bool(_) | serde_json::Value::Number(_))) => {
                Some(value.to_string())
            }
            _ => None,
        };
        let missing = |name: &str| bad_row(path, line, &format!("there is no `{name}`"));
        let arm = text(columns.arm).ok_or_else(|| missing(columns.arm))?;
        let word = text(columns.outcome).ok_or_else(|| missing(columns.outcome))?;
        let passed = outcome(&word)
            .ok_or_else(|| bad_row(path, line, &format!("`{word}` is no outcome")))?;
        counts.add(&arm, passed);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn experiment(counts: &[&str]) -> Experiment {
        let counts = counts.iter().map(|written| read_count(written).unwrap());
        compare(counts.collect(), None).unwrap()
    }

    fn close(actual: f64, printed: f64) {
        assert!((actual - printed).abs() < 1e-6, "{actual} is not {printed}");
    }

    #[test]
    fn the_worked_example_passes_for_the_better_arm_and_fails_the_other_way() {
        let found = experiment(&["v7=430/500", "v8=455/500"]);
        close(found.last.z.p_two_sided, 0.013_208);
        close(found.last.ci.low, 0.010_409);
        close(found.last.ci.high, 0.089_832);
        assert_eq!(found.verdict, Verdict::Pass);
        assert!(!found.suspect && !found.last.weak);
        let back = experiment(&["v8=455/500", "v7=430/500"]);
        close(back.last.z.statistic, -2.478_104);
        close(back.last.z.p_regression, 0.006_604);
        assert_eq!(back.verdict, Verdict::Fail);
    }

    #[test]
    fn an_uneven_split_decides_nothing() {
        let found = experiment(&["v7=430/500", "v8=700/750"]);
        assert!(found.suspect);
        assert_eq!(found.verdict, Verdict::Inconclusive);
        let planned = vec![
            read_count("v7=430/500").unwrap(),
            read_count("v8=700/750").unwrap(),
        ];
        let found = compare(planned, read_split("40/60").ok()).unwrap();
        assert!(!found.suspect);
        assert_eq!(found.verdict, Verdict::Pass);
    }

    #[test]
    fn several_variants_pay_for_each_other() {
        let alone = experiment(&["a=430/500", "b=453/500"]);
        assert_eq!(alone.verdict, Verdict::Pass);
        let three = experiment(&["a=430/500", "c=431/500", "d=432/500", "b=453/500"]);
        assert!(three.last.p_adjusted > 2.9 * three.last.z.p_two_sided);
        assert_eq!(three.verdict, Verdict::Inconclusive);
        assert_eq!(three.comparisons.len(), 3);
    }

    #[test]
    fn few_events_are_said_to_be_weak() {
        let found = experiment(&["a=9/10", "b=5/10"]);
        assert!(found.last.weak && found.last.fisher.is_some());
        assert_eq!(found.verdict, Verdict::Inconclusive);
    }

    #[test]
    fn what_is_no_experiment_is_a_usage_error() {
        for written in ["v7", "v7=5", "=1/2", "v7=6/5", "v7=a/5"] {
            assert!(read_count(written).is_err(), "{written}");
        }
        assert!(compare(vec![read_count("a=1/2").unwrap()], None).is_err());
        let same = vec![read_count("a=1/2").unwrap(), read_count("a=1/2").unwrap()];
        assert!(compare(same, None).is_err());
        let empty = vec![read_count("a=0/0").unwrap(), read_count("b=1/2").unwrap()];
        assert!(compare(empty, None).is_err());
        assert!(read_split("50/x").is_err());
        assert!(read_split("0/100").is_err());
    }
}
