//! The sentences below the first: where it broke, what is still possible, whether it blocks, what is
//! missing.

use std::cmp::Reverse;

use super::Account;
use super::message::filter_note;
use super::phrase::{count, points_long, share_of};
use crate::verdict::policy::{OnInconclusive, Policy, Preset};
use crate::verdict::rule::{Decision, RuleVerdict, Verdict};
use crate::verdict::rules::family::{Finding, Judged, Kind};
use crate::verdict::rules::scenario::Part;

/// How the sentence begins that says that an undecided gate blocks.
const BLOCKS: &str = "This is not a pass, and it blocks";

/// What a quarantine that is too large asks for.
const FEWER: &str = "with more than 20 % of the cases kept out nothing passes";

impl Decision {
    /// The same decision for a command that was told to block on nothing: no sentence says that it
    /// blocks.
    pub fn report_only(&mut self) {
        for note in self
            .notes
            .iter_mut()
            .filter(|note| note.starts_with(BLOCKS))
        {
            "This is not a pass. It does not block here (--no-gate, exit 0).".clone_into(note);
        }
    }
}

impl Account<'_> {
    /// The sentences below the first.
    pub(in crate::verdict) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.unusable.is_none() {
            match self.verdict {
                Verdict::Fail => self.fail_notes(&mut notes),
                Verdict::Pass => self.pass_notes(&mut notes),
                Verdict::Inconclusive => notes.push(self.blocking_note()),
                Verdict::Skipped | Verdict::Error => {}
            }
        }
        notes.extend(self.missing_notes());
        notes.extend(filter_note(self.context));
        notes
    }

    fn fail_notes(&self, notes: &mut Vec<String>) {
        let worst = self.worst_segment();
        notes.extend(worst.and_then(|worst| self.where_it_broke(worst)));
        if let Some(main) = self.main()
            && main.finding
                == (Finding::Regression {
                    within_margin: true,
                })
        {
            notes.push(format!(
                "The loss is within the margin of {}, but it is proven, and the policy does not \
                 tolerate that.",
                points_long(main.limit)
            ));
        }
        let decided = self.deciding();
        let parts = self.scenario.parts().into_iter();
        let others: Vec<String> = parts
            .filter(|part| Some(*part) != decided)
            .filter(|part| self.scenario.vote(*part) == Some(RuleVerdict::Fail))
            .filter(|part| self.id(*part).as_ref() != worst.map(|worst| &worst.id))
            .filter_map(|part| self.named(part))
            .collect();
        if !others.is_empty() {
            notes.push(format!("Also broken: {}.", others.join(", ")));
        }
    }

    /// A rule in words.
    fn named(&self, part: Part) -> Option<String> {
        match part {
            Part::MustPass => Some("must-pass cases".to_owned()),
            Part::Rate | Part::Judge(_) => None,
            Part::Floor => Some("the least pass rate".to_owned()),
            Part::Judged(index) => {
                let rule = self.scenario.judged.get(index)?;
                Some(match rule.kind {
                    Kind::Main => "all cases together".to_owned(),
                    Kind::Segment => rule.segment.clone()?,
                    Kind::Measure | Kind::Amount => rule.id.clone(),
                })
            }
        }
    }

    /// The segment that holds most of the cases that got worse, where one stands out.
    fn worst_segment(&self) -> Option<&Judged> {
        let main = self.main()?;
        let (lost, _) = main.evidence.moved;
        let failed = matches!(main.finding, Finding::Regression { .. });
        if !failed || lost < 2 {
            return None;
        }
        let stands_out = |rule: &&Judged| {
            let (here, all) = (rule.evidence.moved.0 as f64, lost as f64);
            let expected = rule.evidence.n as f64 / main.evidence.n.max(1) as f64;
            2.0 * here > all && here / all > 1.3 * expected
        };
        let segments = self
            .scenario
            .judged
            .iter()
            .filter(|rule| rule.kind == Kind::Segment);
        let size = |rule: &&Judged| (rule.evidence.moved.0, Reverse(rule.evidence.n));
        segments.filter(stands_out).max_by_key(size)
    }

    fn where_it_broke(&self, worst: &Judged) -> Option<String> {
        let (lost, _) = self.main()?.evidence.moved;
        let (here, _) = worst.evidence.moved;
        let name = worst.segment.as_deref()?;
        let part = if here == lost {
            format!("All {lost}")
        } else {
            format!("{here} of the {lost}")
        };
        let share = share_of(here, worst.evidence.n);
        let broke = if self.repeated { "got worse" } else { "broke" };
        Some(format!(
            "{part} are in {name}: {share} of the cases there {broke}."
        ))
    }

    fn pass_notes(&self, notes: &mut Vec<String>) {
        let Some(main) = self.main() else {
            return;
        };
        let bound = self.sentence(&self.bound(main));
        let gated = |rule: &&Judged| rule.kind == Kind::Segment && rule.gating;
        let segments = if self.scenario.judged.iter().any(|rule| gated(&rule)) {
            " No segment fails."
        } else {
            ""
        };
        notes.push(format!("{bound}{segments}"));
        for rule in self
            .scenario
            .judged
            .iter()
            .filter(|rule| rule.kind != Kind::Main)
        {
            if rule.finding == Finding::Tolerated && rule.gating {
                notes.push(format!("{}: {}.", rule.id, self.judged_reason(rule)));
            }
        }
        for rule in self.scenario.judged.iter().filter(|rule| !rule.gating) {
            if rule.verdict() == RuleVerdict::Fail {
                let p = self.p(rule);
                notes.push(format!("Watched, not gating: {} is worse ({p}).", rule.id));
            }
        }
    }

    fn blocking_note(&self) -> String {
        if self.quarantine.is_too_large() {
            return format!("{BLOCKS} ({}, exit 4): {FEWER}.", self.quarantine.phrase());
        }
        if !self.scenario.decides() && !self.unanswered_offline {
            return "This is not a pass. With `min_pass_rate` in the policy or `must_pass: true` on a \
                    case, `gate run` decides."
                .to_owned();
        }
        if self.unanswered_offline {
            return format!("{BLOCKS} (offline, exit 4); run it again with access to the model.");
        }
        let policy = self.policy;
        let (preset, choice) = (policy.preset.as_str(), policy.on_inconclusive);
        let by_preset = Policy::preset(policy.preset).on_inconclusive == choice;
        let source = if by_preset {
            format!("preset {preset}")
        } else {
            format!("on_inconclusive: {}", choice.as_str())
        };
        match choice {
            OnInconclusive::Block => {
                format!("{BLOCKS} ({source}, exit 4).")
            }
            OnInconclusive::Warn if policy.preset == Preset::Smoke => format!(
                "This is not a pass. It does not block here ({source}, exit 0); `promote` would."
            ),
            OnInconclusive::Warn => {
                format!("This is not a pass. It does not block here ({source}, exit 0).")
            }
        }
    }

    fn why_stopped(&self) -> String {
        let shown = self.main().is_some_and(|main| {
            main.evidence
                .p_sequential
                .is_some_and(|p| p < self.policy.alpha)
        });
        if shown {
            let policy = self.policy.early_stop.as_str();
            format!("the loss was shown before (early_stop: {policy}), and their calls are saved")
        } else {
            "nothing to come could change the verdict".to_owned()
        }
    }

    fn missing_notes(&self) -> Vec<String> {
        let note = self.missing;
        let noun = if self.missing_pairs() { "pair" } else { "case" };
        let mut notes = Vec::new();
        if note.missing > 0 {
            let have = if note.missing == 1 { "has" } else { "have" };
            let without = match note.without {
                without if without == self.verdict || self.unusable.is_some() => String::new(),
                without => format!(
                    "; without a look at them the verdict is {}",
                    without.as_str()
                ),
            };
            notes.push(format!(
                "{} {have} no answer{without}. `--resume` sends what is missing again.",
                count(note.missing, noun)
            ));
        }
        if note.offline > 0 {
            let was = if note.offline == 1 { "was" } else { "were" };
            notes.push(format!(
                "{} {was} left out: no answer in the cache, and nothing may leave the machine.",
                count(note.offline, noun)
            ));
        }
        if note.stopped > 0 {
            let was = if note.stopped == 1 { "was" } else { "were" };
            notes.push(format!(
                "{} {was} not run: {}.",
                count(note.stopped, noun),
                self.why_stopped()
            ));
        }
        notes
    }
}
