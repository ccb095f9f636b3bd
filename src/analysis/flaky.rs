//! Cases whose repeats disagree, and how reliable an arm is over repeats: pass^k and pass@k.

use super::table::{ArmCell, CaseTable};
use crate::record::Arm;
use crate::stats::proportion::{Tally, pass_at_k, pass_hat_k};

/// A case whose repeats disagree.
#[derive(Debug, Clone, PartialEq)]
pub struct FlakyCase<'a> {
    /// The case's id.
    pub id: &'a str,
    /// Repeats that passed.
    pub passed: u32,
    /// Repeats with a result.
    pub finished: u32,
    /// The probability that k further trials all pass, k being the repeats planned.
    pub pass_hat_k: Option<f64>,
    /// The probability that at least one of k further trials passes.
    pub pass_at_k: Option<f64>,
}

/// Means over the finished cases of an arm that are not quarantined.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reliability {
    /// k: the repeats planned.
    pub k: u32,
    /// Mean pass^k (Yao et al. 2024).
    pub pass_hat_k: f64,
    /// Mean pass@k (Chen et al. 2021).
    pub pass_at_k: f64,
    /// Cases with k results, over which the means are taken.
    pub cases: u64,
}

/// The cases of an arm whose repeats disagree, in the table's order.
#[must_use]
pub fn flaky_cases<'a>(table: &CaseTable<'a>, arm: Arm) -> Vec<FlakyCase<'a>> {
    let cells = table.rows.iter().filter_map(|row| {
        let cell = row.arm(arm)?;
        cell.is_flaky().then(|| {
            let (all, any) = estimates(cell, table.repeat).unzip();
            FlakyCase {
                id: row.id,
                passed: cell.passed,
                finished: cell.finished(),
                pass_hat_k: all,
                pass_at_k: any,
            }
        })
    });
    cells.collect()
}

/// How reliable an arm is over its repeats; `None` without repeats or without a case that has all.
#[must_use]
pub fn reliability(table: &CaseTable<'_>, arm: Arm) -> Option<Reliability> {
    let k = table.repeat;
    let (mut all, mut any, mut cases) = (0.0, 0.0, 0);
    for row in table.rows.iter().filter(|row| !row.is_held_out()) {
        if let Some((hat, at)) = row.arm(arm).and_then(|cell| estimates(cell, k)) {
            all += hat;
            any += at;
            cases += 1;
        }
    }
    (k > 1 && cases > 0).then(|| Reliability {
        k,
        pass_hat_k: all / cases as f64,
        pass_at_k: any / cases as f64,
        cases,
    })
}

fn estimates(cell: &ArmCell, k: u32) -> Option<(f64, f64)> {
    let tally = Tally::new(u64::from(cell.passed), u64::from(cell.finished())).ok()?;
    Some((
        pass_hat_k(tally, u64::from(k))?,
        pass_at_k(tally, u64::from(k))?,
    ))
}
