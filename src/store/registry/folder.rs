//! The folder backend: `<slug>/v<N>.yaml`, `log.jsonl` and `prompt.yaml` under one folder of the
//! project, made for git.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::backend::Whole;
use super::{Backend, RegistryError, VersionFile, VersionText};
use crate::base::{Digest, Name, Slug, Source};
use crate::prompt::Form;
use crate::registry::change::NewVersion;
use crate::registry::reference::parse_number;
use crate::registry::repair::{self, Repaired};
use crate::registry::signature;
use crate::registry::{Change, Log, Stamp};
use crate::store::{Lock, ProjectRoot, fs};

/// The largest prompt or settings file that is read.
const MAX_PROMPT: u64 = 8 << 20;
/// The largest log that is read.
const MAX_LOG: u64 = 256 << 20;
/// The largest result that is read.
const MAX_EVIDENCE: u64 = 1 << 30;
/// How deep slugs are looked for.
const MAX_DEPTH: usize = 16;
/// How long a change waits for that of another process.
const PATIENCE: Duration = Duration::from_secs(10);
const FORMS: [(&str, Form); 3] = [
    ("yaml", Form::Yaml),
    ("md", Form::Text),
    ("txt", Form::Text),
];

/// A registry in a folder of the project.
#[derive(Debug, Clone)]
pub struct FolderRegistry {
    root: ProjectRoot,
    folder: String,
    patience: Duration,
}

impl FolderRegistry {
    /// Takes a folder, relative to the project's root. It need not exist yet.
    ///
    /// # Errors
    /// When the folder leaves the project, or is none.
    pub fn new(root: &ProjectRoot, folder: &str) -> Result<Self, RegistryError> {
        root.resolve_folder(folder)?;
        Ok(Self {
            root: root.clone(),
            folder: folder.trim_end_matches('/').to_owned(),
            patience: PATIENCE,
        })
    }

    /// The same registry, with another limit on the wait for other processes.
    #[must_use]
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The folder of a prompt, relative to the project's root.
    fn prompt_folder(&self, slug: &Slug) -> String {
        match slug.tenant() {
            None => format!("{}/{slug}", self.folder),
            Some((base, tenant)) => format!("{}/{base}/tenants/{tenant}", self.folder),
        }
    }

    fn slug_folder(&self, slug: &Slug) -> Result<Utf8PathBuf, RegistryError> {
        Ok(self.root.resolve_folder(&self.prompt_folder(slug))?)
    }

    /// Takes the lock of a prompt: readers need none, since every file is replaced as a whole.
    fn lock(&self, slug: &Slug) -> Result<Lock, RegistryError> {
        let locks = fs::state_folder(&self.root, "locks")?;
        let folder = self.slug_folder(slug)?;
        let id = Digest::of_bytes(folder.as_str().as_bytes()).short(16);
        let path = locks.join(format!("registry-{id}.lock"));
        Ok(Lock::acquire(&path, self.patience)?)
    }

    fn write_log(&self, slug: &Slug, log: &Log) -> Result<(), RegistryError> {
        let path = self.root.resolve(&self.name_of(slug, "log.jsonl"))?;
        Ok(fs::write_atomic(&path, log.encode().as_bytes())?)
    }

    /// Writes the file of a version, which may not be there yet.
    fn write_version(&self, slug: &Slug, version: &NewVersion) -> Result<(), RegistryError> {
        let file = format!("v{}.{}", version.number, extension(version.form));
        let path = self.root.resolve(&self.name_of(slug, &file))?;
        Ok(fs::write_new(&path, version.text.as_bytes())?)
    }

    /// Where a result is kept: nowhere but under the prompt's `evidence/`.
    fn evidence_path(&self, slug: &Slug, path: &str) -> Result<Utf8PathBuf, RegistryError> {
        if !path.starts_with("evidence/") {
            return Err(RegistryError::EvidencePath {
                path: path.to_owned(),
            });
        }
        Ok(self.root.resolve(&self.name_of(slug, path))?)
    }

    fn read_optional(
        &self,
        name: String,
        limit: u64,
    ) -> Result<Option<Arc<Source>>, RegistryError> {
        let path = self.root.resolve(&name)?;
        match fs::read_text(&path, limit) {
            Ok(text) => Ok(Some(Source::new(name, &text))),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn walk(&self, slug: &str, depth: usize, found: &mut Vec<Slug>) -> Result<(), RegistryError> {
        let name = if slug.is_empty() {
            self.folder.clone()
        } else {
            format!("{}/{slug}", self.folder)
        };
        let path = self.root.resolve_folder(&name)?;
        let mut is_prompt = false;
        let mut folders = Vec::new();
        for (entry, is_folder) in entries(&path)? {
            if is_folder {
                folders.push(entry);
            } else {
                is_prompt = is_prompt || entry == "log.jsonl" || version_name(&entry).is_some();
            }
        }
        if is_prompt {
            found.extend(Slug::new(slug).ok());
        }
        folders.sort();
        for folder in folders {
            let inner = if slug.is_empty() {
                folder
            } else {
                format!("{slug}/{folder}")
            };
            if depth < MAX_DEPTH && Slug::new(&inner).is_ok() {
                self.walk(&inner, depth + 1, found)?;
            }
        }
        Ok(())
    }
}

/// Names in a folder, each with whether it is a folder itself; none of a folder that is not there.
/// Links are left out: what a link names is found by its own name.
fn entries(path: &Utf8Path) -> Result<Vec<(String, bool)>, RegistryError> {
    let error = |source| RegistryError::List {
        path: path.to_string(),
        source,
    };
    let listing = match path.read_dir_utf8() {
        Ok(listing) => listing,
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(other) => return Err(error(other)),
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = match entry {
            Ok(entry) => entry,
            // A name that is no text is none of ours.
            Err(other) if other.kind() == io::ErrorKind::InvalidData => continue,
            Err(other) => return Err(error(other)),
        };
        let kind = entry.file_type().map_err(error)?;
        if kind.is_dir() || kind.is_file() {
            found.push((entry.file_name().to_owned(), kind.is_dir()));
        }
    }
    Ok(found)
}

fn extension(form: Form) -> &'static str {
    match form {
        Form::Yaml => "yaml",
        Form::Text => "md",
    }
}

/// Number and form of a version by the name of its file.
fn version_name(name: &str) -> Option<(u32, Form)> {
    let (stem, extension) = name.strip_prefix('v')?.split_once('.')?;
    let (_, form) = FORMS.iter().find(|(known, _)| *known == extension)?;
    Some((parse_number(stem)?, *form))
}

impl Backend for FolderRegistry {
    fn location(&self) -> &str {
        &self.folder
    }

    fn name_of(&self, slug: &Slug, file: &str) -> String {
        format!("{}/{file}", self.prompt_folder(slug))
    }

    fn is_in_project(&self) -> bool {
        true
    }

    fn slugs(&self) -> Result<Vec<Slug>, RegistryError> {
        let mut found = Vec::new();
        self.walk("", 0, &mut found)?;
        let mut layers = Vec::new();
        for slug in &found {
            let tenants = self.tenants(slug)?;
            layers.extend(tenants.iter().map(|tenant| slug.of_tenant(tenant)));
        }
        found.extend(layers);
        found.sort();
        Ok(found)
    }

    fn tenants(&self, slug: &Slug) -> Result<Vec<Name>, RegistryError> {
        if slug.tenant().is_some() {
            return Ok(Vec::new());
        }
        let folder = self.root.resolve_folder(&self.name_of(slug, "tenants"))?;
        let mut found: Vec<Name> = entries(&folder)?
            .into_iter()
            .filter(|(_, is_folder)| *is_folder)
            .filter_map(|(name, _)| Name::new(&name).ok())
            .collect();
        found.sort();
        Ok(found)
    }

    fn versions(&self, slug: &Slug) -> Result<Vec<VersionFile>, RegistryError> {
        let mut found: BTreeMap<u32, VersionFile> = BTreeMap::new();
        for (entry, is_folder) in entries(&self.slug_folder(slug)?)? {
            let Some((number, form)) = version_name(&entry).filter(|_| !is_folder) else {
                continue;
            };
            let name = self.name_of(slug, &entry);
            if let Some(other) = found.get(&number) {
                return Err(RegistryError::TwoFiles {
                    slug: slug.clone(),
                    number,
                    first: other.name.clone().min(name.clone()),
                    second: other.name.clone().max(name),
                });
            }
            found.insert(number, VersionFile { number, form, name });
        }
        Ok(found.into_values().collect())
    }

    fn read(&self, _slug: &Slug, file: &VersionFile) -> Result<VersionText, RegistryError> {
        let path = self.root.resolve(&file.name)?;
        Ok(VersionText {
            file: file.clone(),
            text: fs::read_text(&path, MAX_PROMPT)?,
        })
    }

    fn log_text(&self, slug: &Slug) -> Result<Arc<Source>, RegistryError> {
        let name = self.name_of(slug, "log.jsonl");
        match fs::read_bytes(&self.root.resolve(&name)?, MAX_LOG) {
            // A byte that is no text becomes a replacement character, so that its line is named.
            Ok(bytes) => Ok(Source::new(name, &String::from_utf8_lossy(&bytes))),
            Err(error) if error.is_missing() => Ok(Source::new(name, "")),
            Err(error) => Err(error.into()),
        }
    }

    fn commit(&self, slug: &Slug, change: &Change) -> Result<Log, RegistryError> {
        let _lock = self.lock(slug)?;
        let mut log = self.log(slug)?;
        if log.head() != change.expected {
            return Err(RegistryError::Overtaken {
                slug: slug.clone(),
                last: log.entries().last().cloned().map(Box::new),
            });
        }
        fs::remove_leftovers(&self.slug_folder(slug)?);
        // Files first: a command that is cut off leaves files that no entry names, never an entry
        // that names no file.
        if let Some(version) = &change.version {
            self.write_version(slug, version)?;
        }
        for copy in &change.evidence {
            let path = self.evidence_path(slug, &copy.path)?;
            fs::write_atomic(&path, copy.text.as_bytes())?;
        }
        for draft in &change.drafts {
            log.append(draft.clone());
        }
        self.write_log(slug, &log)?;
        Ok(log)
    }

    fn evidence(&self, slug: &Slug) -> Result<BTreeMap<String, Digest>, RegistryError> {
        let mut found = BTreeMap::new();
        let folder = self.prompt_folder(slug);
        for (version, is_folder) in
            entries(&self.root.resolve_folder(&format!("{folder}/evidence"))?)?
        {
            if !is_folder {
                continue;
            }
            let inner = format!("evidence/{version}");
            let listed = entries(&self.root.resolve_folder(&format!("{folder}/{inner}"))?)?;
            for (file, _) in listed.into_iter().filter(|(_, is_folder)| !is_folder) {
                let name = format!("{inner}/{file}");
                let bytes = fs::read_bytes(&self.evidence_path(slug, &name)?, MAX_EVIDENCE)?;
                found.insert(name, Digest::of_bytes(&bytes));
            }
        }
        Ok(found)
    }

    fn evidence_text(&self, slug: &Slug, path: &str) -> Result<String, RegistryError> {
        Ok(fs::read_text(
            &self.evidence_path(slug, path)?,
            MAX_EVIDENCE,
        )?)
    }

    fn settings_text(&self, slug: &Slug) -> Result<Option<Arc<Source>>, RegistryError> {
        self.read_optional(self.name_of(slug, "prompt.yaml"), MAX_PROMPT)
    }

    fn signatures(&self, slug: &Slug) -> Result<Arc<Source>, RegistryError> {
        let name = self.name_of(slug, signature::FILE);
        let found = self.read_optional(name.clone(), MAX_LOG)?;
        Ok(found.unwrap_or_else(|| Source::new(name, "")))
    }

    fn add_signatures(&self, slug: &Slug, lines: &str) -> Result<(), RegistryError> {
        let _lock = self.lock(slug)?;
        let path = self.root.resolve(&self.name_of(slug, signature::FILE))?;
        Ok(fs::append(&path, lines.as_bytes())?)
    }

    fn repair_merge(&self, slug: &Slug, stamp: Stamp) -> Result<Repaired, RegistryError> {
        let _lock = self.lock(slug)?;
        let repaired = repair::repair_merge(&self.log_text(slug)?, stamp)?;
        self.write_log(slug, &repaired.log)?;
        Ok(repaired)
    }

    fn import(&self, slug: &Slug, whole: &Whole) -> Result<(), RegistryError> {
        let _lock = self.lock(slug)?;
        if whole.lines_after(&self.log(slug)?).is_none() {
            return Err(RegistryError::OtherHistory {
                slug: slug.clone(),
                location: self.folder.clone(),
            });
        }
        let there = self.versions(slug)?;
        for version in &whole.versions {
            match there.iter().find(|file| file.number == version.number) {
                // An intact log has the file's digest, which `verify` holds against it.
                Some(file) if self.read(slug, file)?.text == version.text => {}
                Some(_) | None => self.write_version(slug, version)?,
            }
        }
        for copy in &whole.evidence {
            let path = self.evidence_path(slug, &copy.path)?;
            fs::write_atomic(&path, copy.text.as_bytes())?;
        }
        for (file, text) in [
            (signature::FILE, Some(&whole.signatures)),
            ("prompt.yaml", whole.settings.as_ref()),
        ] {
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                let path = self.root.resolve(&self.name_of(slug, file))?;
                fs::write_atomic(&path, text.as_bytes())?;
            }
        }
        self.write_log(slug, &whole.log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Diagnostics;
    use crate::registry::Channel;
    use crate::store::registry::find;

    fn demo() -> FolderRegistry {
        let root = ProjectRoot::new(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        FolderRegistry::new(&root, "evals/prompts").unwrap()
    }

    #[test]
    fn lists_prompts_and_versions_of_the_demo() {
        let demo = demo();
        let slugs: Vec<String> = demo.slugs().unwrap().iter().map(Slug::to_string).collect();
        assert_eq!(slugs, ["judges/routing", "support-triage"]);
        let versions = demo
            .versions(&Slug::new("support-triage").unwrap())
            .unwrap();
        let numbers: Vec<u32> = versions.iter().map(|file| file.number).collect();
        assert_eq!(numbers, [7, 8, 9]);
    }

    #[test]
    fn finds_versions_of_the_demo_by_every_form() {
        let (demo, slug) = (demo(), Slug::new("support-triage").unwrap());
        for (reference, number) in [
            ("stable", 7),
            ("latest", 9),
            ("8", 8),
            ("sha256:e329ffae", 8),
        ] {
            let found = find(&demo, &slug, &reference.parse().unwrap()).unwrap();
            assert_eq!(found.version.file.number, number, "{reference}");
            let mut none = Diagnostics::new();
            let prompt = crate::store::registry::decode(&demo, &slug, &found.version, &mut none);
            let prompt = prompt.unwrap();
            assert_eq!(
                Some(prompt.hash),
                found.recorded.map(|recorded| recorded.hash)
            );
        }
        for reference in ["v1", "canary", "sha256:00000000"] {
            assert!(
                find(&demo, &slug, &reference.parse().unwrap()).is_err(),
                "{reference}"
            );
        }
        let state = crate::registry::State::of(&demo.log(&slug).unwrap());
        assert_eq!(state.channel(&Channel::stable()), Some(7));
    }
}
