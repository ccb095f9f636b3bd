//! What a suite can show before it runs, for `gate lint`: how many lost cases it takes to fail or to
//! stay undecided, and whether there are cases enough for the policy.

use super::policy::{Mode, OnInconclusive, Policy, Require, TestChoice};
use crate::base::text;
use crate::stats::paired::{
    PairedCounts, mcnemar_exact, mcnemar_mid_p, mcnemar_z, tango_noninferior,
};
use crate::stats::power::{Risk, noninferior_cases};
use crate::stats::proportion::two_proportion_z;

/// Churn to plan with until a run has shown it (statistics.md section 7).
pub const PLANNED_CHURN: f64 = 0.06;

/// Fewest cases of a gated segment that show a loss worth gating.
const SEGMENT_CASES: u64 = 40;

/// What so many cases can show when nothing but losses, or nothing but wins, occur.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foresight {
    /// Cases, with one trial each.
    pub cases: u64,
    /// Most lost cases with which the candidate passes; `None` where it can not without a win.
    pub passes_up_to: Option<u64>,
    /// Fewest won cases with which it passes, where better is required.
    pub passes_from_won: Option<u64>,
    /// Fewest lost cases that fail it.
    pub fails_from: Option<u64>,
}

/// What `n` cases can show under a policy, by the pass rate alone and with one trial a case.
#[must_use]
pub fn what_can_it_show(n: u64, policy: &Policy) -> Foresight {
    let (passes_up_to, passes_from_won) = match policy.require {
        Require::NonInferior => {
            let passes = |lost| outlook(n, lost, 0, policy) == Outlook::Pass;
            (
                first(n, |lost| !passes(lost))
                    .unwrap_or(n + 1)
                    .checked_sub(1),
                None,
            )
        }
        Require::Better => {
            let passes = |won| outlook(n, 0, won, policy) == Outlook::Pass;
            (None, first(n, passes))
        }
    };
    Foresight {
        cases: n,
        passes_up_to,
        passes_from_won,
        fails_from: first(n, |lost| outlook(n, lost, 0, policy) == Outlook::Fail),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    Pass,
    Fail,
    Open,
}

/// The verdict on the pass rate of `n` cases of which some are lost and won.
fn outlook(n: u64, lost: u64, won: u64, policy: &Policy) -> Outlook {
    let counts = PairedCounts {
        both_pass: n.saturating_sub(lost).saturating_sub(won),
        regressions: lost,
        fixes: won,
        both_fail: 0,
    };
    let within = tango_noninferior(&counts, policy.margin).is_ok_and(|p| p < policy.alpha);
    let worse = p_regression(&counts, policy.test) < policy.alpha;
    let better = p_regression(&counts.swapped(), policy.test) < policy.alpha;
    match policy.require {
        _ if worse && !(within && policy.tolerate_within_margin) => Outlook::Fail,
        Require::NonInferior if within => Outlook::Pass,
        Require::Better if within && better => Outlook::Pass,
        Require::NonInferior | Require::Better => Outlook::Open,
    }
}

fn p_regression(counts: &PairedCounts, test: TestChoice) -> f64 {
    match test {
        TestChoice::Auto | TestChoice::McnemarMidP | TestChoice::PairedT => {
            mcnemar_mid_p(counts).p_regression
        }
        TestChoice::McnemarExact => mcnemar_exact(counts).p_regression,
        TestChoice::McnemarScore => mcnemar_z(counts).p_regression,
        TestChoice::Z => two_proportion_z(counts.candidate(), counts.baseline())
            .map_or(1.0, |test| test.p_regression),
    }
}

/// The least number up to `n` for which something holds that holds for all larger ones too.
fn first(n: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (0, n.checked_add(1)?);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    (low <= n).then_some(low)
}

impl Foresight {
    /// The sentence of `gate lint`, without a stop.
    #[must_use]
    pub fn sentence(&self) -> String {
        let passes = match (self.passes_up_to, self.passes_from_won) {
            (Some(0), _) => "passes when none is lost".to_owned(),
            (Some(lost), _) if lost >= self.cases => "always passes".to_owned(),
            (Some(lost), _) => format!("passes up to {lost} lost"),
            (None, Some(won)) => format!("passes from {won} won and none lost"),
            (None, None) => "can not pass".to_owned(),
        };
        let fails = match self.fails_from {
            Some(lost) => format!("fails from {lost} lost"),
            None => "can not fail".to_owned(),
        };
        let between = match (self.passes_up_to, self.fails_from) {
            (Some(passes), Some(fails)) if fails > passes + 1 => ", undecided between",
            (None, Some(_)) => ", else undecided",
            (Some(_) | None, Some(_) | None) => "",
        };
        format!("{}: {passes}, {fails}{between}", cases(self.cases))
    }
}

/// What `gate lint` warns of: a policy that the cases can not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanWarning {
    /// A gated segment with few cases.
    SmallSegment {
        /// `key=value`.
        name: String,
        /// Its cases.
        cases: u64,
    },
    /// A policy that blocks when undecided, with fewer cases than decide.
    FewCases {
        /// Cases there are.
        cases: u64,
        /// Cases that show an unchanged candidate, at the churn planned with.
        wanted: u64,
    },
}

impl PlanWarning {
    /// The warning as a fragment, for a diagnostic.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::SmallSegment { name, cases: found } => format!(
                "the gated segment {name} has {}; below {SEGMENT_CASES} only a disaster shows",
                cases(*found)
            ),
            Self::FewCases {
                cases: found,
                wanted,
            } => format!(
                "{} are few for a policy that blocks when undecided: it wants about {}",
                cases(*found),
                cases(*wanted)
            ),
        }
    }
}

/// Checks the number of cases, and those of each segment by `key=value`, against a policy.
#[must_use]
pub fn plan_warnings(
    cases: u64,
    segments: &[(String, u64)],
    churn: f64,
    policy: &Policy,
) -> Vec<PlanWarning> {
    let mut warnings = Vec::new();
    let wanted = cases_wanted(policy, churn);
    if policy.on_inconclusive == OnInconclusive::Block && wanted.is_some_and(|n| cases < n) {
        warnings.extend(wanted.map(|wanted| PlanWarning::FewCases { cases, wanted }));
    }
    if policy.segments.mode == Mode::Gate {
        let keys = policy.segments.keys.as_ref();
        let wanted = |name: &str| {
            let key = name.split('=').next().unwrap_or_default();
            keys.is_none_or(|keys| keys.iter().any(|wanted| wanted == key))
        };
        let small = segments
            .iter()
            .filter(|(name, n)| wanted(name) && *n < SEGMENT_CASES);
        warnings.extend(small.map(|(name, cases)| PlanWarning::SmallSegment {
            name: name.clone(),
            cases: *cases,
        }));
    }
    warnings
}

/// The cases that show an unchanged candidate within the margin with the policy's power: for
/// `promote` 2,473 times the churn, and never fewer than pass without any difference.
#[must_use]
pub fn cases_wanted(policy: &Policy, churn: f64) -> Option<u64> {
    const MOST: u64 = 1 << 32;
    let risk = Risk::new(policy.alpha, policy.power).ok()?;
    let size = noninferior_cases(churn, policy.margin, risk).ok()?;
    let unchanged = |n: u64| {
        let counts = PairedCounts {
            both_pass: n,
            ..PairedCounts::default()
        };
        tango_noninferior(&counts, policy.margin).is_ok_and(|p| p < policy.alpha)
    };
    Some(size.cases.max(first(MOST, unchanged)?))
}

fn cases(number: u64) -> String {
    text::count(usize::try_from(number).unwrap_or(usize::MAX), "case")
}

#[cfg(test)]
mod tests {
    use super::super::policy::Preset;
    use super::*;

    #[test]
    fn says_what_a_suite_can_show() {
        let smoke = Policy::default();
        let sentence = |n, policy: &Policy| what_can_it_show(n, policy).sentence();
        assert_eq!(
            sentence(30, &smoke),
            "30 cases: passes when none is lost, fails from 4 lost, undecided between"
        );
        assert_eq!(sentence(1, &smoke), "1 case: can not pass, can not fail");
        assert_eq!(
            sentence(12, &smoke),
            "12 cases: can not pass, fails from 4 lost, else undecided"
        );
        let promote = Policy::preset(Preset::Promote);
        assert_eq!(what_can_it_show(51, &promote).passes_up_to, None);
        assert_eq!(what_can_it_show(52, &promote).passes_up_to, Some(0));
        assert_eq!(
            sentence(1_000, &promote),
            "1,000 cases: passes up to 3 lost, fails from 4 lost"
        );
        let improve = Policy::preset(Preset::Improve);
        assert_eq!(
            sentence(200, &improve),
            "200 cases: passes from 4 won and none lost, fails from 4 lost, else undecided"
        );
        assert_eq!(what_can_it_show(0, &smoke).fails_from, None);
    }

    #[test]
    fn warns_of_too_few_cases_for_the_policy() {
        let mut promote = Policy::preset(Preset::Promote);
        assert_eq!(cases_wanted(&promote, 0.06), Some(149));
        assert_eq!(cases_wanted(&promote, 0.001), Some(52));
        promote.segments.mode = Mode::Gate;
        let segments = [("tier=pro".to_owned(), 39), ("tier=free".to_owned(), 40)];
        let warnings = plan_warnings(148, &segments, PLANNED_CHURN, &promote);
        assert_eq!(warnings.len(), 2);
        assert!(warnings[1].message().contains("tier=pro has 39 cases"));
        assert!(plan_warnings(149, &[], PLANNED_CHURN, &promote).is_empty());
        assert!(plan_warnings(10, &segments, PLANNED_CHURN, &Policy::default()).is_empty());
    }
}
