//! The result of each rule with its reason in one sentence.

use super::Account;
use super::message::BARRED;
use super::phrase::{count, list, number, percent, points, points_long, ratio};
use crate::verdict::calibration::JudgeCheck;
use crate::verdict::policy::Require;
use crate::verdict::rule::{Estimate, RuleResult, RuleVerdict};
use crate::verdict::rules::absolute::{Floor, MustPass, Rate};
use crate::verdict::rules::evidence::Barrier;
use crate::verdict::rules::family::{Finding, Judged, Kind};
use crate::verdict::rules::scenario::Part;

/// Ids that a rule names at most.
const MOST_IDS: usize = 1_000;

impl Account<'_> {
    /// The result of a rule.
    pub(super) fn rule(&self, part: Part) -> Option<RuleResult> {
        match part {
            Part::MustPass => self
                .scenario
                .must_pass
                .as_ref()
                .map(|found| self.must_pass(found)),
            Part::Rate => self.scenario.rate.as_ref().map(|found| self.watched(found)),
            Part::Floor => self.scenario.floor.as_ref().map(|found| self.floor(found)),
            Part::Judge(index) => self.scenario.judges.get(index).map(judge),
            Part::Judged(index) => self
                .scenario
                .judged
                .get(index)
                .map(|rule| self.judged(rule)),
        }
    }

    fn must_pass(&self, found: &MustPass<'_>) -> RuleResult {
        let named = if found.failed.is_empty() {
            &found.unanswered
        } else {
            &found.failed
        };
        RuleResult {
            id: "must-pass".to_owned(),
            metric: "pass".to_owned(),
            verdict: self.scenario.unless_barred(found.verdict()),
            reason: self.barred(found.verdict(), self.must_pass_reason(found)),
            gating: true,
            n: found.cases,
            case_ids: named
                .iter()
                .take(MOST_IDS)
                .map(|id| (*id).to_owned())
                .collect(),
            ..RuleResult::default()
        }
    }

    /// A reason, with the word on a judge that may not gate where that takes a failure back.
    fn barred(&self, verdict: RuleVerdict, reason: String) -> String {
        if self.scenario.unless_barred(verdict) == verdict {
            return reason;
        }
        format!("{reason}; {BARRED}")
    }

    /// Why the must-pass cases hold or not.
    pub(super) fn must_pass_reason(&self, found: &MustPass<'_>) -> String {
        let candidate = self.candidate();
        let cases = count(found.cases, "must-pass case");
        if !found.failed.is_empty() {
            let failed = found.failed.len() as u64;
            let before = match found.pre_existing {
                0 => String::new(),
                all if all == failed => format!(" (pre-existing: so does {})", self.baseline()),
                some => format!(" ({some} pre-existing: so does {})", self.baseline()),
            };
            let of = if found.cases == failed {
                cases
            } else {
                format!("{failed} of {cases}")
            };
            return format!("{candidate} fails {of}: {}{before}", list(&found.failed));
        }
        if !found.unanswered.is_empty() {
            let open = count(found.unanswered.len() as u64, "must-pass case");
            let have = if found.unanswered.len() == 1 {
                "has"
            } else {
                "have"
            };
            return format!("{open} {have} no answer: {}", list(&found.unanswered));
        }
        let bound = found.bound.map_or_else(String::new, |bound| {
            format!("; a failure rate of {} is still possible", percent(bound))
        });
        match found.cases {
            1 => format!("the one must-pass case passes{bound}"),
            _ => format!("all {cases} pass{bound}"),
        }
    }

    fn floor(&self, found: &Floor) -> RuleResult {
        RuleResult {
            id: "min-pass-rate".to_owned(),
            verdict: self.scenario.unless_barred(found.verdict()),
            reason: self.barred(found.verdict(), self.floor_reason(found)),
            gating: true,
            alpha: Some(self.policy.alpha),
            required: Some(found.required),
            ..measured(&found.measured)
        }
    }

    /// The pass rate of a candidate alone, on which no rule decides.
    fn watched(&self, found: &Rate) -> RuleResult {
        RuleResult {
            id: "pass-rate".to_owned(),
            verdict: RuleVerdict::Skipped,
            reason: format!("{}; no rule decides on it", self.passes(found)),
            gating: false,
            ..measured(found)
        }
    }

    /// How many cases pass, in words.
    pub(super) fn passes(&self, found: &Rate) -> String {
        let (candidate, cases) = (self.candidate(), count(found.n, "case"));
        match found.share {
            None => "no case has an answer".to_owned(),
            Some(rate) => format!("{candidate} passes {} of {cases}", percent(rate)),
        }
    }

    /// Why the floor holds or not.
    pub(super) fn floor_reason(&self, found: &Floor) -> String {
        let (floor, sure) = (percent(found.required), self.sure());
        if found.graded {
            return format!("graded scores have no pass rate to hold against {floor}");
        }
        let Some(interval) = found.measured.interval else {
            return format!("no case has an answer; {floor} of them have to pass");
        };
        let passes = self.passes(&found.measured);
        if let Some(without) = found.doubted {
            return format!("{passes}; {}", self.doubt(without));
        }
        match found.plain_verdict() {
            RuleVerdict::Pass => {
                let low = percent(interval.low);
                format!("{passes}: at least {low} ({sure}), and {floor} is required")
            }
            RuleVerdict::Fail => {
                let high = percent(interval.high);
                format!("{passes}: at most {high} ({sure}), and {floor} is required")
            }
            RuleVerdict::Inconclusive | RuleVerdict::Skipped => {
                let low = percent(interval.low);
                format!("{passes}: {low} is still possible, and {floor} is required")
            }
        }
    }

    fn judged(&self, rule: &Judged) -> RuleResult {
        let (policy, evidence) = (self.policy, &rule.evidence);
        let is_amount = rule.kind == Kind::Amount;
        let verdict = rule.verdict();
        let risk = (policy.alpha, policy.power);
        let open = verdict == RuleVerdict::Inconclusive && rule.doubted.is_none();
        let needed = match (rule.kind, policy.require) {
            (Kind::Main, Require::Better) | (Kind::Amount, _) => None,
            _ => evidence.cases_needed(rule.limit, risk).filter(|_| open),
        };
        RuleResult {
            id: rule.id.clone(),
            metric: rule.metric.clone(),
            segment: rule.segment.clone(),
            verdict,
            reason: self.judged_reason(rule),
            gating: rule.gating,
            n: evidence.n,
            left_out: evidence.left_out,
            pairs: evidence.pairs,
            baseline_value: evidence.values.map(|(baseline, _)| baseline),
            candidate_value: evidence.values.map(|(_, candidate)| candidate),
            estimate: evidence.estimate,
            ci: evidence.ci,
            decided_by: evidence.decided_by,
            alpha: Some(policy.alpha),
            margin: (!is_amount).then_some(rule.limit),
            max_ratio: is_amount.then_some(rule.limit),
            required: None,
            p_regression: evidence.p_regression,
            p_regression_adjusted: rule.p_adjusted,
            p_noninferior: evidence.p_noninferior,
            p_improvement: evidence.p_improvement,
            p_guarded: evidence.p_guarded,
            tests: evidence.tests.clone(),
            mde: evidence
                .mde(policy.alpha, policy.power)
                .filter(|_| !is_amount),
            cases_needed: needed,
            clusters: evidence.clusters,
            totals: evidence.totals,
            case_ids: Vec::new(),
        }
    }

    /// Why a rule on pairs holds or not.
    pub(super) fn judged_reason(&self, rule: &Judged) -> String {
        let change = self.change(rule);
        if let Some(without) = rule.doubted {
            return format!("{change}; {}", self.doubt(without));
        }
        if rule.barred {
            return format!("{change}: {BARRED}");
        }
        let p = self.p(rule);
        match rule.finding {
            Finding::Regression { within_margin } => {
                let limit = if rule.gating { self.policy.alpha } else { 0.05 };
                let bar = format!("a loss by chance alone has {p}, below {limit}");
                let note = if within_margin {
                    "; loss within the margin"
                } else {
                    ""
                };
                format!("{change}: {bar}{note}")
            }
            Finding::Tolerated => {
                format!("{change}: a significant loss ({p}) within what is allowed")
            }
            Finding::Better => format!("{change}: significantly better"),
            Finding::NotWorse => format!("{change}; {}", self.bound(rule)),
            Finding::NotBetter => format!("{change}: not shown to be better, as is required"),
            Finding::Undecided => format!("{change}; {}", open(rule)),
            Finding::CannotShow => {
                let missed = self.missed(rule);
                format!("{change}: too few differing answers to show a loss{missed}")
            }
            Finding::TooFewCases => {
                let least = self.policy.segments.min_cases;
                format!("{change}: fewer than {least} cases are not tested")
            }
        }
    }

    /// What changed, in a phrase with the counts.
    pub(super) fn change(&self, rule: &Judged) -> String {
        let evidence = &rule.evidence;
        let (candidate, baseline) = (self.candidate(), self.baseline());
        let cases = count(evidence.n, "case");
        let (worse, better) = evidence.moved;
        if evidence.n == 0 {
            return "no case has a result on both sides".to_owned();
        }
        if rule.kind == Kind::Amount {
            let times = evidence.estimate.map_or_else(|| "?".to_owned(), ratio);
            return format!("{candidate} takes {times} times what {baseline} does over {cases}");
        }
        if evidence.pairs.is_some() && rule.kind != Kind::Measure && !self.repeated {
            let wins = number(better);
            return format!(
                "of {cases} {candidate} loses {} that {baseline} gets right, and wins {wins}",
                number(worse)
            );
        }
        let moved = evidence.estimate.unwrap_or(0.0);
        let by = match moved {
            moved if moved < 0.0 => format!("{} worse", points_long(moved)),
            moved if moved > 0.0 => format!("{} better", points_long(moved)),
            _ => "neither better nor worse".to_owned(),
        };
        format!(
            "over {cases} {candidate} is {by} on average: worse on {}, better on {}",
            number(worse),
            number(better)
        )
    }

    /// What is still possible, where that is allowed.
    pub(super) fn bound(&self, rule: &Judged) -> String {
        let sure = self.sure();
        let Some(ci) = rule.evidence.ci else {
            return "it is within what is allowed".to_owned();
        };
        if rule.kind == Kind::Amount {
            let (high, limit) = (ratio(ci.high), ratio(rule.limit));
            return format!("at worst ({sure}) {high} times, and {limit} is allowed");
        }
        let (low, limit) = (ci.low, points(rule.limit));
        let are = if limit == "1" { "is" } else { "are" };
        let side = if low < 0.0 { "below" } else { "above" };
        let low = points_long(low);
        format!(
            "at worst ({sure}) it is {low} {side} {}; {limit} {are} allowed",
            self.baseline()
        )
    }

    /// The loss that a segment outside the family could have missed.
    fn missed(&self, rule: &Judged) -> String {
        let size = self.scenario.family.could_fail.saturating_sub(1).max(1);
        let alpha = self.policy.alpha / (2.0 * size as f64);
        let mde = rule.evidence.mde(alpha, self.policy.power);
        mde.map_or_else(
            || "; it could have missed any loss".to_owned(),
            |mde| format!("; it could have missed one of {}", points_long(mde)),
        )
    }

    /// What missing pairs did to a rule.
    pub(super) fn doubt(&self, without: RuleVerdict) -> String {
        let pairs = count(
            self.missing.missing,
            if self.missing_pairs() { "pair" } else { "case" },
        );
        let have = if self.missing.missing == 1 {
            "has"
        } else {
            "have"
        };
        let without = without.as_str();
        format!("{without} without them, but {pairs} {have} no answer and could change it")
    }

    /// Whether what is missing are pairs, and not cases of the candidate alone.
    pub(super) fn missing_pairs(&self) -> bool {
        !self.scenario.judged.is_empty()
    }
}

/// What a rule says of a gating judge.
fn judge(found: &JudgeCheck) -> RuleResult {
    let interval = found.agreement.kappa_ci;
    RuleResult {
        id: format!("calibration:{}", found.scorer),
        metric: "kappa".to_owned(),
        verdict: found.verdict(),
        reason: found.reason.clone(),
        gating: true,
        n: found.agreement.examples,
        candidate_value: found.agreement.kappa,
        ci: interval.map(|interval| Estimate {
            low: interval.low,
            high: interval.high,
            level: interval.level,
            method: "fleiss-cohen-everitt",
        }),
        ..RuleResult::default()
    }
}

/// What a rule says of a measured pass rate.
fn measured(found: &Rate) -> RuleResult {
    RuleResult {
        metric: "pass".to_owned(),
        n: found.n,
        candidate_value: found.share,
        ci: found.interval.map(|interval| Estimate {
            low: interval.low,
            high: interval.high,
            level: interval.level,
            method: interval.method,
        }),
        decided_by: found.interval.map(|interval| interval.method),
        clusters: found.clusters,
        ..RuleResult::default()
    }
}

/// Why a rule is undecided.
pub(super) fn open(rule: &Judged) -> String {
    let evidence = &rule.evidence;
    match &evidence.barrier {
        Some(Barrier::NoPair) => "there is nothing to compare".to_owned(),
        Some(Barrier::OneUnit) => "one case or one cluster shows nothing".to_owned(),
        Some(Barrier::FewClusters(clusters)) => {
            let clusters = count(*clusters, "cluster");
            format!("{clusters} are too few: 20 are needed for a pass")
        }
        Some(Barrier::FewPairs { .. }) => "20 cases are needed".to_owned(),
        Some(Barrier::LeftOut { left_out, of }) => {
            format!("{left_out} of {of} pairs have no value to compare, 5 % may")
        }
        Some(Barrier::NoScore) => "no case was scored by this scorer".to_owned(),
        Some(Barrier::Undefined(what)) => format!("undefined here: {what}"),
        None => possible(rule),
    }
}

/// What is still possible where nothing is decided.
fn possible(rule: &Judged) -> String {
    let Some(ci) = rule.evidence.ci else {
        return "not enough data".to_owned();
    };
    if rule.kind == Kind::Amount {
        let (high, limit) = (ratio(ci.high), ratio(rule.limit));
        return format!("{high} times is still possible, {limit} is allowed");
    }
    let (low, limit) = (points_long(ci.low), points(rule.limit));
    if ci.low > -rule.limit {
        return "too close to what is allowed to be sure".to_owned();
    }
    format!("a loss of {low} is still possible, {limit} may be lost")
}
