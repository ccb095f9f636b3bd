//! The sentences of a decision: the first one of the screen, what stands below it, and each rule's
//! reason. They need no statistics to be understood.

mod message;
mod note;
mod phrase;
mod rule;

use super::decide::{DecisionContext, Unusable};
use super::policy::Policy;
use super::quarantine::Quarantine;
use super::rule::{MissingNote, RuleResult, RuleVerdict, Verdict, p_name};
use super::rules::family::Judged;
use super::rules::scenario::{Part, Scenario};

pub(super) use message::{filter_note, unusable_message, unusable_word};

/// Everything that sentences are made from.
pub(super) struct Account<'a> {
    pub policy: &'a Policy,
    pub context: &'a DecisionContext<'a>,
    pub scenario: &'a Scenario<'a>,
    pub missing: MissingNote,
    pub verdict: Verdict,
    pub unusable: Option<&'a Unusable>,
    pub repeated: bool,
    /// Whether an answer is missing that nothing could fetch offline: then no doubt is let through.
    pub unanswered_offline: bool,
    /// What has no say in any rule.
    pub quarantine: Quarantine,
}

impl Account<'_> {
    /// The results of all rules, in the order of formats.md section 6.
    pub(super) fn rules(&self) -> Vec<RuleResult> {
        let parts = self.scenario.parts();
        parts
            .into_iter()
            .filter_map(|part| self.rule(part))
            .collect()
    }

    /// The rule that decided, where one did.
    fn deciding(&self) -> Option<Part> {
        match self.verdict {
            Verdict::Fail => self.scenario.first(RuleVerdict::Fail),
            Verdict::Inconclusive => self
                .scenario
                .first(RuleVerdict::Inconclusive)
                .or_else(|| self.scenario.first(RuleVerdict::Skipped)),
            Verdict::Pass | Verdict::Skipped | Verdict::Error => None,
        }
    }

    /// The one word of `exit.reason`.
    pub(super) fn word(&self) -> String {
        if let Some(unusable) = self.unusable {
            return unusable_word(unusable);
        }
        let id = self.deciding().and_then(|part| self.id(part));
        id.unwrap_or_else(|| self.verdict.as_str().to_owned())
    }

    fn id(&self, part: Part) -> Option<String> {
        match part {
            Part::MustPass => Some("must-pass".to_owned()),
            Part::Rate => Some("pass-rate".to_owned()),
            Part::Floor => Some("min-pass-rate".to_owned()),
            Part::Judge(index) => {
                let judge = self.scenario.judges.get(index)?;
                Some(format!("calibration:{}", judge.scorer))
            }
            Part::Judged(index) => self.scenario.judged.get(index).map(|rule| rule.id.clone()),
        }
    }

    /// The p that a rule is judged by, with its name: `adjusted p = 0.002`.
    fn p(&self, rule: &Judged) -> String {
        let is_corrected = |rule: &Judged| rule.p_adjusted != rule.evidence.p_regression;
        let judged = self.scenario.judged.iter();
        let mut tested = judged.filter(|rule| rule.p_adjusted.is_some());
        let name = p_name(tested.any(is_corrected));
        let p = rule.p_adjusted.map_or_else(String::new, phrase::p_value);
        format!("{name} {p}")
    }

    fn candidate(&self) -> &str {
        name(self.context.candidate, "the candidate")
    }

    fn baseline(&self) -> &str {
        name(self.context.baseline, "the baseline")
    }

    /// How sure an interval's bound is, in words.
    fn sure(&self) -> String {
        format!("{} sure", phrase::percent(1.0 - self.policy.alpha))
    }
}

fn name<'a>(label: &'a str, otherwise: &'a str) -> &'a str {
    if label.is_empty() { otherwise } else { label }
}
