//! The folder backend: `<slug>/v<N>.yaml`, `log.jsonl` and `prompt.yaml` under one folder of the
//! project, made for git.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Backend, RegistryError, VersionFile, VersionText};
use crate::base::{Slug, Source};
use crate::prompt::Form;
use crate::registry::reference::parse_number;
use crate::store::{ProjectRoot, fs};

/// The largest prompt or settings file that is read.
const MAX_PROMPT: u64 = 8 << 20;
/// The largest log that is read.
const MAX_LOG: u64 = 256 << 20;
/// How deep slugs are looked for.
const MAX_DEPTH: usize = 16;
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
        })
    }

    /// The folder, relative to the project's root.
    #[must_use]
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// The path of a prompt's file, relative to the project's root.
    #[must_use]
    pub fn name_of(&self, slug: &Slug, file: &str) -> String {
        format!("{}/{slug}/{file}", self.folder)
    }

    fn slug_folder(&self, slug: &Slug) -> Result<Utf8PathBuf, RegistryError> {
        let name = format!("{}/{slug}", self.folder);
        Ok(self.root.resolve_folder(&name)?)
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

/// Number and form of a version by the name of its file.
fn version_name(name: &str) -> Option<(u32, Form)> {
    let (stem, extension) = name.strip_prefix('v')?.split_once('.')?;
    let (_, form) = FORMS.iter().find(|(known, _)| *known == extension)?;
    Some((parse_number(stem)?, *form))
}

impl Backend for FolderRegistry {
    fn slugs(&self) -> Result<Vec<Slug>, RegistryError> {
        let mut found = Vec::new();
        self.walk("", 0, &mut found)?;
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
        let source = self.read_optional(name.clone(), MAX_LOG)?;
        Ok(source.unwrap_or_else(|| Source::new(name, "")))
    }

    fn settings_text(&self, slug: &Slug) -> Result<Option<Arc<Source>>, RegistryError> {
        self.read_optional(self.name_of(slug, "prompt.yaml"), MAX_PROMPT)
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
            let prompt = found.decode(&mut Diagnostics::new()).unwrap();
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
