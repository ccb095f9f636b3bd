//! The correction for many rules and the conclusion of each: statistics.md sections 2 and 4.

use super::evidence::{Barrier, Evidence};
use crate::stats::multiple::{FamilyRule, benjamini_hochberg, screened_family};
use crate::verdict::policy::{Policy, Require};
use crate::verdict::rule::{FamilyNote, RuleVerdict};
use crate::verdict::several::Among;

/// False discovery rate of what is only watched.
const WATCH_RATE: f64 = 0.05;

/// What kind of rule on pairs this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verdict) enum Kind {
    /// The pass rate, or of graded cases the score.
    Main,
    /// The pass rate of a segment.
    Segment,
    /// A score or a share of faults, with a margin.
    Measure,
    /// An amount, with a largest ratio.
    Amount,
}

/// A rule on pairs with what it found.
#[derive(Debug, Clone)]
pub(in crate::verdict) struct Judged {
    pub id: String,
    pub metric: String,
    pub segment: Option<String>,
    pub kind: Kind,
    pub gating: bool,
    /// The allowed loss; of an amount, the largest ratio.
    pub limit: f64,
    /// Too few cases for a test.
    pub too_few_cases: bool,
    pub evidence: Evidence,
    pub p_adjusted: Option<f64>,
    pub finding: Finding,
    /// It fails, and rests on a judge that may not gate.
    pub barred: bool,
    /// What it concluded without the missing pairs, where they cast doubt on it.
    pub doubted: Option<RuleVerdict>,
}

/// What a rule on pairs concludes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::verdict) enum Finding {
    /// A significant loss.
    Regression {
        /// It is shown to be within what is allowed.
        within_margin: bool,
    },
    /// A significant loss within what is allowed, which the policy tolerates.
    Tolerated,
    /// Significantly better.
    Better,
    /// Not worse than allowed.
    NotWorse,
    /// Not worse, but better was asked for.
    NotBetter,
    /// Neither is shown.
    Undecided,
    /// Too few answers differ for a loss to be shown.
    CannotShow,
    /// Too few cases for a test.
    TooFewCases,
}

impl Finding {
    /// The word of a finding.
    pub(in crate::verdict) fn verdict(self) -> RuleVerdict {
        match self {
            Self::Regression { .. } => RuleVerdict::Fail,
            Self::Tolerated | Self::Better | Self::NotWorse => RuleVerdict::Pass,
            Self::NotBetter | Self::Undecided => RuleVerdict::Inconclusive,
            Self::CannotShow | Self::TooFewCases => RuleVerdict::Skipped,
        }
    }
}

impl Judged {
    /// The verdict of the rule, missing pairs included.
    pub(in crate::verdict) fn verdict(&self) -> RuleVerdict {
        match self.doubted {
            Some(_) => RuleVerdict::Inconclusive,
            None if self.barred => RuleVerdict::Inconclusive,
            None => self.finding.verdict(),
        }
    }

    fn testable(&self) -> Option<FamilyRule> {
        let p = self.evidence.testable_p().filter(|_| !self.too_few_cases)?;
        Some(FamilyRule {
            p,
            minimal_p: self.evidence.minimal_p,
        })
    }
}

/// Corrects the p of all rules and concludes each.
pub(in crate::verdict) fn conclude(
    rules: &mut [Judged],
    policy: &Policy,
    among: Among,
) -> FamilyNote {
    let note = FamilyNote {
        comparisons: among.comparisons,
        ..adjust_gating(rules, policy.alpha)
    };
    for rule in rules.iter_mut().filter(|rule| rule.gating) {
        rule.p_adjusted = rule.p_adjusted.map(|p| among.adjust(p));
    }
    adjust_watched(rules);
    for rule in rules.iter_mut() {
        rule.finding = finding(rule, policy);
    }
    note
}

/// The screened family of rules that can fail the gate, by weighted Holm.
fn adjust_gating(rules: &mut [Judged], alpha: f64) -> FamilyNote {
    let (mut main, mut others) = (None, Vec::new());
    for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| rule.gating) {
        match (rule.kind, rule.testable()) {
            (Kind::Main, tested) => main = tested,
            (Kind::Segment | Kind::Measure | Kind::Amount, Some(tested)) => {
                others.push((index, tested));
            }
            (Kind::Segment | Kind::Measure | Kind::Amount, None) => {}
        }
    }
    let tested: Vec<FamilyRule> = others.iter().map(|(_, tested)| *tested).collect();
    // A main rule that can not be tested can not fail: its p is 1.
    let main_p = main.map_or(1.0, |main| main.p);
    let Ok(family) = screened_family(main_p, &tested, alpha) else {
        return FamilyNote::default();
    };
    for rule in rules.iter_mut().filter(|rule| rule.kind == Kind::Main) {
        rule.p_adjusted = main.map(|_| family.main);
    }
    for ((index, _), adjusted) in others.iter().zip(&family.others) {
        if let Some(rule) = rules.get_mut(*index) {
            rule.p_adjusted = *adjusted;
        }
    }
    let gating = rules
        .iter()
        .filter(|rule| rule.gating && !rule.too_few_cases);
    FamilyNote {
        rules: gating.count(),
        could_fail: 1 + family.size,
        comparisons: 1,
    }
}

/// Benjamini and Hochberg over what is only watched.
fn adjust_watched(rules: &mut [Judged]) {
    let watched: Vec<(usize, f64)> = rules
        .iter()
        .enumerate()
        .filter(|(_, rule)| !rule.gating)
        .filter_map(|(index, rule)| Some((index, rule.testable()?.p)))
        .collect();
    let p: Vec<f64> = watched.iter().map(|(_, p)| *p).collect();
    let adjusted = benjamini_hochberg(&p).unwrap_or_default();
    for ((index, _), adjusted) in watched.iter().zip(adjusted) {
        if let Some(rule) = rules.get_mut(*index) {
            rule.p_adjusted = Some(adjusted);
        }
    }
}

/// The conclusion of one rule, in the order of statistics.md section 2.
fn finding(rule: &Judged, policy: &Policy) -> Finding {
    if rule.too_few_cases {
        return Finding::TooFewCases;
    }
    let evidence = &rule.evidence;
    let no_pair = evidence.barrier == Some(Barrier::NoPair);
    if rule.kind == Kind::Segment && (no_pair || (rule.gating && rule.p_adjusted.is_none())) {
        return Finding::CannotShow;
    }
    let error_rate = if rule.gating {
        policy.alpha
    } else {
        WATCH_RATE
    };
    let noninferior = evidence.is_noninferior(policy.alpha);
    let better = evidence.p_improvement.is_some_and(|p| p < policy.alpha);
    let must_be_better = rule.kind == Kind::Main && policy.require == Require::Better;
    if rule.p_adjusted.is_some_and(|p| p < error_rate) {
        let tolerates = policy.tolerate_within_margin || rule.kind == Kind::Amount;
        return match (noninferior, tolerates, must_be_better) {
            (true, true, false) => Finding::Tolerated,
            (true, true, true) => Finding::NotBetter,
            (within_margin, _, _) => Finding::Regression { within_margin },
        };
    }
    match (noninferior, better, must_be_better) {
        (true, true, _) => Finding::Better,
        (true, false, false) => Finding::NotWorse,
        (true, false, true) => Finding::NotBetter,
        (false, _, _) => Finding::Undecided,
    }
}
