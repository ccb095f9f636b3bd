//! The results of rules and the decision they lead to, as plain data that every report reads.

/// What a command concludes, from best to worst in the order of exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The candidate is not worse, shown with the policy's certainty.
    Pass,
    /// The candidate is worse, or breaks an absolute rule.
    Fail,
    /// Too little evidence for either.
    Inconclusive,
    /// There was nothing to do.
    Skipped,
    /// No verdict could be formed.
    Error,
}

impl Verdict {
    /// The word in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
            Self::Error => "error",
        }
    }

    /// How bad the verdict is among several: fail, error, inconclusive, pass, skipped.
    #[must_use]
    pub fn severity(self) -> u8 {
        match self {
            Self::Fail => 4,
            Self::Error => 3,
            Self::Inconclusive => 2,
            Self::Pass => 1,
            Self::Skipped => 0,
        }
    }
}

/// What one rule concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum RuleVerdict {
    /// The rule holds.
    Pass,
    /// The rule is broken.
    Fail,
    /// Too little evidence.
    Inconclusive,
    /// The rule could not say anything: too few cases, no data, too few differing answers.
    #[default]
    Skipped,
}

impl RuleVerdict {
    /// The word in results.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
        }
    }
}

/// Counts of pairs by what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PairsTable {
    /// Pairs with both sides.
    pub n: u64,
    /// Both pass.
    pub both_pass: u64,
    /// The baseline passes, the candidate fails.
    pub regressions: u64,
    /// The baseline fails, the candidate passes.
    pub fixes: u64,
    /// Both fail.
    pub both_fail: u64,
    /// Pairs without both sides.
    pub missing: u64,
}

/// An interval of an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Two-sided confidence level.
    pub level: f64,
    /// `tango`, `t`, `cr1-t`, `percentile-bootstrap`, `wilson`, `bca-bootstrap`,
    /// `abc`.
    pub method: &'static str,
}

/// A test that was computed, whether or not it decides.
#[derive(Debug, Clone, PartialEq)]
pub struct TestResult {
    /// Its name: `two-proportion-z`, `mcnemar-exact`, `mcnemar-midp`, `mcnemar-score`, `paired-t`, …
    pub name: &'static str,
    /// The statistic, where the test has one.
    pub statistic: Option<f64>,
    /// Two-sided p.
    pub p_two_sided: Option<f64>,
    /// One-sided p of a regression.
    pub p_regression: Option<f64>,
    /// A caution to print beside it, such as "normal approximation weak".
    pub note: Option<&'static str>,
}

/// What one rule found; every number it is based on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RuleResult {
    /// Its id: `pass-rate`, `pass-rate[tier=pro]`, `must-pass`, …
    pub id: String,
    /// The metric: `pass`, `score.polite`, `cost_usd`, …
    pub metric: String,
    /// `key=value` of its segment, or the whole.
    pub segment: Option<String>,
    /// What it concludes.
    pub verdict: RuleVerdict,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether it decides (mode `gate`) or is only watched.
    pub gating: bool,
    /// Cases that the numbers are made from: pairs, or the candidate's cases where it is judged alone.
    pub n: u64,
    /// Pairs with both sides that have no value of the metric on one of them.
    pub left_out: u64,
    /// The pairs, for rules on passes.
    pub pairs: Option<PairsTable>,
    /// The baseline's value of the metric (a rate, a mean, a percentile) over the pairs.
    pub baseline_value: Option<f64>,
    /// The candidate's.
    pub candidate_value: Option<f64>,
    /// Candidate minus baseline, turned over for shares of faults so that a loss is negative; or
    /// candidate over baseline for ratios.
    pub estimate: Option<f64>,
    /// Its interval.
    pub ci: Option<Estimate>,
    /// The test that decides.
    pub decided_by: Option<&'static str>,
    /// The policy's alpha.
    pub alpha: Option<f64>,
    /// The allowed loss, where the rule has one.
    pub margin: Option<f64>,
    /// The allowed ratio, where the rule has one.
    pub max_ratio: Option<f64>,
    /// The value that the candidate has to reach, where the rule asks for one.
    pub required: Option<f64>,
    /// p of a regression, raw.
    pub p_regression: Option<f64>,
    /// p of a regression after the family correction; `None` where the rule can not fail. For a
    /// watched rule it is Benjamini and Hochberg's, over the watched rules.
    pub p_regression_adjusted: Option<f64>,
    /// p against non-inferiority.
    pub p_noninferior: Option<f64>,
    /// p of an improvement.
    pub p_improvement: Option<f64>,
    /// The guard's p, where the rule has one.
    pub p_guarded: Option<f64>,
    /// All tests computed.
    pub tests: Vec<TestResult>,
    /// The least loss that this many cases find with the policy's power.
    pub mde: Option<f64>,
    /// Cases needed to decide, where undecided.
    pub cases_needed: Option<u64>,
    /// Clusters, where cases are grouped.
    pub clusters: Option<u64>,
    /// The ratio of the arms' totals with its interval, for amounts; it does not decide.
    pub totals: Option<(f64, Estimate)>,
    /// Ids of the cases that the rule names, such as failed must-pass cases; at most 1,000.
    pub case_ids: Vec<String>,
}

/// How the correction for many rules was made, for the report's line about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyNote {
    /// Rules that could have failed the gate.
    pub rules: usize,
    /// Those of them that could show a loss (the screen's family), the pass rate included.
    pub could_fail: usize,
    /// Comparisons of the command that share one error rate, this one included.
    pub comparisons: usize,
}

/// How a p is called, everywhere: `p` is what the test gave, `adjusted p` what is left of it after the
/// correction for the number of rules and comparisons.
#[must_use]
pub fn p_name(is_adjusted: bool) -> &'static str {
    if is_adjusted { "adjusted p" } else { "p" }
}

impl Decision {
    /// How the p that its rules are judged by are called: where the correction left all of them as
    /// they were, there is one p.
    #[must_use]
    pub fn p_name(&self) -> &'static str {
        let is_corrected = |rule: &RuleResult| {
            rule.p_regression_adjusted.is_some() && rule.p_regression_adjusted != rule.p_regression
        };
        p_name(self.rules.iter().any(is_corrected))
    }
}

/// What missing pairs did to the verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MissingNote {
    /// Pairs planned.
    pub planned: u64,
    /// Pairs without both sides that count against `max_missing`.
    pub missing: u64,
    /// Pairs left out because nothing could be sent.
    pub offline: u64,
    /// Pairs that stopping saved.
    pub stopped: u64,
    /// The verdict had the missing pairs not been looked at.
    pub without: Verdict,
}

/// The decision on one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// One word: the id of the rule that decided, for `error` a word of reliability-security.md,
    /// else the verdict.
    pub reason: String,
    /// A sentence for people, `exit.message`.
    pub message: String,
    /// Further sentences: where it broke, cautions. In the order in which they are shown.
    pub notes: Vec<String>,
    /// Every rule, in the order of formats.md section 6.
    pub rules: Vec<RuleResult>,
    /// How the correction was made.
    pub family: FamilyNote,
    /// What missing pairs did, where there are any.
    pub missing: Option<MissingNote>,
    /// Whether an inconclusive verdict blocks (exit 4) or only warns (exit 0).
    pub blocks_inconclusive: bool,
    /// The policy's preset, for words such as "preset smoke".
    pub preset: &'static str,
}
