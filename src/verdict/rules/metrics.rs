//! Evidence on amounts (cost, latency, tokens): the t-test of log ratios, or the percentile
//! bootstrap of a ratio of percentiles.

use super::evidence::{Barrier, Evidence, FEW_PAIRS, estimate};
use super::pass_rate::{of_t, unit_barrier};
use crate::analysis::{Amount, Pairing};
use crate::stats::Error;
use crate::stats::mean::Sample;
use crate::stats::ratio::{RatioPair, ratio_test};
use crate::stats::resample::{Amounts, percentile, percentile_ratio, totals_ratio};
use crate::verdict::policy::{Policy, Statistic};
use crate::verdict::rule::{Estimate, TestResult};

/// Share of pairs without a ratio above which nothing is decided.
const MOST_LEFT_OUT: f64 = 0.05;

/// Pairs up to which the interval of the totals' ratio is resampled. It decides nothing, and beyond
/// this many its time would be seconds.
const MOST_RESAMPLED: usize = 10_000;

/// An amount with its limit.
#[derive(Debug, Clone, Copy)]
pub(in crate::verdict) struct Limited {
    pub amount: Amount,
    pub max_ratio: f64,
    pub statistic: Statistic,
}

/// The evidence of an amount over all complete pairs.
pub(in crate::verdict) fn evidence(
    pairing: &Pairing<'_>,
    limited: Limited,
    policy: &Policy,
    seed: u64,
) -> Evidence {
    let (pairs, clusters) = pairing.amounts(&pairing.all, limited.amount);
    if pairs.is_empty() {
        return Evidence::barred(Barrier::NoPair);
    }
    let (used, groups) = with_ratio(&pairs, clusters.as_deref());
    let left_out = (pairs.len() - used.len()) as u64;
    let tested = match limited.statistic {
        Statistic::Mean => of_logs(&used, groups.as_deref(), limited.max_ratio, policy),
        Statistic::P50 => of_percentiles(&used, 0.50, limited, policy, seed),
        Statistic::P95 => of_percentiles(&used, 0.95, limited, policy, seed),
    };
    let mut evidence = tested.unwrap_or_else(|error| Evidence::barred(undefined(&error)));
    let too_many = left_out as f64 > MOST_LEFT_OUT * pairs.len() as f64;
    if too_many {
        let of = pairs.len() as u64;
        evidence.barrier = Some(Barrier::LeftOut { left_out, of });
    } else if used.len() < FEW_PAIRS && evidence.barrier.is_none() {
        evidence.barrier = Some(Barrier::FewPairs {
            pairs: used.len() as u64,
            may_fail: limited.statistic == Statistic::Mean,
        });
    } else if evidence.barrier.is_none() {
        evidence.barrier = cluster_barrier(&used, groups.as_deref());
    }
    evidence.n = used.len() as u64;
    evidence.left_out = left_out;
    evidence.clusters = groups.as_deref().map(count_distinct);
    evidence.moved = moved(&used);
    if limited.statistic == Statistic::Mean && used.len() <= MOST_RESAMPLED {
        evidence.totals = totals_ratio(&used, policy.level(), seed)
            .ok()
            .map(|totals| {
                (
                    totals.ratio,
                    estimate(
                        totals.interval,
                        if totals.draws == 0 {
                            "abc"
                        } else {
                            "bca-bootstrap"
                        },
                    ),
                )
            });
    }
    evidence
}

fn undefined(error: &Error) -> Barrier {
    match error {
        Error::TooFew { .. } => Barrier::OneUnit,
        Error::NotFinite { .. }
        | Error::OutOfRange { .. }
        | Error::LengthMismatch { .. }
        | Error::ZeroBaseline { .. }
        | Error::ImpossibleCorrelation { .. }
        | Error::UselessJudge { .. } => Barrier::Undefined(error.to_string()),
    }
}

/// The pairs that have a ratio, with their clusters: both amounts known, and zero on both sides or
/// on none.
fn with_ratio(
    pairs: &[RatioPair],
    clusters: Option<&[usize]>,
) -> (Vec<Amounts>, Option<Vec<usize>>) {
    let mut used = Vec::with_capacity(pairs.len());
    let mut groups = Vec::new();
    for (index, pair) in pairs.iter().enumerate() {
        let (Some(candidate), Some(baseline)) = (pair.candidate, pair.baseline) else {
            continue;
        };
        if (candidate > 0.0) != (baseline > 0.0) {
            continue;
        }
        used.push(Amounts {
            candidate,
            baseline,
        });
        groups.extend(clusters.and_then(|clusters| clusters.get(index)));
    }
    (used, clusters.is_some().then_some(groups))
}

fn cluster_barrier(used: &[Amounts], groups: Option<&[usize]>) -> Option<Barrier> {
    let zeros = vec![0.0; used.len()];
    let sample = Sample::clustered(&zeros, groups?).ok()?;
    unit_barrier(&sample)
}

fn count_distinct(groups: &[usize]) -> u64 {
    let distinct: std::collections::BTreeSet<usize> = groups.iter().copied().collect();
    distinct.len() as u64
}

/// Cases that are dearer, and cheaper.
fn moved(used: &[Amounts]) -> (u64, u64) {
    let count = |pick: fn(&Amounts) -> bool| used.iter().filter(|pair| pick(pair)).count() as u64;
    (
        count(|pair| pair.candidate > pair.baseline),
        count(|pair| pair.candidate < pair.baseline),
    )
}

fn of_logs(
    used: &[Amounts],
    groups: Option<&[usize]>,
    max_ratio: f64,
    policy: &Policy,
) -> Result<Evidence, Error> {
    let pairs: Vec<RatioPair> = used
        .iter()
        .map(|pair| RatioPair {
            candidate: Some(pair.candidate),
            baseline: Some(pair.baseline),
        })
        .collect();
    let result = ratio_test(&pairs, groups, max_ratio, policy.level())?;
    let (name, method) = match groups {
        Some(_) => ("cr1-t", "cr1-t"),
        None => ("paired-t", "t"),
    };
    let n = used.len() as f64;
    let mean = |pick: fn(&Amounts) -> f64| used.iter().map(pick).sum::<f64>() / n;
    Ok(Evidence {
        estimate: Some(result.ratio),
        ci: Some(estimate(result.interval, method)),
        values: Some((mean(|pair| pair.baseline), mean(|pair| pair.candidate))),
        p_noninferior: Some(result.p_noninferior),
        ..of_t(&result.test, name, used.len())
    })
}

fn of_percentiles(
    used: &[Amounts],
    share: f64,
    limited: Limited,
    policy: &Policy,
    seed: u64,
) -> Result<Evidence, Error> {
    let result = percentile_ratio(used, share, limited.max_ratio, policy.level(), seed)?;
    let column = |pick: fn(&Amounts) -> f64| used.iter().map(pick).collect::<Vec<f64>>();
    let baseline = percentile(&column(|pair| pair.baseline), share)?;
    let candidate = percentile(&column(|pair| pair.candidate), share)?;
    let (worse, better) = (result.p_regression, result.p_improvement);
    Ok(Evidence {
        estimate: Some(result.ratio),
        ci: Some(Estimate {
            low: result.interval.low,
            high: result.interval.high,
            level: result.interval.level,
            method: "percentile-bootstrap",
        }),
        values: Some((baseline, candidate)),
        decided_by: Some("percentile-bootstrap"),
        p_regression: Some(worse),
        p_improvement: Some(better),
        p_noninferior: Some(result.p_noninferior),
        tests: vec![TestResult {
            name: "percentile-bootstrap",
            statistic: None,
            p_two_sided: Some((2.0 * worse.min(better)).min(1.0)),
            p_regression: Some(worse),
            note: None,
        }],
        ..Evidence::default()
    })
}
