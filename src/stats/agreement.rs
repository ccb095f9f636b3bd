//! Agreement of raters: a judge with people, or people with each other.
//!
//! Owns Cohen's κ, Gwet's AC1 and Krippendorff's α. An undefined coefficient is `None`, never 1.
//! What follows from a judge's errors for a measured rate belongs to `calibration`.

use std::collections::BTreeMap;

use super::error::{self, Error};
use super::proportion::{Interval, level_quantile};

/// How two raters classified the same items: a square table of counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    categories: usize,
    cells: Vec<u64>,
}

impl Confusion {
    /// A table with the first rater's categories as rows and the second's as columns.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] if a row is not as long as there are rows.
    pub fn from_rows(rows: &[Vec<u64>]) -> Result<Self, Error> {
        for row in rows {
            error::same_length("row of the table", rows.len(), row.len())?;
        }
        Ok(Self {
            categories: rows.len(),
            cells: rows.concat(),
        })
    }

    /// The table of two lists of labels, which are numbers below `categories`.
    ///
    /// # Errors
    /// If the lists differ in length or a label is not below `categories`.
    pub fn from_labels(
        first: &[usize],
        second: &[usize],
        categories: usize,
    ) -> Result<Self, Error> {
        error::same_length("second rater's list", first.len(), second.len())?;
        let mut rows = vec![vec![0; categories]; categories];
        for (&row, &column) in first.iter().zip(second) {
            let cell = rows.get_mut(row).and_then(|cells| cells.get_mut(column));
            let Some(cell) = cell else {
                return Err(Error::OutOfRange {
                    name: "label",
                    expected: "below the number of categories",
                    value: row.max(column) as f64,
                });
            };
            *cell += 1;
        }
        Self::from_rows(&rows)
    }

    /// Number of items.
    pub fn items(&self) -> f64 {
        self.cells.iter().map(|&count| count as f64).sum()
    }

    fn entries(&self) -> impl Iterator<Item = (usize, usize, f64)> {
        let categories = self.categories.max(1);
        self.cells
            .iter()
            .enumerate()
            .map(move |(at, &count)| (at / categories, at % categories, count as f64))
    }

    /// Row and column totals.
    fn margins(&self) -> (Vec<f64>, Vec<f64>) {
        let mut rows = vec![0.0; self.categories];
        let mut columns = vec![0.0; self.categories];
        for (row, column, count) in self.entries() {
            if let Some(total) = rows.get_mut(row) {
                *total += count;
            }
            if let Some(total) = columns.get_mut(column) {
                *total += count;
            }
        }
        (rows, columns)
    }
}

/// How much a disagreement counts, by the distance of ordered categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Every disagreement counts fully.
    None,
    /// In proportion to the distance.
    Linear,
    /// In proportion to the squared distance.
    Quadratic,
}

impl Weights {
    fn disagreement(self, row: usize, column: usize) -> f64 {
        let distance = row.abs_diff(column) as f64;
        match self {
            Self::None => f64::from(u8::from(row != column)),
            Self::Linear => distance,
            Self::Quadratic => distance * distance,
        }
    }
}

/// Cohen's κ, `(po − pe)/(1 − pe)`, with optional weights for ordered categories.
///
/// Assumes two raters who each classified every item. `None` without an item, or if chance alone
/// makes them agree always (both used one and the same category). Source: Cohen (1960, 1968),
/// Psychological Bulletin 70, 213–220.
pub fn cohen_kappa(table: &Confusion, weights: Weights) -> Option<f64> {
    let items = table.items();
    let (rows, columns) = table.margins();
    let observed: f64 = table
        .entries()
        .map(|(row, column, count)| weights.disagreement(row, column) * count)
        .sum();
    let mut expected = 0.0;
    for (row, first) in rows.iter().enumerate() {
        for (column, second) in columns.iter().enumerate() {
            expected += weights.disagreement(row, column) * (first / items) * second;
        }
    }
    (expected > 0.0).then(|| 1.0 - observed / expected)
}

/// The large-sample interval of Cohen's unweighted κ, cut to [−1, 1].
///
/// `None` where κ is undefined. Approximate below some twenty items per category. Source: Fleiss,
/// Cohen and Everitt (1969), Psychological Bulletin 72, 323–327, equation 13.
///
/// # Errors
/// [`Error::OutOfRange`] if `level` is not in (0, 1).
pub fn kappa_interval(table: &Confusion, level: f64) -> Result<Option<Interval>, Error> {
    let z = level_quantile(level)?;
    let Some(kappa) = cohen_kappa(table, Weights::None) else {
        return Ok(None);
    };
    let items = table.items();
    let (rows, columns) = table.margins();
    let row_share = |at: usize| rows.get(at).copied().unwrap_or_default() / items;
    let column_share = |at: usize| columns.get(at).copied().unwrap_or_default() / items;
    let chance: f64 = (0..table.categories)
        .map(|at| row_share(at) * column_share(at))
        .sum();
    let spread: f64 = table
        .entries()
        .map(|(row, column, count)| {
            let factor = if row == column {
                1.0 - (row_share(row) + column_share(row)) * (1.0 - kappa)
            } else {
                (column_share(row) + row_share(column)) * (1.0 - kappa)
            };
            count / items * factor * factor
        })
        .sum();
    let centre = kappa - chance * (1.0 - kappa);
    let variance = (spread - centre * centre).max(0.0) / items;
    let half = z * variance.sqrt() / (1.0 - chance);
    Ok(Some(Interval {
        low: (kappa - half).max(-1.0),
        high: (kappa + half).min(1.0),
        level,
    }))
}

/// Gwet's AC1, `(po − pe)/(1 − pe)` with `pe = Σπ(1 − π)/(q − 1)` over the q categories of the
/// table, π being the mean share of a category.
///
/// Assumes two raters who each classified every item; steadier than κ when one category is rare.
/// `None` without an item or with fewer than two categories. Source: Gwet (2008), British Journal
/// of Mathematical and Statistical Psychology 61, 29–48.
pub fn gwet_ac1(table: &Confusion) -> Option<f64> {
    let items = table.items();
    if items <= 0.0 || table.categories < 2 {
        return None;
    }
    let agreed: f64 = table
        .entries()
        .filter(|(row, column, _)| row == column)
        .map(|(_, _, count)| count)
        .sum();
    let (rows, columns) = table.margins();
    let spread: f64 = rows
        .iter()
        .zip(&columns)
        .map(|(row, column)| {
            let share = (row + column) / (2.0 * items);
            share * (1.0 - share)
        })
        .sum();
    let chance = spread / (table.categories as f64 - 1.0);
    Some((agreed / items - chance) / (1.0 - chance))
}

/// The scale of the values that Krippendorff's α compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Categories without order.
    Nominal,
    /// Ranks.
    Ordinal,
    /// Numbers whose differences mean something.
    Interval,
}

/// Krippendorff's α, `1 − Do/De`.
///
/// `units` holds, for each item, the ratings it got, in any number and order; missing ratings are
/// left out. Items with fewer than two ratings do not count. `None` if no two ratings can be
/// paired or all paired ratings are equal (De = 0). Source: Krippendorff (2019), *Content
/// Analysis*, 4th ed., ch. 12.
///
/// # Errors
/// If a rating is not finite or above 1e100 in magnitude.
pub fn krippendorff_alpha(units: &[Vec<f64>], scale: Scale) -> Result<Option<f64>, Error> {
    for &value in units.iter().flatten() {
        error::check("rating", "at most 1e100 in magnitude", value, |v| {
            v.abs() <= 1e100
        })?;
    }
    let paired: Vec<&Vec<f64>> = units.iter().filter(|unit| unit.len() > 1).collect();
    let mut counts: BTreeMap<u64, f64> = BTreeMap::new();
    for &value in paired.iter().copied().flatten() {
        *counts.entry(sortable(value)).or_insert(0.0) += 1.0;
    }
    if counts.len() < 2 {
        return Ok(None);
    }
    let places = places(&counts);
    let place = |value: f64| match scale {
        Scale::Interval => value,
        Scale::Nominal | Scale::Ordinal => {
            places.get(&sortable(value)).copied().unwrap_or_default()
        }
    };
    let total: f64 = counts.values().sum();
    let all: Vec<f64> = paired
        .iter()
        .copied()
        .flatten()
        .map(|&v| place(v))
        .collect();
    let expected = disagreement(&all, scale) / (total - 1.0);
    let observed: f64 = paired
        .iter()
        .map(|unit| {
            let values: Vec<f64> = unit.iter().map(|&value| place(value)).collect();
            disagreement(&values, scale) / (unit.len() as f64 - 1.0)
        })
        .sum();
    Ok((expected > 0.0).then(|| 1.0 - observed / expected))
}

/// The bits of a number in an order that is the numbers' own; −0 counts as 0.
fn sortable(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 0 {
        bits | (1 << 63)
    } else {
        !bits
    }
}

/// The mid-rank of each value; the ordinal metric is the squared distance of mid-ranks.
fn places(counts: &BTreeMap<u64, f64>) -> BTreeMap<u64, f64> {
    let mut below = 0.0;
    counts
        .iter()
        .map(|(&value, &count)| {
            let place = below + 0.5 * count;
            below += count;
            (value, place)
        })
        .collect()
}

/// Sum over ordered pairs of different positions of the metric's disagreement.
fn disagreement(values: &[f64], scale: Scale) -> f64 {
    let size = values.len() as f64;
    match scale {
        Scale::Nominal => {
            let mut counts: BTreeMap<u64, f64> = BTreeMap::new();
            for &value in values {
                *counts.entry(sortable(value)).or_insert(0.0) += 1.0;
            }
            size * size - counts.values().map(|count| count * count).sum::<f64>()
        }
        Scale::Ordinal | Scale::Interval => {
            let mean = values.iter().sum::<f64>() / size;
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            2.0 * size * squares
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::reference::{assert_close, assert_printed, cases};
    use super::*;

    #[test]
    fn judge_table_of_worked_example_11() {
        let table = Confusion::from_rows(&[vec![40, 6], vec![4, 50]]).unwrap();
        assert_printed(cohen_kappa(&table, Weights::None).unwrap(), 0.798_061);
        assert_printed(gwet_ac1(&table).unwrap(), 0.801_980);
    }

    /// Two raters and 100 subjects, Fleiss, Levin and Paik (2003), *Statistical Methods for Rates
    /// and Proportions*, 3rd ed., table 18.1: κ = 0.68 with standard error 0.087.
    #[test]
    fn kappa_interval_of_the_published_table() {
        let table = Confusion::from_rows(&[vec![75, 1, 4], vec![5, 4, 1], vec![0, 0, 10]]).unwrap();
        let kappa = cohen_kappa(&table, Weights::None).unwrap();
        assert_printed(kappa, 0.676_471);
        let interval = kappa_interval(&table, 0.95).unwrap().unwrap();
        assert_printed((kappa - interval.low) / 1.959_963_984_540_054, 0.087_703);
        assert_printed((interval.high - kappa) / 1.959_963_984_540_054, 0.087_703);
        let judge = Confusion::from_rows(&[vec![40, 6], vec![4, 50]]).unwrap();
        let interval = kappa_interval(&judge, 0.95).unwrap().unwrap();
        assert_printed(
            (interval.high - interval.low) / (2.0 * 1.959_963_984_540_054),
            0.060_519,
        );
        let same = Confusion::from_rows(&[vec![9, 0], vec![0, 0]]).unwrap();
        assert_eq!(kappa_interval(&same, 0.95).unwrap(), None);
        assert!(kappa_interval(&judge, 1.0).is_err());
    }

    #[test]
    fn kappa_and_ac1_agree_with_the_reference() {
        for case in cases("kappa") {
            let table = Confusion::from_rows(&case.count_rows("table")).unwrap();
            let kappa = |weights| cohen_kappa(&table, weights).unwrap();
            assert_close(kappa(Weights::None), case.number("none"));
            assert_close(kappa(Weights::Linear), case.number("linear"));
            assert_close(kappa(Weights::Quadratic), case.number("quadratic"));
            assert_close(gwet_ac1(&table).unwrap(), case.number("ac1"));
        }
    }

    #[test]
    fn alpha_agrees_with_the_reference() {
        for case in cases("krippendorff") {
            let units = case.number_rows("units");
            let alpha = |scale| krippendorff_alpha(&units, scale).unwrap().unwrap();
            assert_close(alpha(Scale::Nominal), case.number("nominal"));
            assert_close(alpha(Scale::Ordinal), case.number("ordinal"));
            assert_close(alpha(Scale::Interval), case.number("interval"));
        }
    }

    #[test]
    fn what_is_undefined_is_none_and_never_one() {
        let same = Confusion::from_rows(&[vec![9, 0], vec![0, 0]]).unwrap();
        assert_eq!(cohen_kappa(&same, Weights::None), None);
        assert!(gwet_ac1(&same).unwrap() > 0.99);
        let empty = Confusion::from_rows(&[vec![0, 0], vec![0, 0]]).unwrap();
        assert_eq!(cohen_kappa(&empty, Weights::Linear), None);
        assert_eq!(gwet_ac1(&empty), None);
        let one = Confusion::from_rows(&[vec![5]]).unwrap();
        assert_eq!(gwet_ac1(&one), None);
        assert_eq!(gwet_ac1(&Confusion::from_rows(&[]).unwrap()), None);
        for scale in [Scale::Nominal, Scale::Ordinal, Scale::Interval] {
            assert_eq!(krippendorff_alpha(&[], scale).unwrap(), None);
            assert_eq!(
                krippendorff_alpha(&[vec![1.0], vec![2.0]], scale).unwrap(),
                None
            );
            assert_eq!(
                krippendorff_alpha(&[vec![2.0; 3], vec![2.0; 2]], scale).unwrap(),
                None
            );
        }
    }

    #[test]
    fn malformed_ratings_are_errors() {
        assert!(Confusion::from_rows(&[vec![1, 2], vec![3]]).is_err());
        assert!(Confusion::from_labels(&[0, 1], &[0], 2).is_err());
        assert!(Confusion::from_labels(&[0, 2], &[0, 1], 2).is_err());
        assert!(krippendorff_alpha(&[vec![f64::NAN, 1.0]], Scale::Nominal).is_err());
    }

    fn labels() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        prop::collection::vec((0_usize..4, 0_usize..4), 2..60)
            .prop_map(|pairs| pairs.into_iter().unzip())
    }

    proptest! {
        #[test]
        fn swapping_the_raters_changes_nothing((first, second) in labels()) {
            let there = Confusion::from_labels(&first, &second, 4).unwrap();
            let back = Confusion::from_labels(&second, &first, 4).unwrap();
            for weights in [Weights::None, Weights::Linear, Weights::Quadratic] {
                match (cohen_kappa(&there, weights), cohen_kappa(&back, weights)) {
                    (Some(a), Some(b)) => prop_assert!((a - b).abs() < 1e-12 && a <= 1.0),
                    (a, b) => prop_assert_eq!(a, b),
                }
            }
            prop_assert!((gwet_ac1(&there).unwrap() - gwet_ac1(&back).unwrap()).abs() < 1e-12);
        }

        #[test]
        fn full_agreement_is_one_wherever_it_is_defined((first, _) in labels()) {
            let table = Confusion::from_labels(&first, &first, 4).unwrap();
            if let Some(kappa) = cohen_kappa(&table, Weights::None) {
                prop_assert!((kappa - 1.0).abs() < 1e-12);
            }
            let units: Vec<Vec<f64>> = first.iter().map(|&label| vec![label as f64; 2]).collect();
            if let Some(alpha) = krippendorff_alpha(&units, Scale::Ordinal).unwrap() {
                prop_assert!((alpha - 1.0).abs() < 1e-12);
            }
        }
    }
}
