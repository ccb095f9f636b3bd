//! Looks at the data before all of it is there.
//!
//! Owns the e-process of paired pass/fail outcomes, valid at any time, and O'Brien–Fleming
//! boundaries at looks fixed in advance. Both guard the level of stopping for a regression.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::distribution::{
    HalfBinomial, bisect, ln_binomial_pmf, normal_pdf, normal_sf, normal_upper_quantile,
};
use super::error::{self, Error};
use super::paired::PairedCounts;

/// Evidence against "the candidate is not worse".
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EValue {
    /// ln E.
    pub ln_e: f64,
    /// min(1, 1/E), a p-value at whatever time one looks.
    pub p_anytime: f64,
}

impl EValue {
    /// Whether the run may stop for a regression at level `alpha`: E ≥ 1/α.
    pub fn stops(&self, alpha: f64) -> bool {
        alpha > 0.0 && self.ln_e >= -alpha.ln()
    }
}

/// The e-process of differing pairs: the likelihood of b regressions and c fixes under a
/// regression share uniform on (½, 1), over that under ½.
///
/// `ln E = (m+1)·ln 2 + ln B(b+1, c+1) + ln P(Beta(b+1, c+1) > ½)`. Assumes independent pairs;
/// by Ville's inequality P(E ever ≥ 1/α) ≤ α if the candidate is not worse. No differing pair:
/// E = 1. Source: Ramdas, Grünwald, Vovk and Shafer (2023), Statistical Science 38, 576–601.
pub fn e_process(counts: &PairedCounts) -> EValue {
    let (b, c) = (counts.regressions, counts.fixes);
    let m = counts.discordant();
    let ln_e = if m == 0 || m == u64::MAX {
        0.0
    } else {
        let above_half = HalfBinomial::new(c + 1, m + 1).ln_upper;
        std::f64::consts::LN_2 - (m as f64 + 1.0).ln() - ln_binomial_pmf(b, m, 0.5) + above_half
    };
    EValue {
        ln_e,
        p_anytime: (-ln_e).exp().min(1.0),
    }
}

/// The five evenly spaced looks of the gate.
pub const FIVE_LOOKS: [f64; 5] = [0.2, 0.4, 0.6, 0.8, 1.0];

/// The smallest step between looks for which the integration grid is fine enough.
const SMALLEST_STEP: f64 = 0.01;

/// Beyond this z a tail is 0 in double precision.
const FARTHEST: f64 = 37.0;

/// Fineness r of the integration grid (Jennison and Turnbull use 16 or more).
const FINENESS: u32 = 24;

/// One look of a group-sequential plan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Share of the planned information (cases) at this look.
    pub fraction: f64,
    /// Type I error spent up to and with this look.
    pub spent: f64,
    /// z beyond which the run stops; 37 where nothing can be spent.
    pub boundary: f64,
    /// The one-sided p below which the run stops: the tail beyond `boundary`.
    pub nominal_p: f64,
}

/// O'Brien–Fleming boundaries at `fractions` of the cases, by the spending function
/// `2·sf(z_{1−α/2}/√t)` for a one-sided test at `alpha`.
///
/// The nominal level of a look is derived, not spent directly: under independent increments the
/// statistics at the looks are jointly normal with correlation `√(t_i/t_j)`; the density of the
/// paths that have not stopped is carried from look to look by numerical integration, and the
/// boundary solves `P(not stopped before, beyond it now) = α(t_k) − α(t_{k−1})`. Compare the mid-p
/// of the cases so far with `nominal_p`. Stops for a regression only, so there is no lower
/// boundary. Source: Lan and `DeMets` (1983), Biometrika 70, 659–663; Armitage, `McPherson` and Rowe
/// (1969), JRSS A 132, 235–244; Jennison and Turnbull (2000), *Group Sequential Methods*, ch. 19.
///
/// # Errors
/// If `alpha` is not in (0, 1), there is no look, or the fractions do not rise from 0 in steps of
/// at least 0.01 to at most 1.
pub fn obrien_fleming(alpha: f64, fractions: &[f64]) -> Result<Vec<Look>, Error> {
    error::open_unit("alpha", alpha)?;
    error::at_least("looks", 1, fractions.len())?;
    let z = normal_upper_quantile(0.5 * alpha);
    let mut looks = Vec::with_capacity(fractions.len());
    let mut spent = 0.0;
    let mut previous = 0.0;
    let mut paths = Paths::start();
    for &fraction in fractions {
        error::check(
            "fraction of a look",
            "at least 0.01 above the one before and at most 1",
            fraction,
            |t| t <= 1.0 && t - previous >= SMALLEST_STEP - 1e-12,
        )?;
        let total = (2.0 * normal_sf(z / fraction.sqrt())).max(spent);
        let boundary = paths.boundary(fraction, total - spent);
        looks.push(Look {
            fraction,
            spent: total,
            boundary,
            nominal_p: normal_sf(boundary),
        });
        paths = paths.advance(fraction, boundary);
        spent = total;
        previous = fraction;
    }
    Ok(looks)
}

/// The nominal p of [`FIVE_LOOKS`] by [`obrien_fleming`], kept once computed.
///
/// # Errors
/// If `alpha` is not in (0, 1).
pub fn five_look_levels(alpha: f64) -> Result<[f64; 5], Error> {
    static KNOWN: Mutex<Vec<(u64, [f64; 5])>> = Mutex::new(Vec::new());
    let known = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = alpha.to_bits();
    if let Some((_, levels)) = known().iter().find(|(known, _)| *known == key) {
        return Ok(*levels);
    }
    let mut levels = [0.0; 5];
    for (level, look) in levels.iter_mut().zip(obrien_fleming(alpha, &FIVE_LOOKS)?) {
        *level = look.nominal_p;
    }
    known().push((key, levels));
    Ok(levels)
}

/// The density of z at a look over the paths that have not stopped, as weighted grid points.
struct Paths {
    information: f64,
    points: Vec<(f64, f64)>,
}

impl Paths {
    /// Before the first look: all mass at 0 with no information.
    fn start() -> Self {
        Self {
            information: 0.0,
            points: vec![(0.0, 1.0)],
        }
    }

    /// The z beyond which `mass` of the paths lies at the next look.
    fn boundary(&self, information: f64, mass: f64) -> f64 {
        if self.crossing(information, FARTHEST) >= mass {
            return FARTHEST;
        }
        bisect(-FARTHEST, FARTHEST, |z| {
            self.crossing(information, z) > mass
        })
    }

    /// P(not stopped so far, z above `boundary` at the look with `information`).
    fn crossing(&self, information: f64, boundary: f64) -> f64 {
        let step = (information - self.information).sqrt();
        let target = boundary * information.sqrt();
        let root = self.information.sqrt();
        self.points
            .iter()
            .map(|&(z, weight)| weight * normal_sf((target - z * root) / step))
            .sum()
    }

    /// The paths that are still below `boundary` at the look with `information`.
    fn advance(&self, information: f64, boundary: f64) -> Self {
        let step = (information - self.information).sqrt();
        let scale = information.sqrt();
        let root = self.information.sqrt();
        let points = simpson(boundary)
            .into_iter()
            .map(|(z, weight)| {
                let density: f64 = self
                    .points
                    .iter()
                    .map(|&(from, mass)| mass * normal_pdf((z * scale - from * root) / step))
                    .sum();
                (z, weight * density * scale / step)
            })
            .collect();
        Self {
            information,
            points,
        }
    }
}

/// Simpson's rule up to `upper` on the grid of Jennison and Turnbull, §19.3.2: dense within ±3,
/// logarithmic beyond.
fn simpson(upper: f64) -> Vec<(f64, f64)> {
    let r = f64::from(FINENESS);
    let mut knots: Vec<f64> = (1..6 * FINENESS)
        .map(|i| {
            let i = f64::from(i);
            if i < r {
                -3.0 - 4.0 * (r / i).ln()
            } else if i <= 5.0 * r {
                -3.0 + 3.0 * (i - r) / (2.0 * r)
            } else {
                3.0 + 4.0 * (r / (6.0 * r - i)).ln()
            }
        })
        .filter(|&knot| knot < upper)
        .collect();
    knots.push(upper.min(3.0 + 4.0 * r.ln()));
    let mut points = Vec::with_capacity(3 * knots.len());
    for (left, right) in knots.iter().zip(knots.iter().skip(1)) {
        let sixth = (right - left) / 6.0;
        points.push((*left, sixth));
        points.push((0.5 * (left + right), 4.0 * sixth));
        points.push((*right, sixth));
    }
    points
}

#[cfg(test)]
mod tests;
