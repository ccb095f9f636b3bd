//! The decision whether a channel may move to a version: by evidence, approvals and the version's
//! own state, or by force, which is marked for ever.

use super::change::{Change, EvidenceCopy, Stamp};
use super::channel::Channel;
use super::entry::{Action, EvidenceRef};
use super::evidence::{
    EvidenceFault, EvidenceSummary, EvidenceVerdict, Requirement, Wanted, evidence_path, faults,
};
use super::lifecycle::State;
use super::movement::is_same_person;
use super::settings::PromptSettings;
use super::status::Status;
use super::version::{Present, record};
use crate::base::{Digest, Name, Slug, Timestamp, text};

/// What is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The prompt.
    pub slug: &'a Slug,
    /// What the log adds up to.
    pub state: &'a State,
    /// What `prompt.yaml` says.
    pub settings: &'a PromptSettings,
    /// The version to be promoted; it need not be in the log yet.
    pub candidate: Present,
    /// The channel to be moved.
    pub channel: &'a Channel,
    /// Every suite of the prompt with each of its models, as they stand now.
    pub suites: &'a [Requirement],
    /// Whether missing evidence is passed over.
    pub force: Force,
    /// The time now.
    pub now: Timestamp,
}

/// Whether missing evidence is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// It is not.
    No,
    /// It is, and the log says so for ever.
    Yes,
}

/// One thing that a promotion lacks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    /// Evidence of one suite with one model.
    #[error("suite `{suite}`, model `{model}`: {fault}")]
    Evidence {
        /// The suite.
        suite: Name,
        /// The model.
        model: Name,
        /// The result that comes nearest.
        run: Option<String>,
        /// What is wrong with it.
        fault: EvidenceFault,
        /// The command that would produce evidence.
        command: String,
    },
    /// `prompt.yaml` names a suite that there is not.
    #[error(
        "`gates` of prompt.yaml names suite `{suite}`, and there is no such suite of the prompt"
    )]
    NoSuchSuite {
        /// The suite.
        suite: Name,
    },
    /// No suite tests the prompt.
    #[error("no suite tests prompt `{slug}`, so nothing can carry a promotion")]
    NoSuite {
        /// The prompt.
        slug: Slug,
    },
    /// Approvals of a protected channel.
    #[error(
        "`{channel}` needs {needed} approvals by others than the author, v{version} has {}",
        approved_by(found)
    )]
    Approvals {
        /// The channel.
        channel: Channel,
        /// The version.
        version: u32,
        /// How many are needed.
        needed: u32,
        /// Who has approved.
        found: Vec<String>,
        /// The command that approves.
        command: String,
    },
    /// The version was withdrawn or replaced.
    #[error("v{version} is deprecated since {since}{}", because(why.as_deref()))]
    Deprecated {
        /// The version.
        version: u32,
        /// Since when.
        since: Timestamp,
        /// Why.
        why: Option<String>,
        /// The command that brings it back.
        command: String,
    },
    /// The channel points there already.
    #[error("`{channel}` points to v{version} already")]
    AlreadyThere {
        /// The channel.
        channel: Channel,
        /// The version.
        version: u32,
    },
    /// The channel moves by itself.
    #[error("`latest` moves by itself: it always points to the highest version")]
    Latest,
    /// The log knows the version with another content.
    #[error("v{version} is in the log with another content: its file was edited")]
    Edited {
        /// The version.
        version: u32,
    },
}

/// A forced promotion has no reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a promotion without evidence needs a reason: say why")]
pub struct NoReason;

fn approved_by(found: &[String]) -> String {
    if found.is_empty() {
        return "none".to_owned();
    }
    format!("those of {}", found.join(", "))
}

fn because(why: Option<&str>) -> String {
    why.map_or_else(String::new, |why| format!(": {why}"))
}

impl Missing {
    /// Whether `--force --why` passes over it. Approvals are other people's to give.
    #[must_use]
    pub fn can_be_forced(&self) -> bool {
        match self {
            Self::Evidence { .. }
            | Self::NoSuchSuite { .. }
            | Self::NoSuite { .. }
            | Self::Deprecated { .. } => true,
            Self::Approvals { .. }
            | Self::AlreadyThere { .. }
            | Self::Latest
            | Self::Edited { .. } => false,
        }
    }

    /// Whether nothing that could be supplied would change it.
    fn is_final(&self) -> bool {
        matches!(self, Self::AlreadyThere { .. } | Self::Latest)
    }

    /// The command that would supply what is missing.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        match self {
            Self::Evidence { command, .. }
            | Self::Approvals { command, .. }
            | Self::Deprecated { command, .. } => Some(command),
            Self::NoSuchSuite { .. }
            | Self::NoSuite { .. }
            | Self::AlreadyThere { .. }
            | Self::Latest
            | Self::Edited { .. } => None,
        }
    }
}

/// A promotion that may be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The channel.
    pub channel: Channel,
    /// Where it points now.
    pub from: Option<u32>,
    /// Where it will point.
    pub to: u32,
    /// What a forced promotion passes over; empty where nothing was missing.
    pub passed_over: Vec<Missing>,
    evidence: Option<Vec<(EvidenceRef, EvidenceCopy)>>,
    candidate: Present,
    is_recorded: bool,
    expected: Option<Digest>,
}

/// Decides whether a channel may move to a version.
///
/// # Errors
/// Everything that is missing, each with the command that would supply it.
pub fn check_promotion(
    question: &Question<'_>,
    evidence: &[EvidenceSummary],
) -> Result<Promotion, Vec<Missing>> {
    let mut missing = own_state(question);
    if missing.iter().any(Missing::is_final) {
        return Err(missing);
    }
    missing.extend(approvals(question));
    let carried = if question.channel.is_stable() {
        collect_evidence(question, evidence, &mut missing)
    } else {
        None
    };
    let passed_over = match question.force {
        Force::Yes if missing.iter().all(Missing::can_be_forced) => missing,
        Force::No if missing.is_empty() => missing,
        Force::Yes => {
            missing.retain(|item| !item.can_be_forced());
            return Err(missing);
        }
        Force::No => return Err(missing),
    };
    let number = question.candidate.number;
    Ok(Promotion {
        channel: question.channel.clone(),
        from: question.state.channel(question.channel),
        to: number,
        // With anything missing the promotion stands on force, whatever else there is.
        evidence: carried.filter(|_| passed_over.is_empty()),
        passed_over,
        candidate: question.candidate,
        is_recorded: question.state.version(number).is_some(),
        expected: question.state.head(),
    })
}

/// What the version's and the channel's own state forbid.
fn own_state(question: &Question<'_>) -> Vec<Missing> {
    let version = question.candidate.number;
    let channel = question.channel;
    let mut missing = Vec::new();
    if channel.is_latest() {
        missing.push(Missing::Latest);
        return missing;
    }
    if question.state.channel(channel) == Some(version) {
        missing.push(Missing::AlreadyThere {
            channel: channel.clone(),
            version,
        });
    }
    let Some(known) = question.state.version(version) else {
        return missing;
    };
    if known.hash != question.candidate.hash || known.file != question.candidate.file {
        missing.push(Missing::Edited { version });
    }
    let is_there = question.state.channel(channel) == Some(version);
    if known.status == Status::Deprecated && !is_there {
        missing.push(Missing::Deprecated {
            version,
            since: known.since,
            why: known.why.clone(),
            command: way_back(question),
        });
    }
    missing
}

/// A version that was live comes back without evidence, any other only by force.
fn way_back(question: &Question<'_>) -> String {
    let (slug, channel, version) = (question.slug, question.channel, question.candidate.number);
    let on = if channel.is_stable() {
        String::new()
    } else {
        format!(" --channel {channel}")
    };
    let mut moves = question.state.moves(channel).iter();
    if moves.any(|moved| moved.to == version) {
        format!("gate prompt rollback {slug} --to v{version}{on}")
    } else {
        format!("gate prompt promote {slug}@v{version}{on} --force --why TEXT")
    }
}

fn approvals(question: &Question<'_>) -> Option<Missing> {
    let (channel, version) = (question.channel, question.candidate.number);
    let needed = question.settings.approvals(channel);
    let author = question
        .state
        .version(version)
        .map(|known| known.author.as_str());
    let mut found: Vec<String> = Vec::new();
    for approval in question.state.approvals(version, channel) {
        let by = approval.by.as_str();
        let is_author = author.is_some_and(|author| is_same_person(author, by));
        if !is_author && !found.iter().any(|other| is_same_person(other, by)) {
            found.push(by.to_owned());
        }
    }
    let enough = u32::try_from(found.len()).is_ok_and(|count| count >= needed);
    (!enough).then(|| Missing::Approvals {
        channel: channel.clone(),
        version,
        needed,
        found,
        command: format!(
            "gate prompt approve {}@v{version} --channel {channel}",
            question.slug
        ),
    })
}

/// The evidence of each suite that gates, or what is missing of it.
fn collect_evidence(
    question: &Question<'_>,
    evidence: &[EvidenceSummary],
    missing: &mut Vec<Missing>,
) -> Option<Vec<(EvidenceRef, EvidenceCopy)>> {
    let before = missing.len();
    let settings = question.settings;
    for suite in settings.gates.iter().flatten() {
        if !question.suites.iter().any(|known| known.suite == *suite) {
            missing.push(Missing::NoSuchSuite {
                suite: suite.clone(),
            });
        }
    }
    let required = question.suites.iter();
    let required: Vec<_> = required
        .filter(|known| settings.requires(&known.suite))
        .collect();
    if required.is_empty() && missing.len() == before {
        missing.push(Missing::NoSuite {
            slug: question.slug.clone(),
        });
    }
    let mut carried = Vec::new();
    for requirement in required {
        match best(question, requirement, evidence) {
            Ok(found) => carried.push(carry(question.candidate.number, requirement, found)),
            Err(faults) => missing.extend(faults),
        }
    }
    (missing.len() == before).then_some(carried)
}

/// The newest evidence without a fault; else the faults of the result that comes nearest.
fn best<'e>(
    question: &Question<'_>,
    requirement: &Requirement,
    evidence: &'e [EvidenceSummary],
) -> Result<&'e EvidenceSummary, Vec<Missing>> {
    let state = question.state;
    let stable = state.stable().and_then(|number| state.version(number));
    let wanted = Wanted {
        requirement,
        candidate: question.candidate.hash,
        baseline: stable.map(|version| version.hash),
        state,
        max_age_days: question.settings.max_age_days,
        now: question.now,
    };
    let nearest = evidence
        .iter()
        .filter(|found| found.suite == requirement.suite && found.model == requirement.model)
        .map(|found| (faults(found, &wanted), found))
        .min_by_key(|(faults, found)| {
            // What is about this version explains more than a good result of another.
            let is_other = found.candidate != wanted.candidate;
            (is_other, faults.len(), std::cmp::Reverse(found.finished_at))
        });
    let again = || command(question, requirement, wanted.baseline);
    let lack = |run: Option<&str>, fault, command| Missing::Evidence {
        suite: requirement.suite.clone(),
        model: requirement.model.clone(),
        run: run.map(str::to_owned),
        fault,
        command,
    };
    match nearest {
        None => Err(vec![lack(None, EvidenceFault::Absent, again())]),
        Some((faults, found)) if faults.is_empty() => Ok(found),
        Some((mut faults, found)) => {
            let run = Some(found.run.as_str());
            // What else is wrong with a result about something else is of no use to anybody.
            if let Some(other) = faults.iter().position(is_other_content) {
                faults = vec![faults.swap_remove(other)];
            }
            let help = if has_failed(&faults) {
                after_failure(question, &found.run)
            } else {
                again()
            };
            let lacks = faults.into_iter();
            Err(lacks.map(|fault| lack(run, fault, help.clone())).collect())
        }
    }
}

/// Whether a result about things as they are now says no: to ask until it says yes proves nothing.
fn has_failed(faults: &[EvidenceFault]) -> bool {
    let failed = EvidenceFault::Verdict {
        verdict: EvidenceVerdict::Fail,
    };
    matches!(faults, [only] if *only == failed)
}

fn after_failure(question: &Question<'_>, run: &str) -> String {
    let (slug, version) = (question.slug, question.candidate.number);
    format!(
        "v{version} failed (gate report {run}): a new version is needed, gate prompt add FILE --prompt {slug}"
    )
}

fn is_other_content(fault: &EvidenceFault) -> bool {
    matches!(fault, EvidenceFault::OtherCandidate { .. })
}

fn command(question: &Question<'_>, requirement: &Requirement, stable: Option<Digest>) -> String {
    let (version, suite) = (question.candidate.number, &requirement.suite);
    let slug = question.slug;
    // A suite names the base, so a tenant's layers are chosen by name.
    let prompt = slug
        .tenant()
        .map_or_else(String::new, |_| format!(" --prompt {slug}"));
    match stable {
        Some(_) => format!("gate compare stable v{version} --suite {suite}{prompt}"),
        None => {
            let run = format!("gate run v{version} --suite {suite}{prompt}");
            match &requirement.lacks_rule {
                None => run,
                Some(file) => with_rule_first(file, &run),
            }
        }
    }
}

/// `gate run` needs an absolute rule, without which it would only say that there is none.
#[must_use]
pub fn with_rule_first(file: &str, run: &str) -> String {
    let file = text::visible_line(file);
    format!("add `min_pass_rate` to the policy of {file}, then {run}")
}

fn carry(
    version: u32,
    requirement: &Requirement,
    found: &EvidenceSummary,
) -> (EvidenceRef, EvidenceCopy) {
    let reference = EvidenceRef {
        suite: found.suite.clone(),
        model: found.model.clone(),
        run: found.run.clone(),
        digest: found.digest,
    };
    let copy = EvidenceCopy {
        path: evidence_path(version, requirement),
        text: found.text.clone(),
    };
    (reference, copy)
}

impl Promotion {
    /// Whether the promotion stands on force and not on evidence.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        !self.passed_over.is_empty()
    }

    /// The change that carries the promotion out. A version that the log does not know yet is put
    /// into it first.
    ///
    /// # Errors
    /// When a forced promotion has no reason.
    pub fn change(self, stamp: Stamp) -> Result<Change, NoReason> {
        let reason = stamp.why.as_deref().unwrap_or_default().trim();
        if self.is_forced() && reason.is_empty() {
            return Err(NoReason);
        }
        let mut drafts = Vec::new();
        if !self.is_recorded {
            let plain = Stamp {
                why: None,
                ..stamp.clone()
            };
            drafts.push(record(&self.candidate, plain));
        }
        let (references, copies) = match self.evidence {
            Some(carried) => {
                let (references, copies) = carried.into_iter().unzip();
                (Some(references), copies)
            }
            None => (None, Vec::new()),
        };
        drafts.push(stamp.draft(Action::Promote {
            version: self.to,
            channel: self.channel,
            from: self.from,
            hash: self.candidate.hash,
            evidence: references,
        }));
        let mut change = Change::of(self.expected, drafts);
        change.evidence = copies;
        Ok(change)
    }
}

#[cfg(test)]
mod tests;
