//! Every function on every input: no panic, no NaN, no endless loop.
//!
//! Numbers of every kind, NaN and infinities among them, go through the public functions; what
//! comes back as a value must be a number.

use proptest::prelude::*;

use super::agreement::{
    Confusion, Scale, Weights, cohen_kappa, gwet_ac1, kappa_interval, krippendorff_alpha,
};
use super::association::{mean_difference, spearman};
use super::calibration::{
    JudgeRecord, LabelledItem, powered_mean, rogan_gladen, rogan_gladen_rate, sensitivity,
};
use super::drift::{Week, chi_square, ewma, ks_two_sample, stability_index};
use super::mean::{
    Estimate, Sample, effective_n, needs_guard, p_guarded, p_noninferior, paired_t, sign_flip,
};
use super::multiple::{FamilyRule, benjamini_hochberg, holm, screened_family};
use super::paired::{
    PairedCounts, PairedTest, mcnemar_exact, mcnemar_mid_p, mcnemar_z, minimal_p, tango_interval,
    tango_noninferior,
};
use super::power::{
    Price, Risk, VarianceComponents, graded_cases, graded_mde, noninferior_cases, paired_cases,
    paired_mde, repeat_plans, unpaired_cases, unpaired_mde,
};
use super::proportion::{
    Interval, Tally, fisher_exact, newcombe_interval, pass_at_k, pass_hat_k, two_proportion_z,
    weak_normal, wilson_interval, zero_failure_bound,
};
use super::ratio::{RatioPair, ratio_test};
use super::resample::{Amounts, percentile, percentile_ratio, totals_ratio};
use super::sequential::{e_process, obrien_fleming};
use super::simulate::{Criteria, Design, simulate};

/// Numbers of every kind, often in the range that passes the checks.
fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => 0.0..=1.0_f64,
        1 => prop::num::f64::ANY,
        1 => prop::sample::select(vec![
            0.0, -0.0, 1.0, -1.0, 1e-300, 1e100, -1e100, 1e308, f64::NAN, f64::INFINITY,
            f64::NEG_INFINITY, f64::EPSILON,
        ]),
    ]
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop_oneof![
        prop::collection::vec(0.0..=1.0_f64, 0..12),
        prop::collection::vec(number(), 0..5),
        prop::collection::vec(
            prop::sample::select(vec![0.0, 1e-13, 0.5, 1e100, -1e100]),
            0..8
        ),
    ]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0_u64..50, any::<u64>(), Just(u64::MAX)]
}

fn tally() -> impl Strategy<Value = Tally> {
    (count(), count()).prop_map(|(a, b)| Tally::new(a.min(b), a.max(b)).unwrap())
}

fn is_number(values: &[f64]) -> bool {
    values.iter().all(|value| !value.is_nan())
}

fn is_interval(interval: Interval) -> bool {
    interval.low <= interval.high
}

fn is_probability(values: &[f64]) -> bool {
    values.iter().all(|value| (0.0..=1.0).contains(value))
}

proptest! {
    #[test]
    fn proportions(first in tally(), second in tally(), x in number(), n in number(), level in number(), k in count()) {
        if let Some(test) = two_proportion_z(first, second) {
            prop_assert!(is_number(&[test.statistic]));
            prop_assert!(is_probability(&[test.p_two_sided, test.p_regression]));
        }
        let _ = weak_normal(first, second);
        prop_assert!(wilson_interval(x, n, level).map_or(true, is_interval));
        prop_assert!(newcombe_interval(first, second, level).map_or(true, is_interval));
        prop_assert!(zero_failure_bound(k, level).map_or(true, |p| is_probability(&[p])));
        for estimate in [pass_hat_k(first, k), pass_at_k(first, k)].into_iter().flatten() {
            prop_assert!((-1e-9..=1.0 + 1e-9).contains(&estimate), "{estimate}");
        }
        if first.trials() < 1 << 20 && second.trials() < 1 << 20 {
            prop_assert!(fisher_exact(first, second).is_none_or(|t| is_probability(&[t.p_two_sided])));
        }
    }

    #[test]
    fn pairs(cells in prop::array::uniform4(count()), level in number(), margin in number()) {
        let [both_pass, regressions, fixes, both_fail] = cells;
        let counts = PairedCounts { both_pass, regressions, fixes, both_fail };
        for test in [mcnemar_mid_p(&counts), mcnemar_exact(&counts)] {
            prop_assert!(is_probability(&[test.p_regression, test.p_improvement, test.p_two_sided]));
        }
        prop_assert!(is_number(&[mcnemar_z(&counts).statistic, e_process(&counts).ln_e]));
        prop_assert!(tango_interval(&counts, level).map_or(true, is_interval));
        prop_assert!(tango_noninferior(&counts, margin).map_or(true, |p| is_probability(&[p])));
        for test in [PairedTest::MidP, PairedTest::Exact, PairedTest::ScoreZ, PairedTest::TwoProportion] {
            prop_assert!(is_probability(&[minimal_p(&counts, test)]));
        }
    }

    #[test]
    fn means(values in numbers(), clusters in prop::collection::vec(any::<usize>(), 0..8), level in number(), margin in number()) {
        let samples = [Sample::independent(&values), Sample::clustered(&values, &clusters)];
        for sample in samples.into_iter().flatten() {
            if let Ok(test) = paired_t(&sample, level) {
                prop_assert!(is_interval(test.interval));
                prop_assert!(is_probability(&[test.p_regression, test.p_improvement, test.p_two_sided]));
            }
            prop_assert!(p_noninferior(&sample, margin).map_or(true, |p| is_probability(&[p])));
            prop_assert!(p_guarded(&sample, margin).map_or(true, |p| is_probability(&[p])));
            prop_assert!(sign_flip(&sample, 1).map_or(true, |t| is_probability(&[t.p_two_sided])));
            let _ = needs_guard(&sample);
        }
        let rate = Estimate { mean: level, standard_error: margin, df: 1.0, units: 60 };
        prop_assert!(effective_n(&rate, 180).map_or(true, |n| (1.0..=180.0).contains(&n)));
    }

    #[test]
    fn ratios(values in numbers(), others in numbers(), limit in number(), level in number()) {
        let pairs: Vec<RatioPair> = values
            .iter()
            .zip(&others)
            .map(|(&a, &b)| RatioPair { candidate: Some(a), baseline: Some(b) })
            .collect();
        if let Ok(test) = ratio_test(&pairs, None, limit, level) {
            prop_assert!(is_interval(test.interval));
            prop_assert!(is_probability(&[test.p_regression, test.p_noninferior]));
        }
    }

    #[test]
    fn families(p in numbers(), smallest in numbers(), alpha in number()) {
        prop_assert!(holm(&p).map_or(true, |adjusted| is_probability(&adjusted)));
        prop_assert!(benjamini_hochberg(&p).map_or(true, |adjusted| is_probability(&adjusted)));
        let rules: Vec<FamilyRule> =
            p.iter().zip(&smallest).map(|(&p, &minimal_p)| FamilyRule { p, minimal_p }).collect();
        if let Ok(family) = screened_family(alpha, &rules, alpha) {
            prop_assert_eq!(family.others.iter().flatten().count(), family.size);
        }
        if let Ok(looks) = obrien_fleming(alpha, &p) {
            prop_assert!(looks.iter().all(|look| is_probability(&[look.nominal_p, look.spent])));
        }
    }

    #[test]
    fn plans(a in number(), b in number(), alpha in number(), power in number(), n in count()) {
        if let Ok(risk) = Risk::new(alpha, power) {
            for size in [paired_cases(a, b, risk), noninferior_cases(a, b, risk), unpaired_cases(a, b, risk), graded_cases(a, b, risk)] {
                prop_assert!(size.map_or(true, |size| size.cases >= 1 && size.exact.is_finite()));
            }
            for effect in [paired_mde(a, n, risk), unpaired_mde(a, n, risk), graded_mde(a, n, risk)] {
                prop_assert!(effect.map_or(true, |e| e.is_none_or(f64::is_finite)));
            }
            if let Ok(components) = VarianceComponents::new(a, b) {
                let plans = repeat_plans(components, Price { case: a, trial: b }, alpha * 1e3, 4, risk);
                prop_assert!(plans.map_or(true, |plans| plans.iter().all(|plan| plan.mde.is_finite())));
            }
        }
    }

    #[test]
    fn raters(rows in prop::collection::vec(prop::collection::vec(count(), 3), 3), units in prop::collection::vec(numbers(), 0..5)) {
        let table = Confusion::from_rows(&rows).unwrap();
        for weights in [Weights::None, Weights::Linear, Weights::Quadratic] {
            prop_assert!(cohen_kappa(&table, weights).is_none_or(f64::is_finite));
        }
        prop_assert!(gwet_ac1(&table).is_none_or(f64::is_finite));
        for scale in [Scale::Nominal, Scale::Ordinal, Scale::Interval] {
            let alpha = krippendorff_alpha(&units, scale);
            prop_assert!(alpha.map_or(true, |alpha| alpha.is_none_or(f64::is_finite)));
        }
    }

    #[test]
    fn associations(first in numbers(), second in numbers(), table in prop::collection::vec(prop::collection::vec(count(), 3), 3), level in number()) {
        let short = first.len().min(second.len());
        for found in [spearman(&first[..short], &second[..short], level), mean_difference(&first, &second, level)].into_iter().flatten().flatten() {
            prop_assert!(is_number(&[found.value]));
            prop_assert!(found.interval.is_none_or(is_interval), "{found:?}");
        }
        let table = Confusion::from_rows(&table).unwrap();
        let interval = kappa_interval(&table, level).ok().flatten();
        prop_assert!(interval.is_none_or(is_interval), "{interval:?}");
    }

    #[test]
    fn judges(judged in tally(), passes in tally(), failures in tally(), values in numbers(), others in numbers(), level in number()) {
        let record = JudgeRecord { passes, failures };
        prop_assert!(sensitivity(&record, level).map_or(true, |rate| is_interval(rate.interval)));
        if let Ok(rate) = rogan_gladen(judged, &record) {
            prop_assert!(is_probability(&[rate.rate]) && rate.standard_error.is_finite());
        }
        let items: Vec<LabelledItem> = values
            .iter()
            .zip(&others)
            .map(|(&human, &judge)| LabelledItem { human, judge })
            .collect();
        if let Ok(found) = rogan_gladen_rate(level, level, &JudgeRecord { passes, failures }) {
            prop_assert!(is_number(&[found.rate, found.uncut, found.standard_error]));
        }
        prop_assert!(powered_mean(&items, &others, level).map_or(true, |mean| is_interval(mean.interval)));
    }

    #[test]
    fn drifts(first in prop::collection::vec(count(), 0..5), second in prop::collection::vec(count(), 0..5), values in numbers(), others in numbers()) {
        prop_assert!(stability_index(&first, &second).map_or(true, f64::is_finite));
        prop_assert!(chi_square(&first, &second).is_none_or(|test| is_probability(&[test.p])));
        prop_assert!(ks_two_sample(&values, &others).map_or(true, |test| is_probability(&[test.p])));
        let weeks: Vec<Week> = values
            .iter()
            .zip(&others)
            .map(|(&effect, &churn)| Week { effect, churn, pairs: 40 })
            .collect();
        prop_assert!(ewma(&weeks).map_or(true, |points| points.iter().flatten().all(|p| is_number(&[p.value, p.limit]))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn resampling(values in numbers(), others in numbers(), share in number(), limit in number(), level in number()) {
        prop_assert!(percentile(&values, share).map_or(true, f64::is_finite));
        let pairs: Vec<Amounts> = values
            .iter()
            .zip(&others)
            .map(|(&candidate, &baseline)| Amounts { candidate, baseline })
            .collect();
        if let Ok(result) = percentile_ratio(&pairs, share, limit, level, 1) {
            prop_assert!(is_interval(result.interval) && is_number(&[result.ratio]));
        }
        if let Ok(result) = totals_ratio(&pairs, level, 1) {
            prop_assert!(is_interval(result.interval) && is_number(&[result.ratio]));
        }
    }

    #[test]
    fn simulations(rate in number(), drop in number(), correlation in number(), alpha in number(), margin in number(), trials in 0_u32..4) {
        let design = Design { cases: 22, trials, rate, drop, correlation };
        if let Ok(result) = simulate(&design, Criteria { alpha, margin, threshold: margin }, 30, 1) {
            prop_assert_eq!(result.pass + result.fail + result.inconclusive, 30);
        }
    }
}
