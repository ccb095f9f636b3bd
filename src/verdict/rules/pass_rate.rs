//! Evidence on measures from 0 to 1 (passes, scores, shares without a fault): `McNemar` and Tango on
//! counts, the t-test with its guard where cases have repeats, clusters or grades.

use super::evidence::{Barrier, Evidence, FEW_CLUSTERS, FEW_PAIRS, Spread, estimate};
use crate::analysis::{Fill, Measure, Pairing, Pairs};
use crate::stats::mean::{self, MeanTest, Sample};
use crate::stats::paired::{self, PairedCounts, PairedTest};
use crate::stats::proportion::{self, Tally, ZTest};
use crate::verdict::policy::{Policy, TestChoice};
use crate::verdict::rule::{Estimate, PairsTable, TestResult};

const WEAK: &str = "normal approximation weak";
const APPROXIMATE: &str = "interval is approximate; mid-p decides";
const ZERO_VARIANCE: &str = "zero variance";

/// What is tested, besides the pairs themselves.
#[derive(Debug, Clone, Copy)]
pub(in crate::verdict) struct Question<'p> {
    pub policy: &'p Policy,
    pub margin: f64,
    pub seed: u64,
}

/// The evidence of a measure over some rows.
pub(in crate::verdict) fn evidence(
    pairing: &Pairing<'_>,
    rows: &[u32],
    measure: Measure,
    fill: Fill,
    question: Question<'_>,
) -> Evidence {
    let pairs = pairing.pairs(rows, measure, fill);
    let is_passes = matches!(measure, Measure::Pass | Measure::NoFault(_));
    let is_counted = is_passes && is_counted(pairing, question.policy);
    let mut evidence = if pairs.n() == 0 {
        Evidence::barred(Barrier::NoPair)
    } else if is_counted {
        of_counts(&pairs.counts, question)
    } else {
        let test = mean_evidence(&pairs, is_passes, question);
        test.unwrap_or_else(|error| Evidence::barred(Barrier::Undefined(error.to_string())))
    };
    if is_passes {
        evidence.pairs = Some(PairsTable {
            n: pairs.n(),
            both_pass: pairs.counts.both_pass,
            regressions: pairs.counts.regressions,
            fixes: pairs.counts.fixes,
            both_fail: pairs.counts.both_fail,
            missing: pairs.missing,
        });
    }
    if is_passes && !is_counted {
        evidence.tests.splice(0..0, z_tests(pairs.tallies));
    }
    evidence.n = pairs.n();
    evidence.moved = pairs.moved();
    evidence.left_out = pairs.left_out;
    evidence.values = pairs.means().map(|values| match measure {
        Measure::NoFault(_) => (1.0 - values.0, 1.0 - values.1),
        Measure::Pass | Measure::Score | Measure::Scorer(_) => values,
    });
    evidence
}

/// Whether passes are tested as counts: one trial a case, and independent cases.
fn is_counted(pairing: &Pairing<'_>, policy: &Policy) -> bool {
    !pairing.repeated && pairing.clusters.is_none() && policy.test != TestChoice::PairedT
}

/// The evidence of paired counts.
fn of_counts(counts: &PairedCounts, question: Question<'_>) -> Evidence {
    let policy = question.policy;
    let interval = paired::tango_interval(counts, policy.level()).ok();
    let (test, name) = counted_test(policy.test);
    let tests = count_tests(counts);
    let p_of = |tests: &[TestResult]| {
        let deciding = tests.iter().find(|test| test.name == name);
        deciding.and_then(|test| test.p_regression)
    };
    let p_regression = p_of(&tests);
    let p_improvement = p_of(&count_tests(&counts.swapped()));
    let excludes_zero = interval.is_some_and(|interval| interval.high < 0.0);
    let approximate = excludes_zero && p_regression.is_some_and(|p| p >= policy.alpha);
    let note = |test: TestResult| match (approximate, test.name) {
        (true, "mcnemar-midp") => TestResult {
            note: Some(APPROXIMATE),
            ..test
        },
        _ => test,
    };
    Evidence {
        n: counts.n(),
        moved: (counts.regressions, counts.fixes),
        estimate: counts.effect(),
        ci: interval.map(|interval| estimate(interval, "tango")),
        decided_by: Some(name),
        p_regression,
        p_improvement,
        p_noninferior: paired::tango_noninferior(counts, question.margin).ok(),
        minimal_p: paired::minimal_p(counts, test),
        tests: tests.into_iter().map(note).collect(),
        spread: Spread::Churn(counts.planning_churn()),
        ..Evidence::default()
    }
}

/// The test that decides on counts, with its name in results.
fn counted_test(choice: TestChoice) -> (PairedTest, &'static str) {
    match choice {
        TestChoice::Auto | TestChoice::McnemarMidP | TestChoice::PairedT => {
            (PairedTest::MidP, "mcnemar-midp")
        }
        TestChoice::McnemarExact => (PairedTest::Exact, "mcnemar-exact"),
        TestChoice::McnemarScore => (PairedTest::ScoreZ, "mcnemar-score"),
        TestChoice::Z => (PairedTest::TwoProportion, "two-proportion-z"),
    }
}

/// All tests on counts, in the order of results; Fisher's last, where z is weak.
fn count_tests(counts: &PairedCounts) -> Vec<TestResult> {
    let mut tests = z_tests([tally(counts.baseline()), tally(counts.candidate())]);
    let fisher = tests.split_off(tests.len().min(1));
    let exact = paired::mcnemar_exact(counts);
    let mid_p = paired::mcnemar_mid_p(counts);
    let score = paired::mcnemar_z(counts);
    let z = Some(score.statistic);
    tests.extend([
        named("mcnemar-exact", None, exact.p_two_sided, exact.p_regression),
        named("mcnemar-midp", None, mid_p.p_two_sided, mid_p.p_regression),
        named("mcnemar-score", z, score.p_two_sided, score.p_regression),
    ]);
    tests.extend(fisher);
    tests
}

fn tally(tally: Tally) -> (u64, u64) {
    (tally.successes(), tally.trials())
}

/// The two-proportion z-test, and Fisher's beside it where z is weak.
fn z_tests(tallies: [(u64, u64); 2]) -> Vec<TestResult> {
    let [baseline, candidate] = tallies.map(|(passed, trials)| Tally::new(passed, trials).ok());
    let (Some(baseline), Some(candidate)) = (baseline, candidate) else {
        return Vec::new();
    };
    let mut tests = Vec::new();
    let weak = proportion::weak_normal(candidate, baseline);
    if let Some(ZTest {
        statistic,
        p_two_sided,
        p_regression,
    }) = proportion::two_proportion_z(candidate, baseline)
    {
        tests.push(TestResult {
            note: weak.then_some(WEAK),
            ..named(
                "two-proportion-z",
                Some(statistic),
                p_two_sided,
                p_regression,
            )
        });
    }
    if let Some(fisher) = proportion::fisher_exact(candidate, baseline).filter(|_| weak) {
        tests.push(named(
            "fisher-exact",
            None,
            fisher.p_two_sided,
            fisher.p_regression,
        ));
    }
    tests
}

fn named(
    name: &'static str,
    statistic: Option<f64>,
    p_two_sided: f64,
    p_regression: f64,
) -> TestResult {
    TestResult {
        name,
        statistic,
        p_two_sided: Some(p_two_sided),
        p_regression: Some(p_regression),
        note: None,
    }
}

/// The evidence of a mean of differences: t or CR1, below 20 cases the sign-flip test.
fn mean_evidence(
    pairs: &Pairs,
    is_passes: bool,
    question: Question<'_>,
) -> Result<Evidence, crate::stats::Error> {
    let policy = question.policy;
    let sample = pairs.differences()?;
    let test = mean::paired_t(&sample, policy.level()).ok();
    let name = t_name(&sample);
    let difference = pairs
        .means()
        .map(|(baseline, candidate)| candidate - baseline);
    let mut evidence = test.map_or_else(Evidence::default, |test| of_t(&test, name, sample.len()));
    evidence.estimate = evidence.estimate.or(difference);
    // Differences of measures from 0 to 1 lie within 1, whatever t says.
    evidence.ci = evidence.ci.map(|ci| Estimate {
        low: ci.low.clamp(-1.0, 1.0),
        high: ci.high.clamp(-1.0, 1.0),
        ..ci
    });
    evidence.p_noninferior = mean::p_noninferior(&sample, question.margin).ok();
    evidence.barrier = unit_barrier(&sample);
    evidence.clusters = sample.clusters().map(|clusters| clusters as u64);
    let few = sample.clusters().is_none() && sample.len() < FEW_PAIRS;
    if few {
        let flips = mean::sign_flip(&sample, question.seed)?;
        evidence.decided_by = Some("sign-flip");
        evidence.p_regression = Some(flips.p_regression);
        evidence.p_improvement = Some(flips.p_improvement);
        let result = named("sign-flip", None, flips.p_two_sided, flips.p_regression);
        evidence.tests.push(result);
    }
    if is_passes || few || mean::needs_guard(&sample) {
        evidence.p_guarded = mean::p_guarded(&sample, question.margin).ok();
    }
    Ok(evidence)
}

/// The name of the t-test that a sample takes.
pub(in crate::verdict) fn t_name(sample: &Sample) -> &'static str {
    if sample.clusters().is_some() {
        "cr1-t"
    } else {
        "paired-t"
    }
}

/// What the number of units forbids.
pub(in crate::verdict) fn unit_barrier(sample: &Sample) -> Option<Barrier> {
    match sample.clusters() {
        _ if sample.units() < 2 => Some(Barrier::OneUnit),
        Some(clusters) if clusters < FEW_CLUSTERS => Some(Barrier::FewClusters(clusters as u64)),
        Some(_) | None => None,
    }
}

/// What a t-test over `cases` says of a regression; non-inferiority is the caller's.
pub(in crate::verdict) fn of_t(test: &MeanTest, name: &'static str, cases: usize) -> Evidence {
    let note = test.zero_variance().then_some(ZERO_VARIANCE);
    let method = if name == "cr1-t" { "cr1-t" } else { "t" };
    // For planning, clustered cases count as so many independent ones with a larger spread.
    let deviation = test.estimate.standard_error * (cases as f64).sqrt();
    Evidence {
        estimate: Some(test.estimate.mean),
        ci: Some(estimate(test.interval, method)),
        decided_by: Some(name),
        p_regression: Some(test.p_regression),
        p_improvement: Some(test.p_improvement),
        tests: vec![TestResult {
            note,
            ..named(name, test.statistic, test.p_two_sided, test.p_regression)
        }],
        spread: Spread::Deviation(deviation),
        ..Evidence::default()
    }
}
