//! Experiments in production: whether traffic was split as planned, and a p-value for those who
//! look at the counts every day.
//!
//! Owns the sample-ratio check and the anytime-valid test of two independent rates. The fixed-size
//! test and interval are `proportion`'s, the anytime test of pairs `sequential`'s.

use statrs::function::beta::ln_beta;

use super::distribution::chi_square_sf;
use super::error::{self, Error};
use super::proportion::Tally;
use super::sequential::EValue;

/// p of the arms' sizes under the planned split: Pearson's chi-square goodness of fit with
/// (arms − 1) degrees of freedom.
///
/// A small p says that the assignment, the logging or the filter is broken, whatever the outcomes;
/// 0.001 is the customary mark. `None` without traffic. Source: Fabijan et al. (2019), "Diagnosing
/// sample ratio mismatch in online controlled experiments", KDD, 2156–2164.
///
/// # Errors
/// If there are fewer than two arms, the lists differ in length, or a share is not above 0.
pub fn sample_ratio(sizes: &[u64], shares: &[f64]) -> Result<Option<f64>, Error> {
    error::at_least("arms", 2, sizes.len())?;
    error::same_length("list of shares", sizes.len(), shares.len())?;
    let mut sum = 0.0;
    for &share in shares {
        sum += error::positive("share of the planned split", share)?;
    }
    let total: f64 = sizes.iter().map(|&size| size as f64).sum();
    if total <= 0.0 {
        return Ok(None);
    }
    let statistic: f64 = sizes
        .iter()
        .zip(shares)
        .map(|(&size, share)| {
            let expected = total * (share / sum);
            (size as f64 - expected) * ((size as f64 - expected) / expected)
        })
        .sum();
    Ok(Some(chi_square_sf(statistic, (sizes.len() - 1) as f64)))
}

/// Evidence against equal rates of two independent arms, valid at whatever time one looks.
///
/// `E = ∏ B(x_i + ½, f_i + ½)/B(½, ½) / sup_p p^x (1 − p)^f`: the likelihood under a Jeffreys
/// mixture for each arm, over the largest one under a common rate. For each common rate the ratio
/// is a martingale of mean 1 in any order of arrival, so by Ville's inequality P(E ever ≥ 1/α) ≤ α,
/// exactly and for any sample sizes. Two-sided; it costs power against a fixed size. Without a trial
/// it is 1. Source: Wasserman, Ramdas and Balakrishnan (2020), "Universal inference", PNAS 117,
/// 16880–16890, §8; the mixture is Krichevsky and Trofimov's (1981).
pub fn anytime_rates(first: Tally, second: Tally) -> EValue {
    let mixture = |tally: Tally| {
        let (passes, fails) = (tally.successes() as f64, tally.failures() as f64);
        ln_beta(passes + 0.5, fails + 0.5) - ln_beta(0.5, 0.5)
    };
    let passes = first.successes() as f64 + second.successes() as f64;
    let fails = first.failures() as f64 + second.failures() as f64;
    let total = passes + fails;
    let part = |count: f64| {
        if count > 0.0 {
            count * (count / total).ln()
        } else {
            0.0
        }
    };
    let ln_e = mixture(first) + mixture(second) - part(passes) - part(fails);
    EValue {
        ln_e,
        p_anytime: (-ln_e).exp().min(1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::Stream;
    use super::super::reference::{assert_printed, assert_within};
    use super::*;

    fn tally(successes: u64, trials: u64) -> Tally {
        Tally::new(successes, trials).unwrap()
    }

    #[test]
    fn a_split_as_planned_is_not_suspect() {
        let p = |sizes: &[u64], shares: &[f64]| sample_ratio(sizes, shares).unwrap().unwrap();
        assert_printed(p(&[500, 500], &[1.0, 1.0]), 1.0);
        // Chi-square 821588 − 815482 of 1,637,070 users: the example of Kohavi, Tang and Xu (2020), ch. 21.
        assert!(p(&[821_588, 815_482], &[0.5, 0.5]) < 1e-5);
        assert_within(p(&[900, 100], &[90.0, 10.0]), 1.0, 1e-12);
        assert!(p(&[600, 400], &[1.0, 1.0]) < 1e-9);
        assert_eq!(sample_ratio(&[0, 0], &[1.0, 1.0]).unwrap(), None);
        assert!(sample_ratio(&[5], &[1.0]).is_err());
        assert!(sample_ratio(&[5, 5], &[1.0]).is_err());
        assert!(sample_ratio(&[5, 5], &[1.0, 0.0]).is_err());
    }

    #[test]
    fn the_anytime_p_of_no_data_is_one_and_of_overwhelming_data_small() {
        assert_within(anytime_rates(tally(0, 0), tally(0, 0)).ln_e, 0.0, 1e-12);
        assert_within(
            anytime_rates(tally(1, 1), tally(0, 0)).ln_e,
            0.5_f64.ln(),
            1e-12,
        );
        let strong = anytime_rates(tally(300, 500), tally(450, 500));
        assert!(strong.p_anytime < 1e-10 && strong.stops(0.05));
        let there = anytime_rates(tally(430, 500), tally(455, 500)).ln_e;
        let back = anytime_rates(tally(455, 500), tally(430, 500)).ln_e;
        assert_within(there, back, 1e-12);
        assert!(there < 20.0_f64.ln());
    }

    #[test]
    fn looking_after_every_event_seldom_alarms_without_a_difference() {
        let runs = 400_u64;
        let alarms = (0..runs)
            .filter(|&run| {
                let mut stream = Stream::new(11, run);
                let mut counts = [[0_u64; 2]; 2];
                (0..500).any(|event| {
                    let arm = &mut counts[event % 2];
                    arm[0] += u64::from(stream.uniform() < 0.8);
                    arm[1] += 1;
                    let arms = counts.map(|[passed, trials]| tally(passed, trials));
                    anytime_rates(arms[0], arms[1]).stops(0.05)
                })
            })
            .count();
        assert!(alarms as u64 <= runs / 20, "{alarms} of {runs}");
    }
}
