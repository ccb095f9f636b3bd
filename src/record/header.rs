//! What a run is about, as its first event says it: everything a report needs besides results.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Arm;
use super::calibration::JudgeCalibration;
use crate::base::{Digest, RunId};

/// The first event's content.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// The form of the log, `run/1`.
    pub gate: String,
    /// The version of the program that began the run.
    pub tool: String,
    /// The run's id.
    pub run_id: RunId,
    /// `compare` or `run`.
    pub command: String,
    /// The suite's name.
    pub suite: String,
    /// The name in reports: the suite's, with `@<model>` where the suite has several models.
    pub title: String,
    /// The suite's file, relative to the project's root.
    pub suite_path: String,
    /// The prompt's slug.
    pub prompt: String,
    /// The digest of the resolved suite.
    pub suite_digest: Digest,
    /// The digest of everything that decides what is asked and how it is scored.
    pub plan_digest: Digest,
    /// The resolved suite as JSON: scorers, policy, judges by hash.
    pub resolved: Value,
    /// The arms, the candidate last.
    pub arms: Vec<ArmHeader>,
    /// The model under test.
    pub model: ModelHeader,
    /// The model of the candidate, where two models are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate_model: Option<ModelHeader>,
    /// The runs of all comparisons that share one error rate with this one, itself included; empty
    /// for a comparison that stands alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matrix: Vec<RunId>,
    /// The suite's scorers in order.
    pub scorers: Vec<ScorerHeader>,
    /// How well each scorer's judge agrees with people, where that is known or asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calibrations: Vec<JudgeCalibration>,
    /// The dataset.
    pub dataset: DatasetHeader,
    /// The seed of order, sample and resampling.
    pub seed: u64,
    /// Repeats of each case.
    pub repeat: u32,
    /// What a flag narrowed the run to, in words; `None` for the whole suite.
    #[serde(default)]
    pub filter: Option<String>,
    /// The part of the cases that this machine took, such as `2/5`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<String>,
    /// The suite's sample in words, where it has one.
    #[serde(default)]
    pub sample: Option<String>,
    /// Whether nothing was allowed to leave the machine.
    #[serde(default)]
    pub offline: bool,
    /// Digest of the last entry of the registry's log, where the prompt has one.
    #[serde(default)]
    pub registry_head: Option<Digest>,
    /// What a reader should know, such as a judge that grades itself.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// One arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmHeader {
    /// Which side.
    pub arm: Arm,
    /// The version as the user named it, or its label.
    #[serde(rename = "ref")]
    pub reference: String,
    /// How reports name it: `v8`, or what the user wrote.
    pub label: String,
    /// The version's number, where it has one.
    pub version: Option<u32>,
    /// The content hash.
    pub hash: Digest,
    /// The name of the version's file.
    #[serde(default)]
    pub file: String,
    /// The version's text as written, so that a run can be read anywhere.
    #[serde(default)]
    pub text: String,
}

/// The model under test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelHeader {
    /// Its name in the suite.
    pub name: String,
    /// The protocol.
    pub provider: String,
    /// The model's id at the provider.
    pub model: Option<String>,
}

/// A scorer of the suite.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScorerHeader {
    /// Its name.
    pub name: String,
    /// Its type, such as `equals`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it decides if a trial passes.
    pub gating: bool,
    /// The judge asked, with its hash and model, where it is one.
    #[serde(default)]
    pub judge: Option<JudgeHeader>,
    /// The judges of a panel, by their names in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberHeader>,
}

/// A judge of a panel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberHeader {
    /// Its name in the panel.
    pub name: String,
    /// The judge asked.
    pub judge: JudgeHeader,
}

/// The judge of a scorer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgeHeader {
    /// The version, such as `gate/rubric@v1`.
    pub version: String,
    /// Its content hash.
    pub hash: Digest,
    /// The model that judges, by its name in the suite.
    pub model: String,
}

/// The dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetHeader {
    /// Its path, relative to the project's root.
    pub path: String,
    /// Its digest.
    pub digest: Digest,
    /// How many cases it has.
    pub cases: usize,
    /// How many of them were planned.
    pub selected: usize,
}

impl RunHeader {
    /// The header of an arm.
    #[must_use]
    pub fn arm(&self, arm: Arm) -> Option<&ArmHeader> {
        self.arms.iter().find(|header| header.arm == arm)
    }

    /// The model that an arm asks.
    #[must_use]
    pub fn model_of(&self, arm: Arm) -> &ModelHeader {
        let candidate = self.candidate_model.as_ref();
        candidate
            .filter(|_| arm == Arm::Candidate)
            .unwrap_or(&self.model)
    }

    /// All judges asked, by the names of their scorers; of a panel `panel/member`.
    pub fn judges(&self) -> impl Iterator<Item = (String, &JudgeHeader)> {
        self.scorers.iter().flat_map(|scorer| {
            let own = scorer.judge.iter();
            let members = scorer.members.iter();
            let own = own.map(|judge| (scorer.name.clone(), judge));
            own.chain(
                members.map(|member| (format!("{}/{}", scorer.name, member.name), &member.judge)),
            )
        })
    }

    /// How reports name an arm.
    #[must_use]
    pub fn label(&self, arm: Arm) -> &str {
        self.arm(arm).map_or("", |header| header.label.as_str())
    }

    /// Whether scores are compared as they are; only outcome files can say so.
    #[must_use]
    pub fn is_graded(&self) -> bool {
        self.resolved.get("graded") == Some(&Value::Bool(true))
    }

    /// How many trials are planned for each arm.
    #[must_use]
    pub fn trials_per_arm(&self) -> usize {
        self.dataset.selected * self.repeat as usize
    }
}
