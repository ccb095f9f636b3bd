//! The percentile bootstrap of many cases, drawn from the same distribution with far fewer numbers.
//!
//! A resampled percentile depends on a case only through whether its value lies below it. Of n
//! cases only those whose rank is near the percentile's need to be drawn one by one: how often
//! the others occur matters only in sum, and sums of multinomial counts are binomial draws. The
//! window spans 9 standard deviations of the resampled rank to each side, which a draw leaves
//! with probability below 1e-17; one that did would take the window's edge.

use rand_distr::{Binomial, Distribution as _};

use super::super::random::Stream;
use super::{Amounts, Ranked};

/// Standard deviations of a resampled rank that the window spans to each side.
const REACH: f64 = 9.0;

/// Where a case stands with regard to an arm's window.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Below,
    Within,
    Above,
}

/// The cases near the percentiles of both arms one by one, the others in sum.
pub(super) struct Window {
    /// Cases.
    n: usize,
    /// The rank of the percentile, from 1.
    rank: usize,
    /// How many cases are drawn one by one.
    single: usize,
    /// How many of the others lie below in both arms, in the candidate alone, in the baseline alone.
    cells: [u64; 3],
    candidate: Arm,
    baseline: Arm,
}

/// An arm's cases that are drawn one by one.
struct Arm {
    /// Those below its window, by their number among the cases drawn one by one.
    below: Vec<usize>,
    /// Those within, in the order of their values.
    within: Vec<(f64, usize)>,
}

impl Window {
    /// A window around the rank of a percentile in both arms.
    pub(super) fn new(
        pairs: &[Amounts],
        rank: usize,
        candidate: &Ranked,
        baseline: &Ranked,
    ) -> Self {
        let n = pairs.len();
        let share = rank as f64 / n as f64;
        let reach = super::index((REACH * (n as f64 * share * (1.0 - share)).sqrt()).ceil()) + 10;
        let span = (rank.saturating_sub(reach), (rank + reach).min(n));
        let (in_candidate, in_baseline) = (places(candidate, span, n), places(baseline, span, n));
        let mut numbers = vec![None; n];
        let mut cells = [0; 3];
        let mut single = 0;
        let (mut below_candidate, mut below_baseline) = (Vec::new(), Vec::new());
        let both = in_candidate.iter().zip(&in_baseline);
        for (number, (candidate, baseline)) in numbers.iter_mut().zip(both) {
            match (candidate, baseline) {
                (Place::Below, Place::Below) => cells[0] += 1,
                (Place::Below, Place::Above) => cells[1] += 1,
                (Place::Above, Place::Below) => cells[2] += 1,
                (Place::Above, Place::Above) => {}
                (Place::Within, _) | (_, Place::Within) => {
                    *number = Some(single);
                    if *candidate == Place::Below {
                        below_candidate.push(single);
                    }
                    if *baseline == Place::Below {
                        below_baseline.push(single);
                    }
                    single += 1;
                }
            }
        }
        let within = |ranked: &Ranked| {
            let cases = ranked.0.iter().take(span.1).skip(span.0);
            let numbered = cases.filter_map(|&(value, case)| Some((value, (*numbers.get(case)?)?)));
            numbered.collect::<Vec<(f64, usize)>>()
        };
        Self {
            n,
            rank,
            single,
            cells,
            candidate: Arm {
                below: below_candidate,
                within: within(candidate),
            },
            baseline: Arm {
                below: below_baseline,
                within: within(baseline),
            },
        }
    }

    /// One draw: the percentiles of candidate and baseline in a resample of the cases. `counts` is
    /// room for the cases drawn one by one.
    pub(super) fn draw(&self, stream: &mut Stream, counts: &mut Vec<u32>) -> (f64, f64) {
        let mut left = self.n as u64;
        let mut cases = self.n as u64;
        let mut take = |stream: &mut Stream, of: u64| {
            let drawn = binomial(stream, left, of, cases);
            left -= drawn;
            cases -= of;
            drawn
        };
        let singles = take(stream, self.single as u64);
        let [both, candidate, baseline] = self.cells.map(|of| take(stream, of));
        counts.clear();
        counts.resize(self.single, 0);
        for _ in 0..singles {
            if let Some(count) = counts.get_mut(stream.below(self.single)) {
                *count += 1;
            }
        }
        (
            self.candidate.at(self.rank, both + candidate, counts),
            self.baseline.at(self.rank, both + baseline, counts),
        )
    }
}

impl Arm {
    /// The value of a rank, where `below` draws fell on cases below that are not drawn one by one.
    fn at(&self, rank: usize, below: u64, counts: &[u32]) -> f64 {
        let of = |number: &usize| counts.get(*number).map_or(0, |&count| u64::from(count));
        let mut seen = below + self.below.iter().map(of).sum::<u64>();
        let mut last = 0.0;
        for (value, number) in &self.within {
            seen += of(number);
            last = *value;
            if seen >= rank as u64 {
                break;
            }
        }
        last
    }
}

/// Where each case stands, by its index.
fn places(ranked: &Ranked, (from, to): (usize, usize), n: usize) -> Vec<Place> {
    let mut places = vec![Place::Above; n];
    for (rank, &(_, case)) in ranked.0.iter().enumerate().take(to) {
        if let Some(place) = places.get_mut(case) {
            *place = if rank < from {
                Place::Below
            } else {
                Place::Within
            };
        }
    }
    places
}

/// How many of `draws` draws fall on `of` of `cases` cases that are equally likely.
fn binomial(stream: &mut Stream, draws: u64, of: u64, cases: u64) -> u64 {
    if of == 0 || draws == 0 {
        return 0;
    }
    if of >= cases {
        return draws;
    }
    Binomial::new(draws, of as f64 / cases as f64)
        .map_or(0, |binomial| binomial.sample(stream.generator()))
}
