//! Bootstrap of ratios that have no simple distribution: percentiles and totals.
//!
//! Owns the percentile bootstrap of a ratio of percentiles and the `BCa` bootstrap of a ratio of
//! totals. Cases are resampled whole, both arms together. A result depends on the seed alone, not
//! on the number of threads.

use serde::{Deserialize, Serialize};

use super::error::{self, Error};
use super::proportion::Interval;
use super::random::{Stream, in_blocks, threads};

mod analytic;
mod totals;
mod window;

pub use totals::{TotalsRatio, totals_ratio};

/// Draws of a bootstrap.
pub const DRAWS: usize = 10_000;

/// From so many cases on, percentiles are resampled in a window and totals have their interval
/// without a draw: both in time that does not grow with draws x cases.
const MANY: usize = 5_000;

/// Larger amounts are refused, so that sums cannot overflow.
const LARGEST: f64 = 1e100;

/// One case's amounts (cost, tokens, latency) in both arms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Amounts {
    /// The candidate's amount.
    pub candidate: f64,
    /// The baseline's amount.
    pub baseline: f64,
}

/// The percentile `share` of `values` by nearest rank: the ⌈share·n⌉-th smallest.
///
/// # Errors
/// If there is no value, one is not finite, or `share` is not in (0, 1].
pub fn percentile(values: &[f64], share: f64) -> Result<f64, Error> {
    error::all_finite("value", values)?;
    let rank = nearest_rank(share, values.len())?;
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.get(rank - 1).copied().ok_or(NO_CASE)
}

const NO_CASE: Error = Error::TooFew {
    what: "cases",
    needed: 1,
    found: 0,
};

/// The rank in 1..=n that belongs to `share`, with `n` ≥ 1.
fn nearest_rank(share: f64, n: usize) -> Result<usize, Error> {
    error::check("percentile", "above 0 and at most 1", share, |q| {
        q > 0.0 && q <= 1.0
    })?;
    error::at_least("cases", 1, n)?;
    let exact = share * n as f64;
    let rounded = exact.round();
    let rank = if (exact - rounded).abs() < 1e-9 * exact {
        rounded
    } else {
        exact.ceil()
    };
    Ok(index(rank).clamp(1, n))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, and callers clamp the result to a length"
)]
fn index(value: f64) -> usize {
    value as usize
}

/// Result of the percentile bootstrap of a ratio of percentiles.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PercentileRatio {
    /// The candidate's percentile over the baseline's.
    pub ratio: f64,
    /// Percentile interval; a bound is `f64::MAX` where draws have a baseline of 0.
    pub interval: Interval,
    /// (1 + draws ≤ 1)/(draws + 1): p of the candidate being dearer.
    pub p_regression: f64,
    /// (1 + draws ≥ 1)/(draws + 1): p of the candidate being cheaper.
    pub p_improvement: f64,
    /// (1 + draws ≥ `max_ratio`)/(draws + 1); below α means within the limit.
    pub p_noninferior: f64,
    /// Number of draws.
    pub draws: usize,
}

/// Percentile bootstrap over cases of the ratio of the arms' percentiles (nearest rank).
///
/// Assumes independent cases. 10,000 draws seeded by `seed`. The interval's upper bound is below
/// `max_ratio` exactly when `p_noninferior` < (1 − level)/2. In a draw 0/0 is 1 and any other
/// ratio to 0 is `f64::MAX`. Source: Efron and Tibshirani (1993), *An Introduction to the
/// Bootstrap*, ch. 13; Davison and Hinkley (1997), §4.2.5, for the added one.
///
/// # Errors
/// If there is no pair, an amount is negative or not finite or above 1e100, `share` is not in
/// (0, 1], `max_ratio` is not above 0 or `level` not in (0, 1); [`Error::ZeroBaseline`] if only
/// the baseline's percentile is 0.
pub fn percentile_ratio(
    pairs: &[Amounts],
    share: f64,
    max_ratio: f64,
    level: f64,
    seed: u64,
) -> Result<PercentileRatio, Error> {
    percentile_ratio_on(pairs, share, max_ratio, level, (seed, threads()))
}

fn percentile_ratio_on(
    pairs: &[Amounts],
    share: f64,
    max_ratio: f64,
    level: f64,
    (seed, threads): (u64, usize),
) -> Result<PercentileRatio, Error> {
    check_amounts(pairs)?;
    error::positive("largest ratio", max_ratio)?;
    error::open_unit("confidence level", level)?;
    let n = pairs.len();
    let rank = nearest_rank(share, n)?;
    let candidate = Ranked::new(pairs.iter().map(|pair| pair.candidate));
    let baseline = Ranked::new(pairs.iter().map(|pair| pair.baseline));
    let once = vec![1; n];
    let ratio = ratio(candidate.at(&once, rank), baseline.at(&once, rank));
    if ratio >= f64::MAX {
        return Err(Error::ZeroBaseline { what: "percentile" });
    }
    let window = (n >= MANY).then(|| window::Window::new(pairs, rank, &candidate, &baseline));
    let mut draws: Vec<f64> = in_blocks(DRAWS, seed, threads, |stream, size| {
        let mut counts = vec![0_u32; n];
        let draw = |_| {
            let (above, below) = match &window {
                Some(window) => window.draw(stream, &mut counts),
                None => {
                    resample(stream, &mut counts);
                    (candidate.at(&counts, rank), baseline.at(&counts, rank))
                }
            };
            self::ratio(above, below)
        };
        (0..size).map(draw).collect::<Vec<f64>>()
    })
    .concat();
    draws.sort_unstable_by(f64::total_cmp);
    let below = |limit: f64| draws.partition_point(|&draw| draw < limit);
    let at_most_one = draws.partition_point(|&draw| draw <= 1.0);
    let tail = 0.5 * (1.0 - level);
    let outside = index((tail * (DRAWS + 1) as f64).ceil()).clamp(1, DRAWS / 2);
    let at = |position: usize| draws.get(position).copied().unwrap_or(ratio);
    Ok(PercentileRatio {
        ratio,
        interval: Interval {
            low: at(outside - 1 - usize::from(outside > 1)),
            high: at((DRAWS + 1 - outside).min(DRAWS - 1)),
            level,
        },
        p_regression: share_of(at_most_one),
        p_improvement: share_of(DRAWS - below(1.0)),
        p_noninferior: share_of(DRAWS - below(max_ratio)),
        draws: DRAWS,
    })
}

fn share_of(hits: usize) -> f64 {
    (1 + hits) as f64 / (1 + DRAWS) as f64
}

fn check_amounts(pairs: &[Amounts]) -> Result<(), Error> {
    for pair in pairs {
        for value in [pair.candidate, pair.baseline] {
            error::check("amount", "between 0 and 1e100", value, |v| {
                (0.0..=LARGEST).contains(&v)
            })?;
        }
    }
    Ok(())
}

/// A ratio that is 1 for 0/0 and `f64::MAX` where it would be infinite.
fn ratio(above: f64, below: f64) -> f64 {
    if below > 0.0 {
        (above / below).min(f64::MAX)
    } else if above > 0.0 {
        f64::MAX
    } else {
        1.0
    }
}

/// Draws as many cases as there are, with replacement, as a count for each case.
fn resample(stream: &mut Stream, counts: &mut [u32]) {
    counts.fill(0);
    let n = counts.len();
    for _ in 0..n {
        if let Some(count) = counts.get_mut(stream.below(n)) {
            *count += 1;
        }
    }
}

/// An arm's values in ascending order, each with its case.
struct Ranked(Vec<(f64, usize)>);

impl Ranked {
    fn new(values: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<(f64, usize)> = values.zip(0..).collect();
        sorted.sort_unstable_by(|left, right| left.0.total_cmp(&right.0));
        Self(sorted)
    }

    /// The value of rank `rank` (from 1) when case i occurs `counts[i]` times.
    fn at(&self, counts: &[u32], rank: usize) -> f64 {
        let n = self.0.len();
        if 2 * rank <= n {
            reach(self.0.iter(), counts, rank)
        } else {
            reach(self.0.iter().rev(), counts, n + 1 - rank)
        }
    }
}

fn reach<'a>(values: impl Iterator<Item = &'a (f64, usize)>, counts: &[u32], rank: usize) -> f64 {
    let mut seen = 0;
    let mut last = 0.0;
    for &(value, case) in values {
        seen += counts.get(case).map_or(0, |&count| count as usize);
        last = value;
        if seen >= rank {
            break;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, assert_within, cases};
    use super::totals::totals_ratio_on;
    use super::*;

    fn amounts(candidate: &[f64], baseline: &[f64]) -> Vec<Amounts> {
        candidate
            .iter()
            .zip(baseline)
            .map(|(&candidate, &baseline)| Amounts {
                candidate,
                baseline,
            })
            .collect()
    }

    fn latencies(factor: f64) -> Vec<Amounts> {
        let mut stream = Stream::new(21, 0);
        let baseline: Vec<f64> = (0..60)
            .map(|_| 100.0 - 300.0 * stream.uniform().ln())
            .collect();
        let candidate: Vec<f64> = baseline
            .iter()
            .map(|b| b * factor * (0.9 + 0.2 * stream.uniform()))
            .collect();
        amounts(&candidate, &baseline)
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        let values = [15.0, 20.0, 35.0, 40.0, 50.0];
        for (share, expected) in [
            (0.05, 15.0),
            (0.3, 20.0),
            (0.4, 20.0),
            (0.5, 35.0),
            (1.0, 50.0),
        ] {
            assert_within(percentile(&values, share).unwrap(), expected, 0.0);
        }
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_within(percentile(&hundred, 0.95).unwrap(), 95.0, 0.0);
        assert!(percentile(&[], 0.5).is_err());
        assert!(percentile(&[f64::NAN], 0.5).is_err());
        assert!(percentile(&values, 0.0).is_err());
    }

    /// `n` log-normal-like pairs, and the same as a bootstrap draws them case by case.
    fn many(n: usize) -> Vec<Amounts> {
        let mut stream = Stream::new(33, 0);
        let draw = |_| {
            let baseline = 20.0 - 80.0 * stream.uniform().ln();
            Amounts {
                candidate: baseline * (0.7 + 0.8 * stream.uniform()),
                baseline,
            }
        };
        (0..n).map(draw).collect()
    }

    #[test]
    fn percentiles_of_many_cases_are_drawn_from_the_distribution_of_the_whole_resample() {
        let pairs = many(MANY);
        let (candidate, baseline) = (
            Ranked::new(pairs.iter().map(|pair| pair.candidate)),
            Ranked::new(pairs.iter().map(|pair| pair.baseline)),
        );
        for share in [0.5, 0.95] {
            let rank = nearest_rank(share, pairs.len()).unwrap();
            let window = window::Window::new(&pairs, rank, &candidate, &baseline);
            let (mut stream, mut counts) = (Stream::new(4, 0), vec![0; pairs.len()]);
            let mut whole: Vec<f64> = (0..1_000)
                .map(|_| {
                    resample(&mut stream, &mut counts);
                    candidate.at(&counts, rank) / baseline.at(&counts, rank)
                })
                .collect();
            let mut drawn: Vec<f64> = (0..1_000)
                .map(|_| {
                    let (above, below) = window.draw(&mut stream, &mut counts);
                    above / below
                })
                .collect();
            // Kolmogorov and Smirnov's distance of two samples of 1,000: above 0.087 in 1 of 1,000.
            whole.sort_by(f64::total_cmp);
            drawn.sort_by(f64::total_cmp);
            let distance = whole.iter().enumerate().map(|(index, value)| {
                let below = drawn.partition_point(|other| other <= value);
                (index as f64 - below as f64).abs() / 1_000.0
            });
            let distance = distance.fold(0.0, f64::max);
            assert!(distance < 0.087, "share {share}: {distance}");
        }
    }

    #[test]
    fn totals_of_many_cases_have_the_interval_that_draws_approach() {
        let pairs = many(MANY - 1);
        let drawn = totals_ratio(&pairs, 0.9, 3).unwrap();
        let analytic = analytic::interval(&pairs, 0.9).unwrap();
        let width = drawn.interval.high - drawn.interval.low;
        assert_eq!(drawn.draws, DRAWS);
        // The bounds of 10,000 draws have a standard error of about 1 % of the interval's width.
        assert!((drawn.interval.low - analytic.low).abs() < 0.04 * width);
        assert!((drawn.interval.high - analytic.high).abs() < 0.04 * width);
        let many = totals_ratio(&many(MANY), 0.9, 3).unwrap();
        assert_eq!(many.draws, 0);
        assert!(many.interval.contains(many.ratio));
    }

    #[test]
    fn a_slower_candidate_is_a_regression_beyond_the_limit() {
        let slower = percentile_ratio(&latencies(1.3), 0.5, 1.1, 0.9, 7).unwrap();
        assert!(slower.p_regression < 0.01 && slower.p_noninferior > 0.9);
        assert!(slower.interval.contains(slower.ratio));
        let same = percentile_ratio(&latencies(1.0), 0.95, 1.2, 0.9, 7).unwrap();
        assert!(same.p_noninferior < 0.05 && same.p_regression > 0.05);
    }

    #[test]
    fn interval_and_p_agree_at_every_limit() {
        let pairs = latencies(1.05);
        let interval = percentile_ratio(&pairs, 0.5, 1.1, 0.9, 3).unwrap().interval;
        for limit in [0.9, 1.0, 1.05, interval.high, interval.high + 1e-9, 1.2] {
            let result = percentile_ratio(&pairs, 0.5, limit, 0.9, 3).unwrap();
            assert_eq!(
                result.p_noninferior < 0.05,
                interval.high < limit,
                "{limit}"
            );
        }
    }

    #[test]
    fn the_ratio_of_totals_comes_near_the_reference() {
        for case in cases("totals_ratio") {
            let pairs = amounts(&case.numbers("candidate"), &case.numbers("baseline"));
            let result = totals_ratio(&pairs, case.number("level"), 1).unwrap();
            assert_within(
                result.interval.low,
                case.number("low"),
                0.01 * case.number("low"),
            );
            assert_within(
                result.interval.high,
                case.number("high"),
                0.01 * case.number("high"),
            );
            assert!(result.interval.contains(result.ratio));
        }
    }

    #[test]
    fn results_depend_on_the_seed_and_not_on_the_threads() {
        let pairs = latencies(1.1);
        let totals = |seed, threads| totals_ratio_on(&pairs, 0.9, seed, threads).unwrap();
        assert_eq!(totals(1, 1), totals(1, 3));
        assert_ne!(totals(1, 1), totals(2, 1));
        let p95 = |threads| percentile_ratio_on(&pairs, 0.95, 1.1, 0.9, (1, threads)).unwrap();
        assert_eq!(p95(1), p95(3));
    }

    #[test]
    fn equal_arms_have_ratio_one_and_no_spread() {
        let pairs = amounts(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]);
        let totals = totals_ratio(&pairs, 0.9, 1).unwrap();
        assert_close(totals.interval.low, 1.0);
        assert_close(totals.interval.high, 1.0);
        let p50 = percentile_ratio(&pairs, 0.5, 1.1, 0.9, 1).unwrap();
        assert_close(p50.p_regression, 1.0);
        assert_close(p50.p_noninferior, 1.0 / 10_001.0);
    }

    #[test]
    fn zeros_are_handled_and_bad_amounts_refused() {
        let none = amounts(&[0.0, 0.0], &[0.0, 0.0]);
        assert_close(totals_ratio(&none, 0.9, 1).unwrap().ratio, 1.0);
        let free = amounts(&[1.0, 1.0], &[0.0, 0.0]);
        assert!(matches!(
            totals_ratio(&free, 0.9, 1),
            Err(Error::ZeroBaseline { .. })
        ));
        assert!(percentile_ratio(&free, 0.5, 1.1, 0.9, 1).is_err());
        let partly = amounts(&[1.0, 1.0, 1.0], &[0.0, 0.0, 1.0]);
        let result = totals_ratio(&partly, 0.9, 1).unwrap();
        assert!(result.interval.low <= result.interval.high && result.interval.high <= f64::MAX);
        assert!(totals_ratio(&amounts(&[-1.0], &[1.0]), 0.9, 1).is_err());
        assert!(totals_ratio(&amounts(&[f64::NAN], &[1.0]), 0.9, 1).is_err());
        assert!(totals_ratio(&[], 0.9, 1).is_err());
        let single = totals_ratio(&amounts(&[3.0], &[2.0]), 0.9, 1).unwrap();
        assert_close(single.interval.low, 1.5);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn bounds_are_in_order(values in prop::collection::vec((0.0..9.0_f64, 0.1..9.0_f64), 1..8), seed in 0_u64..99) {
            let (candidate, baseline): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            let pairs = amounts(&candidate, &baseline);
            let totals = totals_ratio(&pairs, 0.9, seed).unwrap();
            prop_assert!(totals.interval.low <= totals.interval.high);
            let p50 = percentile_ratio(&pairs, 0.5, 1.1, 0.9, seed).unwrap();
            prop_assert!(p50.interval.low <= p50.interval.high);
            prop_assert!(p50.p_noninferior > 0.0 && p50.p_noninferior <= 1.0);
        }
    }
}
