//! Tail probabilities and quantiles of the normal, t, chi-square and binomial distributions.
//!
//! Special functions come from `statrs`; what it computes with too few digits (quantiles of t,
//! the binomial mass at large counts) is computed here. Arguments are checked by the callers.

use std::f64::consts::{PI, SQRT_2};

use statrs::function::beta::beta_reg;
use statrs::function::erf::{erfc, erfc_inv};
use statrs::function::gamma::{gamma_ur, ln_gamma};

/// From this many degrees of freedom t is computed through its normal expansion.
const T_EXPANSION_FROM: f64 = 1000.0;

/// Above this many trials the half binomial is computed through its normal approximation.
const BINOMIAL_NORMAL_FROM: u64 = 1 << 40;

/// P(Z > z) of the standard normal.
pub(super) fn normal_sf(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

/// P(Z < z) of the standard normal.
pub(super) fn normal_cdf(z: f64) -> f64 {
    normal_sf(-z)
}

/// Density of the standard normal.
pub(super) fn normal_pdf(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// The z with P(Z > z) = `tail`, for a tail in (0, 1).
pub(super) fn normal_upper_quantile(tail: f64) -> f64 {
    let start = SQRT_2 * erfc_inv(2.0 * tail);
    let density = normal_pdf(start);
    if density > 0.0 {
        start + (normal_sf(start) - tail) / density
    } else {
        start
    }
}

/// Two-sided p of a standard normal statistic.
pub(super) fn normal_two_sided(z: f64) -> f64 {
    (2.0 * normal_sf(z.abs())).min(1.0)
}

/// P(T > t) of Student's t with `df` degrees of freedom, `df` > 0.
pub(super) fn t_sf(t: f64, df: f64) -> f64 {
    if t < 0.0 {
        return 1.0 - t_sf(-t, df);
    }
    if t.is_infinite() {
        return 0.0;
    }
    let square = t * t;
    if square.is_infinite() {
        return 0.0;
    }
    if df >= T_EXPANSION_FROM {
        return normal_sf(t_as_normal(square, df));
    }
    if square < 1.0 {
        0.5 - 0.5 * beta_reg(0.5, 0.5 * df, square / (df + square))
    } else {
        0.5 * beta_reg(0.5 * df, 0.5, df / (df + square))
    }
}

/// The normal deviate with the tail of t = √`square` (Hill 1970, Communications of the ACM 13,
/// 617–619), with a relative error of the tail below 1e-9 down to 1e-70.
fn t_as_normal(square: f64, df: f64) -> f64 {
    let a = df - 0.5;
    let b = 48.0 * a * a;
    let y = a * (square / df).ln_1p();
    let tail = ((-0.4 * y - 3.3) * y - 24.0) * y - 85.5;
    let series = (tail / (0.8 * y * y + 100.0 + b) + y + 3.0) / b + 1.0;
    series * y.sqrt()
}

/// Two-sided p of a t statistic.
pub(super) fn t_two_sided(t: f64, df: f64) -> f64 {
    (2.0 * t_sf(t.abs(), df)).min(1.0)
}

/// The t with P(T > t) = `tail`, for a tail in (0, 1): bisection on [`t_sf`].
pub(super) fn t_upper_quantile(tail: f64, df: f64) -> f64 {
    if tail > 0.5 {
        return -t_upper_quantile(1.0 - tail, df);
    }
    let mut high = 1.0;
    while high < 1e150 && t_sf(high, df) > tail {
        high *= 2.0;
    }
    let low = if high > 1.0 { 0.5 * high } else { 0.0 };
    bisect(low, high, |t| t_sf(t, df) > tail)
}

/// P(X > x) of chi-square with `df` degrees of freedom, `df` > 0 and `x` ≥ 0.
pub(super) fn chi_square_sf(x: f64, df: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    gamma_ur(0.5 * df, 0.5 * x)
}

/// The point between `low` and `high` where `is_left` turns from true to false.
pub(super) fn bisect(mut low: f64, mut high: f64, is_left: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        if is_left(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// ln n! − ln of Stirling's formula (Loader 2000, "Fast and accurate computation of binomial
/// probabilities").
fn stirling_error(n: f64) -> f64 {
    if n < 16.0 {
        return ln_gamma(n + 1.0) - 0.5 * (2.0 * PI * n).ln() - n * n.ln() + n;
    }
    let square = n * n;
    let tail = 1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / 1188.0 / square) / square;
    (1.0 / 12.0 - (1.0 / 360.0 - tail / square) / square) / n
}

/// x·ln(x/m) + m − x without cancellation (Loader 2000), for x, m > 0.
fn deviance(x: f64, m: f64) -> f64 {
    let ratio = (x - m) / (x + m);
    if ratio.abs() >= 0.1 {
        return x * (x / m).ln() + m - x;
    }
    let mut sum = (x - m) * ratio;
    let mut term = 2.0 * x * ratio;
    let mut odd = 3.0;
    loop {
        term *= ratio * ratio;
        let next = sum + term / odd;
        if next.to_bits() == sum.to_bits() || odd > 100.0 {
            return next;
        }
        sum = next;
        odd += 2.0;
    }
}

/// ln P(Bin(n, p) = k) by Loader's saddle-point form, for 0 < p < 1 and k ≤ n.
pub(super) fn ln_binomial_pmf(k: u64, n: u64, p: f64) -> f64 {
    let (size, x) = (n as f64, k as f64);
    let rest = n.saturating_sub(k) as f64;
    if k == 0 {
        return size * (-p).ln_1p();
    }
    if k >= n {
        return size * p.ln();
    }
    stirling_error(size)
        - stirling_error(x)
        - stirling_error(rest)
        - deviance(x, size * p)
        - deviance(rest, size * (1.0 - p))
        + 0.5 * (size / (2.0 * PI * x * rest)).ln()
}

/// P(X = k) and P(X ≥ k) of Bin(m, ½), as logarithms.
///
/// Exact summation outward from k; above 2⁴⁰ trials the normal approximation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HalfBinomial {
    /// ln P(X = k).
    pub(super) ln_point: f64,
    /// ln P(X ≥ k).
    pub(super) ln_upper: f64,
}

impl HalfBinomial {
    /// Probability and upper tail at `k` of `m` fair coins, for k ≤ m.
    pub(super) fn new(k: u64, m: u64) -> Self {
        let ln_point = ln_binomial_pmf(k, m, 0.5);
        let fails = m.saturating_sub(k);
        let ln_upper = if k == 0 {
            0.0
        } else if m > BINOMIAL_NORMAL_FROM {
            let z = (k as f64 - fails as f64) / (m as f64).sqrt();
            normal_sf(z).max(f64::MIN_POSITIVE).ln().max(ln_point)
        } else if k > fails {
            ln_point + tail_over_point(k, m).ln()
        } else {
            let below = ln_binomial_pmf(k - 1, m, 0.5) + tail_over_point(fails + 1, m).ln();
            (-below.exp()).ln_1p()
        };
        Self { ln_point, ln_upper }
    }
}

/// P(X ≥ k) / P(X = k) of Bin(m, ½), for k > m/2, where the terms fall.
fn tail_over_point(k: u64, m: u64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    for at in k..m {
        term *= (m - at) as f64 / (at + 1) as f64;
        sum += term;
        if term < 1e-18 * sum {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, assert_within, cases};
    use super::*;

    #[test]
    fn normal_tails_and_quantiles_agree_with_the_reference() {
        for case in cases("normal_sf") {
            assert_close(normal_sf(case.number("z")), case.number("sf"));
        }
        for case in cases("normal_quantile") {
            assert_close(normal_upper_quantile(case.number("tail")), case.number("z"));
        }
    }

    #[test]
    fn t_tails_and_quantiles_agree_with_the_reference() {
        for case in cases("t_sf") {
            assert_close(t_sf(case.number("t"), case.number("df")), case.number("sf"));
        }
        for case in cases("t_quantile") {
            let quantile = t_upper_quantile(case.number("tail"), case.number("df"));
            assert_close(quantile, case.number("t"));
        }
    }

    #[test]
    fn chi_square_tails_agree_with_the_reference() {
        for case in cases("chi_square_sf") {
            let tail = chi_square_sf(case.number("x"), case.number("df"));
            assert_close(tail, case.number("sf"));
        }
    }

    #[test]
    fn the_far_t_tail_at_one_degree_of_freedom_has_a_quantile() {
        let quantile = t_upper_quantile(1e-9, 1.0);
        assert_close(t_sf(quantile, 1.0), 1e-9);
    }

    #[test]
    fn the_half_binomial_joins_its_normal_approximation() {
        let m = BINOMIAL_NORMAL_FROM;
        let k = m / 2 + 2_000_000;
        let exact = HalfBinomial::new(k, m).ln_upper;
        let normal = HalfBinomial::new(k + 1, m + 2).ln_upper;
        assert_within(exact, normal, 1e-5 * exact.abs());
    }

    #[test]
    fn the_point_of_a_huge_binomial_keeps_its_digits() {
        let ln_point = ln_binomial_pmf(500_000_000_000, 1_000_000_000_000, 0.5);
        assert_close(ln_point, -0.5 * (PI * 5e11).ln());
    }

    proptest! {
        #[test]
        fn the_tails_of_the_half_binomial_share_their_point(m in 1_u64..400, share in 0.0..1.0) {
            let k = index_below(share, m + 1);
            let upper = HalfBinomial::new(k, m);
            let lower = HalfBinomial::new(m - k, m);
            let total = upper.ln_upper.exp() + lower.ln_upper.exp() - upper.ln_point.exp();
            prop_assert!((total - 1.0).abs() < 1e-12);
        }

        #[test]
        fn the_t_quantile_inverts_the_tail(tail in 1e-6..0.999_f64, df in 1.0..10_000.0_f64) {
            let back = t_sf(t_upper_quantile(tail, df), df);
            prop_assert!((back - tail).abs() <= 1e-9 * tail);
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "small and positive"
    )]
    fn index_below(share: f64, bound: u64) -> u64 {
        (share * bound as f64) as u64
    }
}
