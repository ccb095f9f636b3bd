//! Whether a judge may gate: it has to agree with people well enough, on enough labels, not too long
//! ago, by the record that the run's header holds. A judge that may not gate neither passes nor fails
//! a candidate: what rests on it is undecided.

use serde_json::{Value, json};

use super::decide::DecisionContext;
use super::policy::Policy;
use super::rule::RuleVerdict;
use crate::analysis::preference::AgreementSummary;
use crate::base::decode::{Reader, Table};
use crate::base::node::json_number;
use crate::base::{Node, Timestamp, text};
use crate::record::JudgeCalibration;

/// How well a gating judge has to agree with people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RequireCalibration {
    /// Least of Cohen's κ.
    pub min_kappa: f64,
    /// Fewest labelled examples with a verdict of both.
    pub min_labels: u64,
    /// Greatest age.
    pub max_age_days: u64,
}

impl Default for RequireCalibration {
    fn default() -> Self {
        Self {
            min_kappa: 0.6,
            min_labels: 50,
            max_age_days: 90,
        }
    }
}

impl RequireCalibration {
    /// Reads the key of a policy; what is left out has its default.
    pub(super) fn decode(reader: &mut Reader<'_>, node: &Node) -> Option<Self> {
        let mut table = Table::new(reader, node, "`require_calibration`")?;
        let mut required = Self::default();
        if let Some(node) = table.get("min_kappa")
            && let Some(kappa) = reader.number(node, "`min_kappa`", 0.0, 1.0)
        {
            required.min_kappa = kappa;
        }
        if let Some(node) = table.get("min_labels")
            && let Some(labels) = reader.whole(node, "`min_labels`", 1)
        {
            required.min_labels = labels;
        }
        if let Some(node) = table.get("max_age_days")
            && let Some(days) = reader.whole(node, "`max_age_days`", 1)
        {
            required.max_age_days = days;
        }
        table.finish(reader);
        Some(required)
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "min_kappa": json_number(self.min_kappa),
            "min_labels": self.min_labels,
            "max_age_days": self.max_age_days,
        })
    }
}

/// What is known of the judges of a run when it is decided.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Judges<'a> {
    /// What is known of each scorer's judge.
    pub calibrations: &'a [JudgeCalibration],
    /// When the run began, against which ages are measured.
    pub at: Option<Timestamp>,
    /// The models that judged in the run, by their own word.
    pub served: &'a [String],
    /// The verdict on the same answers without the judges that may not gate, where other scorers gate
    /// too: a loss that those find stands.
    pub fails_without: bool,
}

/// Whether a judge may gate, with the reason.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgeCheck {
    /// The scorer.
    pub scorer: String,
    /// Whether it may.
    pub fit: bool,
    /// Why, in a sentence that names the way out.
    pub reason: String,
    /// Agreement with people under the scorer's threshold.
    pub agreement: AgreementSummary,
}

impl JudgeCheck {
    /// Checks every gating judge of a run; none where the policy asks for nothing.
    #[must_use]
    pub fn all(policy: &Policy, judges: &Judges<'_>) -> Vec<Self> {
        let Some(required) = &policy.require_calibration else {
            return Vec::new();
        };
        let gating = judges.calibrations.iter().filter(|judge| judge.gating);
        gating
            .map(|judge| Self::of(judge, required, judges))
            .collect()
    }

    /// Checks one judge.
    #[must_use]
    pub fn of(
        judge: &JudgeCalibration,
        required: &RequireCalibration,
        judges: &Judges<'_>,
    ) -> Self {
        let agreement = AgreementSummary::of(&judge.items, judge.threshold);
        let name = text::visible_line(&judge.scorer);
        let fault = fault(judge, &agreement, required, judges);
        let reason = match &fault {
            Some(fault) => format!(
                "judge `{name}` may not gate: {fault}; to mend it: {}",
                judge.command
            ),
            None => format!(
                "judge `{name}` agrees with people: kappa {:.2} on {} labelled examples, {}",
                agreement.kappa.unwrap_or_default(),
                agreement.examples,
                age(judge, judges).map_or_else(String::new, days)
            ),
        };
        Self {
            scorer: judge.scorer.clone(),
            fit: fault.is_none(),
            reason,
            agreement,
        }
    }

    pub(super) fn verdict(&self) -> RuleVerdict {
        if self.fit {
            RuleVerdict::Pass
        } else {
            RuleVerdict::Inconclusive
        }
    }
}

/// The scorers whose judges may not gate.
#[must_use]
pub fn unfit<'a>(policy: &Policy, context: &DecisionContext<'a>) -> Vec<&'a str> {
    let Some(required) = &policy.require_calibration else {
        return Vec::new();
    };
    let judges = context.judges;
    let gating = judges.calibrations.iter().filter(|judge| judge.gating);
    gating
        .filter(|judge| !JudgeCheck::of(judge, required, &judges).fit)
        .map(|judge| judge.scorer.as_str())
        .collect()
}

const DAY: u64 = 86_400;

/// Whole days from the calibration to the run.
fn age(judge: &JudgeCalibration, judges: &Judges<'_>) -> Option<u64> {
    let passed = judges.at?.since(judge.date?);
    Some(passed.as_secs() / DAY)
}

fn days(days: u64) -> String {
    match days {
        0 => "today".to_owned(),
        1 => "yesterday".to_owned(),
        days => format!("{days} days ago"),
    }
}

/// Why a judge may not gate; `None` where it may.
fn fault(
    judge: &JudgeCalibration,
    agreement: &AgreementSummary,
    required: &RequireCalibration,
    judges: &Judges<'_>,
) -> Option<String> {
    if let Some(fault) = &judge.fault {
        return Some(fault.clone());
    }
    if judge.uncovered > 0 {
        return Some(format!(
            "no label carries its criteria ({} without)",
            judge.uncovered
        ));
    }
    if agreement.examples < required.min_labels {
        return Some(format!(
            "it was held against {} labelled examples, {} are asked for",
            agreement.examples, required.min_labels
        ));
    }
    let least = required.min_kappa;
    match agreement.kappa {
        None => {
            return Some("kappa is undefined: all labels or all verdicts are the same".to_owned());
        }
        Some(kappa) if kappa < least => {
            return Some(format!(
                "its kappa with people is {kappa:.2}, {least} is asked for"
            ));
        }
        Some(_) => {}
    }
    match age(judge, judges) {
        None => return Some("its record has no date".to_owned()),
        Some(age) if age > required.max_age_days => {
            let most = required.max_age_days;
            return Some(format!(
                "its calibration is {age} days old, {most} are allowed"
            ));
        }
        Some(_) => {}
    }
    let bare = |name: &str| name.split(" (").next().unwrap_or(name).to_owned();
    let known: Vec<String> = judge.served.iter().map(|name| bare(name)).collect();
    // Which judge a served model belongs to is known only where there is one.
    let alone = judges.calibrations.len() == 1;
    let mut served = judges.served.iter().map(|name| bare(name));
    let other = served.find(|name| !known.contains(name));
    other.filter(|_| alone && !known.is_empty()).map(|name| {
        format!(
            "the model that judged calls itself `{}`, and `{}` was calibrated",
            text::visible_line(&name),
            text::visible_line(&known.join(", "))
        )
    })
}
