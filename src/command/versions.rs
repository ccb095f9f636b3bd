//! From a version reference to the version it means now, wherever it is: registry, work tree, git,
//! a file, or a stored run.

use std::sync::Arc;

use camino::Utf8Path;

use super::error::CommandError;
use super::project::Project;
use crate::base::{CaseId, Diagnostics, Digest, RunId, Slug, Source};
use crate::prompt::{self, Expected, Form, PromptVersion};
use crate::record::{Arm, AttemptFinished, TrialId};
use crate::registry::lifecycle::State;
use crate::registry::log::Log;
use crate::registry::reference::{GitTarget, RunArm, RunPick, VersionRef};
use crate::registry::status::Status;
use crate::runner::StoredAnswers;
use crate::store::git::Git;
use crate::store::registry::{self, Backend, RegistryError};
use crate::store::runs::{self, LogTexts};
use crate::store::{ProjectRoot, fs};
use crate::suite::{PromptLocation, Suite};

const MAX_PROMPT: u64 = 8 << 20;

/// A version that a reference means.
#[derive(Clone)]
pub struct Resolved {
    /// The reference as written or chosen.
    pub reference: String,
    /// How reports name it.
    pub label: String,
    /// The version.
    pub prompt: Arc<PromptVersion>,
    /// The stored answers in place of calls.
    pub stored: Option<Stored>,
    /// The status that the registry's log gives it.
    pub status: Option<Status>,
    /// The digest of the registry log's last line.
    pub head: Option<Digest>,
}

/// The answers of one arm of a stored run.
#[derive(Clone)]
pub struct Stored {
    /// The run.
    pub run: RunId,
    /// Its answers.
    pub answers: Arc<dyn StoredAnswers>,
}

/// Finds the versions of one suite's prompt.
pub struct Versions<'p> {
    project: &'p Project,
    /// Where the files are: on disk for a prompt under test, with the suites for a judge.
    root: &'p ProjectRoot,
    location: PromptLocation,
    registry: String,
}

impl<'p> Versions<'p> {
    /// The versions of a suite's prompt.
    #[must_use]
    pub fn of(project: &'p Project, suite: &Suite) -> Self {
        let registry = suite
            .registry
            .clone()
            .or_else(|| project.settings.registry.clone());
        let registry = registry.unwrap_or_else(|| "prompts".to_owned());
        Self {
            project,
            root: &project.home,
            location: suite.prompt.clone(),
            registry,
        }
    }

    /// The versions of a prompt of a registry folder.
    #[must_use]
    pub fn of_slug(project: &'p Project, registry: &str, slug: &Slug) -> Self {
        Self {
            project,
            root: &project.root,
            location: PromptLocation::Registry(slug.clone()),
            registry: registry.to_owned(),
        }
    }

    /// The prompt's name.
    #[must_use]
    pub fn slug(&self) -> &Slug {
        self.location.slug()
    }

    /// Where the prompt is.
    #[must_use]
    pub fn location(&self) -> &PromptLocation {
        &self.location
    }

    /// The registry.
    ///
    /// # Errors
    /// When it leaves the project, or can not be reached.
    pub fn backend(&self) -> Result<Arc<dyn Backend>, CommandError> {
        self.project.registry_in(self.root, &self.registry)
    }

    /// The state of the prompt by its registry's log.
    ///
    /// # Errors
    /// When the log can not be read.
    pub fn state(&self) -> Result<State, CommandError> {
        match &self.location {
            PromptLocation::Registry(slug) => Ok(State::of(&self.backend()?.log(slug)?)),
            PromptLocation::File { .. } => Ok(State::of(&Log::default())),
        }
    }

    /// The version that a reference means.
    ///
    /// # Errors
    /// When it means none, or the version can not be read.
    pub fn resolve(&self, reference: &VersionRef) -> Result<Resolved, CommandError> {
        match reference {
            VersionRef::Number(_) | VersionRef::Channel(_) | VersionRef::Hash(_) => {
                self.registered(reference)
            }
            VersionRef::Worktree => self.worktree(),
            VersionRef::File(path) => self.file(path),
            VersionRef::Git { rev, target } => self.git(rev, target.as_ref()),
            VersionRef::Run { run, arm } => self.stored(reference, run, *arm),
            VersionRef::Langfuse { name, pick } => {
                super::langfuse::resolve(self.project, self.slug(), name, pick)
            }
        }
    }

    fn registered(&self, reference: &VersionRef) -> Result<Resolved, CommandError> {
        let PromptLocation::Registry(slug) = &self.location else {
            return Err(CommandError::usage(
                format!(
                    "`{reference}` is a version of a registry, but the suite tests an unversioned file"
                ),
                "compare `git:REV` with `worktree`, or move the prompt into the registry",
            ));
        };
        let backend = self.backend()?;
        let found = match registry::find(&*backend, slug, reference) {
            Err(RegistryError::Resolve(_)) if backend.versions(slug)?.is_empty() => {
                return Err(self.no_prompt(&*backend, slug));
            }
            found => found?,
        };
        let mut diagnostics = Diagnostics::new();
        let version = registry::decode(&*backend, slug, &found.version, &mut diagnostics);
        let (version, _) = diagnostics.finish(version)?;
        let label = version.label();
        let reference = match slug.tenant() {
            Some(_) => format!("{slug}@{label}"),
            None => reference.to_string(),
        };
        Ok(Resolved {
            reference,
            label,
            prompt: Arc::new(version),
            stored: None,
            status: found.recorded.map(|recorded| recorded.status),
            head: found.head,
        })
    }

    fn no_prompt(&self, backend: &dyn Backend, slug: &Slug) -> CommandError {
        if backend.is_in_project() {
            return CommandError::usage(
                format!("there is no prompt `{slug}` in {}/", self.registry),
                format!(
                    "its versions are {}, v2.yaml and so on; `registry` of the suite names another folder",
                    backend.name_of(slug, "v1.yaml")
                ),
            );
        }
        CommandError::usage(
            format!("there is no prompt `{slug}` in {}", self.registry),
            "add one with gate prompt add, or take it over with gate prompt copy",
        )
    }

    /// Refuses a reference to a file of a registry that has none.
    fn needs_folder(&self, reference: &str) -> Result<(), CommandError> {
        if matches!(self.location, PromptLocation::File { .. }) || self.backend()?.is_in_project() {
            return Ok(());
        }
        Err(CommandError::usage(
            format!(
                "`{reference}` looks into the project, and the registry is {}",
                self.registry
            ),
            "name a version or a channel, such as v7 or stable",
        ))
    }

    fn worktree(&self) -> Result<Resolved, CommandError> {
        let slug = match &self.location {
            PromptLocation::File { path, slug } => {
                return self.plain_file(path, slug, "worktree", "worktree");
            }
            PromptLocation::Registry(slug) => slug,
        };
        let is_in_project = self.backend()?.is_in_project();
        for extension in ["yaml", "md", "txt"].iter().filter(|_| is_in_project) {
            let path = format!("{}/{slug}.{extension}", self.registry);
            let full = self.root.resolve(&path);
            if full.is_ok_and(|full| fs::is_file(&full)) {
                return self.plain_file(&path, slug, "worktree", "worktree");
            }
        }
        let latest = VersionRef::Channel(crate::registry::channel::Channel::latest());
        let mut resolved = self.registered(&latest)?;
        "worktree".clone_into(&mut resolved.reference);
        Ok(resolved)
    }

    fn file(&self, path: &str) -> Result<Resolved, CommandError> {
        let reference = format!("file:{path}");
        self.plain_file(path, self.slug(), &reference, &reference)
    }

    fn plain_file(
        &self,
        path: &str,
        slug: &Slug,
        reference: &str,
        label: &str,
    ) -> Result<Resolved, CommandError> {
        let full = self.root.resolve(path)?;
        let source = Source::new(path, &fs::read_text(&full, MAX_PROMPT)?);
        decode_plain(&source, path, slug, reference, label)
    }

    fn git(&self, rev: &str, target: Option<&GitTarget>) -> Result<Resolved, CommandError> {
        self.needs_folder("git:")?;
        let git = Git::open(self.project.home.path())?;
        let reference = match target {
            None => format!("git:{rev}"),
            Some(GitTarget::Number(number)) => format!("git:{rev}:v{number}"),
            Some(GitTarget::Channel(channel)) => format!("git:{rev}:{channel}"),
        };
        if let PromptLocation::File { path, slug } = &self.location {
            let text = git.file(rev, path)?.ok_or_else(|| not_at(path, rev))?;
            let source = Source::new(format!("{rev}:{path}"), &text);
            return decode_plain(&source, path, slug, &reference, &reference);
        }
        let slug = self.slug();
        let folder = format!("{}/{slug}", self.registry);
        let files: Vec<(u32, String)> = git
            .list(rev, &folder)?
            .into_iter()
            .filter_map(|name| Some((version_number(&name)?, name)))
            .collect();
        if files.is_empty() {
            return self.unversioned_at(&git, rev, slug, &reference);
        }
        let number = match target {
            Some(GitTarget::Number(number)) => *number,
            None => files.iter().map(|(number, _)| *number).max().unwrap_or(0),
            Some(GitTarget::Channel(channel)) => {
                let log = git
                    .file(rev, &format!("{folder}/log.jsonl"))?
                    .unwrap_or_default();
                let log = Log::decode(&Source::new(format!("{rev}:{folder}/log.jsonl"), &log));
                let state = State::of(&log.map_err(|error| CommandError::Usage {
                    message: super::error::chain(&error),
                    help: None,
                })?);
                let latest = channel
                    .is_latest()
                    .then(|| files.iter().map(|(number, _)| *number).max())
                    .flatten();
                latest.or_else(|| state.channel(channel)).ok_or_else(|| {
                    CommandError::usage(
                        format!("at {rev} the prompt `{slug}` has no channel `{channel}`"),
                        "name a version, such as `git:REV:v7`",
                    )
                })?
            }
        };
        let name = files
            .iter()
            .find(|(n, _)| *n == number)
            .map(|(_, name)| name.clone());
        let path = format!(
            "{folder}/{}",
            name.ok_or_else(|| not_at(&format!("{folder}/v{number}"), rev))?
        );
        let text = git.file(rev, &path)?.ok_or_else(|| not_at(&path, rev))?;
        let source = Source::new(format!("{rev}:{path}"), &text);
        let mut resolved = decode_numbered(&source, &path, slug, number)?;
        resolved.label = format!("v{number} at {rev}");
        resolved.reference = reference;
        Ok(resolved)
    }

    fn unversioned_at(
        &self,
        git: &Git,
        rev: &str,
        slug: &Slug,
        reference: &str,
    ) -> Result<Resolved, CommandError> {
        for extension in ["yaml", "md", "txt"] {
            let path = format!("{}/{slug}.{extension}", self.registry);
            if let Some(text) = git.file(rev, &path)? {
                let source = Source::new(format!("{rev}:{path}"), &text);
                return decode_plain(&source, &path, slug, reference, reference);
            }
        }
        Err(not_at(&format!("{}/{slug}", self.registry), rev))
    }

    fn stored(
        &self,
        reference: &VersionRef,
        pick: &RunPick,
        arm: RunArm,
    ) -> Result<Resolved, CommandError> {
        let wanted = match pick {
            RunPick::Last => "last",
            RunPick::Prefix(prefix) => prefix,
        };
        let run_id = runs::find(&self.project.state, wanted)?;
        let loaded = runs::load(&self.project.state, &run_id)?;
        let arm = match arm {
            RunArm::Candidate => Arm::Candidate,
            RunArm::Baseline => Arm::Baseline,
        };
        let header = loaded.run.header.arm(arm).ok_or_else(|| {
            CommandError::usage(
                format!("run {run_id} has no {}", arm.as_str()),
                "leave out `#baseline`",
            )
        })?;
        let prompt = decode_stored(header, self.slug())?;
        let texts = LogTexts::open(&loaded.path)?;
        let label = format!(
            "{} in run {}",
            header.label,
            crate::base::text::byte_prefix(run_id.as_str(), 8)
        );
        let index = crate::record::codec::index_cases(&loaded.run.cases);
        let answers = Arc::new(RunAnswers {
            run: loaded.run,
            arm,
            texts,
            index,
        });
        Ok(Resolved {
            reference: reference.to_string(),
            label,
            prompt: Arc::new(prompt),
            stored: Some(Stored {
                run: run_id,
                answers,
            }),
            status: None,
            head: None,
        })
    }
}

fn not_at(path: &str, rev: &str) -> CommandError {
    CommandError::usage(
        format!("{path} is not there at {rev}"),
        "name a revision at which the prompt exists",
    )
}

/// The number of a version's file, `v7.yaml`.
fn version_number(name: &str) -> Option<u32> {
    let stem = name
        .strip_suffix(".yaml")
        .or_else(|| name.strip_suffix(".md"))
        .or_else(|| name.strip_suffix(".txt"))?;
    stem.strip_prefix('v')?.parse().ok()
}

fn form_of(path: &str) -> Form {
    match Utf8Path::new(path).extension() {
        Some("yaml" | "yml") => Form::Yaml,
        _ => Form::Text,
    }
}

fn decode_plain(
    source: &Arc<Source>,
    path: &str,
    slug: &Slug,
    reference: &str,
    label: &str,
) -> Result<Resolved, CommandError> {
    let expected = Expected {
        slug: slug.clone(),
        number: None,
        form: form_of(path),
    };
    decode_expected(source, &expected, reference, label)
}

fn decode_numbered(
    source: &Arc<Source>,
    path: &str,
    slug: &Slug,
    number: u32,
) -> Result<Resolved, CommandError> {
    let expected = Expected {
        slug: slug.clone(),
        number: Some(number),
        form: form_of(path),
    };
    let label = format!("v{number}");
    decode_expected(source, &expected, &label, &label)
}

fn decode_expected(
    source: &Arc<Source>,
    expected: &Expected,
    reference: &str,
    label: &str,
) -> Result<Resolved, CommandError> {
    let mut diagnostics = Diagnostics::new();
    let version = prompt::decode(source, expected, &mut diagnostics);
    let (version, _) = diagnostics.finish(version)?;
    Ok(Resolved {
        reference: reference.to_owned(),
        label: label.to_owned(),
        prompt: Arc::new(version),
        stored: None,
        status: None,
        head: None,
    })
}

/// The version of a stored run, from the text that its log holds.
fn decode_stored(
    header: &crate::record::ArmHeader,
    slug: &Slug,
) -> Result<PromptVersion, CommandError> {
    let source = Source::new(header.file.clone(), &header.text);
    let expected = Expected {
        slug: slug.clone(),
        number: header.version,
        form: form_of(&header.file),
    };
    let mut diagnostics = Diagnostics::new();
    let version = prompt::decode(&source, &expected, &mut diagnostics);
    let (version, _) = diagnostics.finish(version)?;
    Ok(version)
}

/// The answers of one arm of a run, read from its log on demand.
struct RunAnswers {
    run: crate::record::Run,
    arm: Arm,
    texts: LogTexts,
    index: crate::record::codec::CaseIndex,
}

impl StoredAnswers for RunAnswers {
    fn answer(&self, case: &CaseId, repeat: u32) -> Option<AttemptFinished> {
        let trial = TrialId {
            case: *self.index.get(case.as_str())?,
            arm: self.arm,
            repeat,
        };
        let span = self.run.trial(trial)?.answer.reply_at?;
        self.texts.attempt(trial, span)
    }
}
