//! What a stored result says that matters to a promotion, what a suite now asks for, and where the
//! two differ.

use std::collections::BTreeMap;
use std::fmt;

use super::lifecycle::State;
use crate::base::{Digest, Name, Timestamp};

/// The verdict of a stored result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EvidenceVerdict {
    /// The candidate may replace the baseline.
    Pass,
    /// It may not.
    Fail,
    /// Too little was seen to tell.
    Inconclusive,
    /// No verdict could be formed.
    Error,
    /// There was nothing to do.
    Skipped,
}

/// Whose answers a result is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Those that the suite's model gave in this run.
    Own,
    /// Those of another run, whatever model gave them.
    OfAnotherRun,
}

/// What a stored result says that matters to a promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceSummary {
    /// The suite.
    pub suite: Name,
    /// The model's name within the suite.
    pub model: Name,
    /// The model's id, as it was pinned.
    pub model_id: String,
    /// The run's id.
    pub run: String,
    /// The verdict.
    pub verdict: EvidenceVerdict,
    /// Whether every planned trial came to an end.
    pub complete: bool,
    /// Whether the whole suite ran: no filter, no single case or tag.
    pub unfiltered: bool,
    /// Whether no rule formed the verdict: one version alone, and no absolute rule.
    pub unruled: bool,
    /// Whose answers were judged.
    pub answers: Answers,
    /// The content hash of the candidate.
    pub candidate: Digest,
    /// The content hash of the baseline; none of a run of one arm.
    pub baseline: Option<Digest>,
    /// The digest of the suite as it was.
    pub suite_digest: Digest,
    /// The digest of the dataset as it was.
    pub dataset_digest: Digest,
    /// The hash of each scorer's judge, where the result tells.
    pub judges: BTreeMap<String, Digest>,
    /// When the run ended.
    pub finished_at: Timestamp,
    /// The digest of the result's file.
    pub digest: Digest,
    /// The result's text, to be copied.
    pub text: String,
}

/// One suite with one model, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The suite.
    pub suite: Name,
    /// The model's name within the suite.
    pub model: Name,
    /// The model's id.
    pub model_id: String,
    /// Whether the suite has other models too.
    pub has_other_models: bool,
    /// The suite's file, where the suite can not decide about one version alone.
    pub lacks_rule: Option<String>,
    /// The suite's digest.
    pub suite_digest: Digest,
    /// The dataset's digest.
    pub dataset_digest: Digest,
    /// The hash of each scorer's judge.
    pub judges: BTreeMap<String, Digest>,
}

/// A content, and the version that has it where the log knows one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Its hash.
    pub hash: Digest,
    /// The version.
    pub version: Option<u32>,
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.hash.short(12);
        match self.version {
            Some(version) => write!(f, "v{version} ({hash})"),
            None => write!(f, "a content that is no version ({hash})"),
        }
    }
}

impl Content {
    fn known_to(state: &State, hash: Digest) -> Self {
        let mut versions = state.versions().iter();
        let version = versions.find(|(_, known)| known.hash == hash);
        Self {
            hash,
            version: version.map(|(number, _)| *number),
        }
    }
}

/// Why a result is no evidence for a promotion.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceFault {
    /// There is no result.
    #[error("there is no result for this version")]
    Absent,
    /// The result is about another content.
    #[error(
        "there is no result for this version: the nearest is about another content, {}",
        found.short(12)
    )]
    OtherCandidate {
        /// The content hash of its candidate.
        found: Digest,
    },
    /// The result compares with something that is not `stable` now.
    #[error(
        "the result compares with {}, and {} now",
        baseline(*found),
        stable(*wanted)
    )]
    OtherBaseline {
        /// Its baseline.
        found: Option<Content>,
        /// What `stable` points to.
        wanted: Option<Content>,
    },
    /// The verdict is another.
    #[error("the verdict is {}", verdict.word())]
    Verdict {
        /// The verdict.
        verdict: EvidenceVerdict,
    },
    /// No rule formed a verdict.
    #[error(
        "no rule formed a verdict: the run tested one version alone, on a suite with neither `min_pass_rate` nor a `must_pass` case"
    )]
    Unruled,
    /// Answers of another run were taken, whatever model gave them.
    #[error("the answers were those of another run, not of this suite's model")]
    Replayed,
    /// The run did not come to its end.
    #[error("the run is not complete")]
    Incomplete,
    /// A part of the suite ran.
    #[error("the run was filtered: it saw a part of the suite")]
    Filtered,
    /// The dataset is another now.
    #[error("the dataset changed since")]
    DatasetChanged {
        /// The digest then.
        found: Digest,
        /// The digest now.
        wanted: Digest,
    },
    /// A judge is another now.
    #[error("the judge of scorer `{scorer}` changed since")]
    JudgeChanged {
        /// The scorer.
        scorer: String,
    },
    /// The model is another now.
    #[error("the model was `{found}` and is `{wanted}` now")]
    ModelChanged {
        /// The model then.
        found: String,
        /// The model now.
        wanted: String,
    },
    /// Something else in the suite is another now.
    #[error("the suite changed since")]
    SuiteChanged {
        /// The digest then.
        found: Digest,
        /// The digest now.
        wanted: Digest,
    },
    /// The result is too old.
    #[error("the result is {age_days} days old, and holds for {max_age_days}")]
    Stale {
        /// Its age in whole days.
        age_days: u64,
        /// What `prompt.yaml` allows.
        max_age_days: u32,
    },
}

fn baseline(found: Option<Content>) -> String {
    found.map_or_else(|| "nothing".to_owned(), |content| content.to_string())
}

fn stable(wanted: Option<Content>) -> String {
    wanted.map_or_else(
        || "there is no `stable`".to_owned(),
        |content| format!("`stable` is {content}"),
    )
}

impl EvidenceVerdict {
    /// The verdict as a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
            Self::Skipped => "skipped",
        }
    }

    /// The verdict of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        let all = [
            Self::Pass,
            Self::Fail,
            Self::Inconclusive,
            Self::Error,
            Self::Skipped,
        ];
        all.into_iter().find(|verdict| verdict.word() == word)
    }
}

/// What evidence has to be about.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The suite and model as they stand now.
    pub requirement: &'a Requirement,
    /// The content hash of the version to be promoted.
    pub candidate: Digest,
    /// The content hash of the present `stable`.
    pub baseline: Option<Digest>,
    /// What the log adds up to: it names the versions.
    pub state: &'a State,
    /// How many days evidence holds.
    pub max_age_days: Option<u32>,
    /// The time now.
    pub now: Timestamp,
}

/// Everything that keeps a result from being evidence.
#[must_use]
pub fn faults(evidence: &EvidenceSummary, wanted: &Wanted<'_>) -> Vec<EvidenceFault> {
    let mut found = Vec::new();
    let named = |hash| Content::known_to(wanted.state, hash);
    if evidence.candidate != wanted.candidate {
        found.push(EvidenceFault::OtherCandidate {
            found: evidence.candidate,
        });
    }
    if evidence.baseline != wanted.baseline {
        found.push(EvidenceFault::OtherBaseline {
            found: evidence.baseline.map(named),
            wanted: wanted.baseline.map(named),
        });
    }
    if evidence.unruled {
        found.push(EvidenceFault::Unruled);
    }
    // Without a rule a verdict is inconclusive, which needs no second sentence.
    let is_told = evidence.unruled && evidence.verdict == EvidenceVerdict::Inconclusive;
    if evidence.verdict != EvidenceVerdict::Pass && !is_told {
        found.push(EvidenceFault::Verdict {
            verdict: evidence.verdict,
        });
    }
    if evidence.answers == Answers::OfAnotherRun {
        found.push(EvidenceFault::Replayed);
    }
    if !evidence.complete {
        found.push(EvidenceFault::Incomplete);
    }
    if !evidence.unfiltered {
        found.push(EvidenceFault::Filtered);
    }
    definition_faults(evidence, wanted.requirement, &mut found);
    let age_days = wanted.now.since(evidence.finished_at).as_secs() / 86_400;
    if let Some(max_age_days) = wanted.max_age_days
        && age_days >= u64::from(max_age_days)
    {
        found.push(EvidenceFault::Stale {
            age_days,
            max_age_days,
        });
    }
    found
}

/// What changed in suite, data, judges and model. The suite's digest covers the judges and the
/// model, so it is named alone only where neither of them tells why.
fn definition_faults(
    evidence: &EvidenceSummary,
    now: &Requirement,
    found: &mut Vec<EvidenceFault>,
) {
    if evidence.dataset_digest != now.dataset_digest {
        found.push(EvidenceFault::DatasetChanged {
            found: evidence.dataset_digest,
            wanted: now.dataset_digest,
        });
    }
    let before = found.len();
    if evidence.model_id != now.model_id {
        found.push(EvidenceFault::ModelChanged {
            found: evidence.model_id.clone(),
            wanted: now.model_id.clone(),
        });
    }
    for (scorer, judge) in &evidence.judges {
        if now
            .judges
            .get(scorer)
            .is_some_and(|present| present != judge)
        {
            found.push(EvidenceFault::JudgeChanged {
                scorer: scorer.clone(),
            });
        }
    }
    if evidence.suite_digest != now.suite_digest && found.len() == before {
        found.push(EvidenceFault::SuiteChanged {
            found: evidence.suite_digest,
            wanted: now.suite_digest,
        });
    }
}

/// Where the copy of a result is kept, in the prompt's folder.
#[must_use]
pub fn evidence_path(version: u32, requirement: &Requirement) -> String {
    let (suite, model) = (&requirement.suite, &requirement.model);
    if requirement.has_other_models {
        format!("evidence/v{version}/{suite}@{model}.json")
    } else {
        format!("evidence/v{version}/{suite}.json")
    }
}
