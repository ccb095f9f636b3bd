//! The first sentence of a decision, `exit.message`.

use super::Account;
use super::phrase::{count, number, percent, points_long, ratio};
use super::rule::open;
use crate::chat::AnswerFault;
use crate::verdict::decide::{DecisionContext, Unusable};
use crate::verdict::policy::Policy;
use crate::verdict::rule::Verdict;
use crate::verdict::rules::evidence::Barrier;
use crate::verdict::rules::family::{Finding, Judged, Kind};
use crate::verdict::rules::scenario::Part;

/// The word of `exit.reason` for a run without a verdict.
pub(in crate::verdict) fn unusable_word(unusable: &Unusable) -> String {
    match unusable {
        Unusable::Ended { word, .. } => word.clone(),
        Unusable::Missing { .. } => "missing_over_bound".to_owned(),
        Unusable::Internal(_) => "internal".to_owned(),
    }
}

/// Why there is no verdict.
pub(in crate::verdict) fn unusable_message(unusable: &Unusable, policy: &Policy) -> String {
    match unusable {
        Unusable::Ended { word, message } if message.is_empty() => {
            format!("No verdict: the run ended early ({word}).")
        }
        Unusable::Ended { word, message } => {
            let message = message.trim_end_matches('.');
            format!("No verdict: the run ended early ({word}): {message}.")
        }
        Unusable::Missing { missing, planned } => {
            let share = percent(*missing as f64 / *planned as f64);
            let most = percent(policy.max_missing);
            let have = if *missing == 1 { "has" } else { "have" };
            format!(
                "No verdict: {missing} of {} {have} no answer on both sides ({share}); at most \
                 {most} may be missing.",
                count(*planned, "case")
            )
        }
        Unusable::Internal(what) => {
            format!("No verdict: the results do not add up ({what}). This is a bug of gate.")
        }
    }
}

/// That the run is partial, where it is.
pub(in crate::verdict) fn filter_note(context: &DecisionContext<'_>) -> Option<String> {
    context.filter.map(|filter| {
        format!("This is a partial run ({filter}): it is no evidence for a promotion.")
    })
}

impl Account<'_> {
    /// The first sentence, `exit.message`.
    pub(in crate::verdict) fn message(&self) -> String {
        if let Some(unusable) = self.unusable {
            return unusable_message(unusable, self.policy);
        }
        match self.verdict {
            Verdict::Fail => self.fail_message(),
            Verdict::Pass => self.pass_message(),
            Verdict::Inconclusive => self.inconclusive_message(),
            Verdict::Skipped => "There was nothing to do.".to_owned(),
            Verdict::Error => "No verdict could be formed.".to_owned(),
        }
    }

    /// A fragment as a sentence: a capital, unless it begins with the candidate's name, and a stop.
    pub(super) fn sentence(&self, fragment: &str) -> String {
        let mut sentence = format!("{fragment}.");
        let named = fragment.starts_with(self.candidate()) && !self.context.candidate.is_empty();
        if let Some(first) = sentence.get_mut(..1).filter(|_| !named) {
            first.make_ascii_uppercase();
        }
        sentence
    }

    pub(super) fn main(&self) -> Option<&Judged> {
        self.scenario
            .judged
            .iter()
            .find(|rule| rule.kind == Kind::Main)
    }

    fn fail_message(&self) -> String {
        let (candidate, baseline) = (self.candidate(), self.baseline());
        match self.deciding() {
            Some(Part::MustPass) => self.must_pass_message(),
            Some(Part::Floor) => self.floor_message(),
            Some(Part::Judged(index)) => {
                let rule = self.scenario.judged.get(index);
                rule.map_or_else(String::new, |rule| self.judged_failure(rule))
            }
            Some(Part::Rate | Part::Judge(_)) | None => {
                format!("{candidate} may not replace {baseline}.")
            }
        }
    }

    fn must_pass_message(&self) -> String {
        let found = self.scenario.must_pass.as_ref();
        found.map_or_else(String::new, |found| {
            self.sentence(&self.must_pass_reason(found))
        })
    }

    fn floor_message(&self) -> String {
        let found = self.scenario.floor.as_ref();
        found.map_or_else(String::new, |found| {
            self.sentence(&self.floor_reason(found))
        })
    }

    fn judged_failure(&self, rule: &Judged) -> String {
        let (candidate, baseline) = (self.candidate(), self.baseline());
        let place = rule
            .segment
            .as_ref()
            .map_or_else(String::new, |name| format!(" in {name}"));
        let estimate = rule.evidence.estimate.unwrap_or(0.0);
        match rule.kind {
            Kind::Main | Kind::Segment => {
                format!(
                    "{candidate} is worse than {baseline}{place}: {}.",
                    self.tally(rule)
                )
            }
            Kind::Amount => format!(
                "{candidate} {}: {} times {baseline}'s, and {} is allowed.",
                more_than_allowed(&rule.metric),
                ratio(estimate),
                ratio(rule.limit)
            ),
            Kind::Measure => match rule.metric.strip_prefix("rate.") {
                Some(fault) => {
                    let (before, now) = rule.evidence.values.unwrap_or_default();
                    let (before, now) = (percent(before), percent(now));
                    let what = fault_words(fault);
                    format!(
                        "{candidate}'s answers {what} more often than {baseline}'s: {now} instead of {before}."
                    )
                }
                None => format!(
                    "{candidate} has a worse {} than {baseline}: {} lower on average.",
                    rule.metric,
                    points_long(estimate)
                ),
            },
        }
    }

    /// The counts of a comparison: `of 200 cases it loses 10 that v7 gets right, and wins 2`.
    fn tally(&self, rule: &Judged) -> String {
        let evidence = &rule.evidence;
        let cases = count(evidence.n, "case");
        let (worse, better) = evidence.moved;
        if (worse, better) == (0, 0) {
            return match evidence.n {
                1 => "the one case comes out the same".to_owned(),
                _ => format!("all {cases} come out the same"),
            };
        }
        if evidence.pairs.is_none() || self.repeated {
            let moved = evidence.estimate.unwrap_or(0.0);
            let what = if rule.metric == "pass" {
                "pass rate"
            } else {
                "mean score"
            };
            let how = if moved < 0.0 { "falls" } else { "rises" };
            return format!(
                "over {cases} its {what} {how} by {}, worse on {} and better on {}",
                points_long(moved),
                number(worse),
                number(better)
            );
        }
        let baseline = self.baseline();
        match worse {
            0 => format!("of {cases} it loses none, and wins {better}"),
            _ => format!(
                "of {cases} it loses {worse} that {baseline} gets right, and wins {}",
                number(better)
            ),
        }
    }

    fn pass_message(&self) -> String {
        let (candidate, baseline) = (self.candidate(), self.baseline());
        let Some(main) = self.main() else {
            return self.absolute_message();
        };
        let tally = self.tally(main);
        match main.finding {
            Finding::Better => format!("{candidate} is better than {baseline}: {tally}."),
            Finding::Tolerated => {
                format!("{candidate} is worse than {baseline}, within what is allowed: {tally}.")
            }
            Finding::Regression { .. }
            | Finding::NotWorse
            | Finding::NotBetter
            | Finding::Undecided
            | Finding::CannotShow
            | Finding::TooFewCases => {
                format!("{candidate} is not worse than {baseline}: {tally}.")
            }
        }
    }

    /// The absolute rules in one sentence, where there is no baseline.
    fn absolute_message(&self) -> String {
        let floor = self
            .scenario
            .floor
            .as_ref()
            .map(|found| self.floor_reason(found));
        let must = self
            .scenario
            .must_pass
            .as_ref()
            .map(|found| self.must_pass_reason(found));
        let found: Vec<String> = floor.into_iter().chain(must).collect();
        self.sentence(&found.join("; "))
    }

    fn inconclusive_message(&self) -> String {
        if !self.scenario.decides() {
            return self.no_rule_message();
        }
        let offline = self.missing.offline;
        let undecided = self.deciding();
        if undecided.is_none() && self.quarantine.is_too_large() {
            return format!("{}, too many to pass.", self.quarantine.phrase());
        }
        if undecided.is_none() && self.missing.missing > 0 && !self.is_offline_alone() {
            return format!("{}.", self.missing_sentence());
        }
        if undecided.is_none() {
            let pairs = count(offline.max(1), "case");
            let have = if offline <= 1 { "has" } else { "have" };
            return format!(
                "Answers are missing offline: {pairs} {have} none in the cache, so this is no pass."
            );
        }
        match undecided {
            Some(Part::Judged(index)) => {
                let rule = self.scenario.judged.get(index);
                rule.map_or_else(String::new, |rule| self.judged_doubt(rule))
            }
            Some(Part::MustPass) => self.must_pass_message(),
            Some(Part::Floor) => self.floor_message(),
            Some(Part::Judge(index)) => {
                let judge = self.scenario.judges.get(index);
                judge.map_or_else(String::new, |judge| self.sentence(&judge.reason))
            }
            Some(Part::Rate) | None => String::new(),
        }
    }

    /// What a candidate alone is like where no rule decides on it.
    fn no_rule_message(&self) -> String {
        let Some(found) = &self.scenario.rate else {
            return "No rule decides: graded cases have no pass rate.".to_owned();
        };
        let interval = found.interval.map_or_else(String::new, |interval| {
            format!(
                " ({} interval {} to {})",
                percent(interval.level),
                percent(interval.low),
                percent(interval.high)
            )
        });
        format!("No rule decides: {}{interval}.", self.passes(found))
    }

    fn is_offline_alone(&self) -> bool {
        self.missing.without == Verdict::Pass && self.missing.missing == 0
    }

    fn missing_sentence(&self) -> String {
        let missing = self.missing.missing;
        let noun = if self.missing_pairs() { "pair" } else { "case" };
        let have = if missing == 1 { "has" } else { "have" };
        let without = self.missing.without.as_str();
        format!(
            "{missing} of {} {have} no answer and could change the verdict, which is {without} \
             without them",
            count(self.missing.planned, noun)
        )
    }

    fn judged_doubt(&self, rule: &Judged) -> String {
        let (candidate, baseline) = (self.candidate(), self.baseline());
        if rule.barred {
            return format!("{}: {}; {BARRED}.", rule.id, self.change(rule));
        }
        if rule.doubted.is_some() {
            return format!("{}.", self.missing_sentence());
        }
        let evidence = &rule.evidence;
        if evidence.barrier == Some(Barrier::NoPair) {
            return format!(
                "There is nothing to compare: no case has a result of {candidate} and of {baseline}."
            );
        }
        if rule.kind != Kind::Main || evidence.barrier.is_some() {
            return format!("{}: {}; {}.", rule.id, self.change(rule), open(rule));
        }
        let (worse, better) = evidence.moved;
        let cases = count(evidence.n, "case");
        let are = if evidence.n == 1 { "is" } else { "are" };
        if rule.finding == Finding::NotBetter {
            let tally = self.tally(rule);
            return format!("{candidate} is not shown to be better than {baseline}: {tally}.");
        }
        if evidence.pairs.is_none() || self.repeated || (worse, better) == (0, 0) {
            return format!("{cases} {are} too few to tell: {}.", self.tally(rule));
        }
        let loses = match worse {
            0 => format!("{candidate} loses none"),
            _ => format!("{candidate} loses {worse} that {baseline} gets right"),
        };
        format!(
            "{cases} {are} too few to tell: {loses}, and wins {}.",
            number(better)
        )
    }
}

/// Why a loss does not fail the gate.
pub(super) const BARRED: &str = "a significant loss, but a judge that may not gate found it";

fn more_than_allowed(metric: &str) -> &'static str {
    match metric {
        "cost_usd" => "costs more than allowed",
        "latency_ms" => "is slower than allowed",
        "input_tokens" => "reads more tokens than allowed",
        _ => "writes more tokens than allowed",
    }
}

fn fault_words(word: &str) -> &'static str {
    let found = AnswerFault::WORDS.iter().find(|(known, _)| *known == word);
    match found.map(|(_, fault)| fault) {
        Some(AnswerFault::Refused) => "are refusals",
        Some(AnswerFault::Filtered) => "are filtered",
        Some(AnswerFault::Truncated) => "are cut off",
        Some(AnswerFault::ToolCall) => "call tools wrongly",
        Some(AnswerFault::Context) => "do not fit the context",
        None => "have faults",
    }
}
