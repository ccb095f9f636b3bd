//! The project around a command: its root, its settings, its local state, and what the owner allows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use camino::Utf8PathBuf;

use super::error::CommandError;
use super::registry::{self, Named};
use crate::base::{Clock, Diagnostics, Source};
use crate::http::{ClientOptions, Roots, Secret};
use crate::runner::Budget;
use crate::settings::{self, Layers, Origin, Settings};
use crate::store::git::{Exported, Git};
use crate::store::registry::Backend;
use crate::store::{ProjectRoot, fs};

/// What the owner of the machine allows; from flags and the environment alone, never from a file.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    /// Hosts besides the providers' own to which a key may go.
    pub hosts: Vec<String>,
    /// Folders outside the project that files may name.
    pub paths: Vec<PathBuf>,
    /// Whether commands of the user's own may be run.
    pub exec: bool,
}

/// Gives the value of an environment variable.
pub type Variables = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a command is given of the world.
#[derive(Clone)]
pub struct Surroundings {
    /// The folder in which it was called.
    pub folder: PathBuf,
    /// The values of flags and of `GATE_*` variables.
    pub layers: Layers,
    /// The revision whose suites, judges, data and settings judge; what is on disk if left out.
    pub gate_from: Option<String>,
    /// What the owner allows.
    pub permissions: Permissions,
    /// The environment: for keys, and for what a command of the user's own inherits.
    pub variables: Variables,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}

/// A project, found and with its settings read.
pub struct Project {
    /// The folder of its suites, judges and data: its root, or under `--gate-from` the files of
    /// another revision.
    pub root: ProjectRoot,
    /// The root on disk, with the prompts under test.
    pub home: ProjectRoot,
    /// The revision whose suites, judges and data judge, where it is not what is on disk.
    pub gate_from: Option<String>,
    _definition: Option<Exported>,
    /// Its local state, `.gate`.
    pub state: Utf8PathBuf,
    /// How to run.
    pub settings: Settings,
    /// The settings' values with their origins.
    pub layers: Layers,
    /// What the owner allows.
    pub permissions: Permissions,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// The money of the command.
    pub money: Arc<Mutex<Budget>>,
    /// Registries with a connection, each opened once.
    pub(super) opened: Mutex<BTreeMap<String, Arc<dyn Backend>>>,
    variables: Variables,
}

const SETTINGS_FILE: &str = "gate.yaml";
const MAX_SETTINGS: u64 = 1 << 20;

impl Project {
    /// Finds the project around a folder and reads its settings.
    ///
    /// # Errors
    /// When the folder is not there, or the settings are wrong.
    pub fn open(surroundings: Surroundings) -> Result<Self, CommandError> {
        let Surroundings {
            folder,
            mut layers,
            gate_from,
            permissions,
            variables,
            clock,
        } = surroundings;
        let mut home = ProjectRoot::new(find_root(&folder))?;
        for path in &permissions.paths {
            home.allow(path)?;
        }
        let definition = match &gate_from {
            Some(revision) => Some(Git::open(home.path())?.export(revision)?),
            None => None,
        };
        let mut root = home.clone();
        if let Some(definition) = &definition {
            root = ProjectRoot::new(definition.project())?;
            for path in &permissions.paths {
                root.allow(path)?;
            }
        }
        read_settings(&root, &mut layers)?;
        let settings = settings::settings_of(&layers).map_err(|errors| {
            let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
            CommandError::Usage {
                message: messages.join("\n"),
                help: None,
            }
        })?;
        let state = home.path().join(".gate");
        let money = Arc::new(Mutex::new(Budget::new(settings.budget)));
        Ok(Self {
            root,
            home,
            gate_from,
            _definition: definition,
            state,
            settings,
            layers,
            permissions,
            clock,
            money,
            opened: Mutex::default(),
            variables,
        })
    }

    /// The value of an environment variable that holds a key.
    #[must_use]
    pub fn secret(&self, variable: &str) -> Option<Secret> {
        (self.variables)(variable)
            .filter(|value| !value.is_empty())
            .map(Secret::new)
    }

    /// The value of an environment variable that is no secret.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<String> {
        (self.variables)(name)
    }

    /// The limits of a client, and whom it trusts: by the environment, never by a file of the project.
    #[must_use]
    pub fn client_options(&self) -> ClientOptions {
        ClientOptions {
            roots: Arc::new(Roots::of_environment(&*self.variables)),
            ..ClientOptions::default()
        }
    }

    /// The registry at a folder of the project, or at an address, which an owner names by a flag or a
    /// variable, or allows.
    ///
    /// # Errors
    /// When it leaves the project, is no address, or its host is not allowed.
    pub fn registry(&self, location: &str) -> Result<Arc<dyn Backend>, CommandError> {
        self.registry_in(&self.root, location)
    }

    /// The registry at an address, or at a folder under a root of the project's: as it is on disk, or
    /// as the suites are.
    ///
    /// # Errors
    /// When it leaves the project, is no address, or its host is not allowed.
    pub fn registry_in(
        &self,
        root: &ProjectRoot,
        location: &str,
    ) -> Result<Arc<dyn Backend>, CommandError> {
        let given = self.layers.get("registry");
        let is_owners = given.is_some_and(|given| {
            let by_owner = matches!(given.origin, Origin::Flag | Origin::Environment(_));
            by_owner && given.texts.first().is_some_and(|text| text == location)
        });
        let named = if is_owners {
            Named::ByOwner
        } else {
            Named::InFile
        };
        registry::open(self, root, (location, named))
    }

    /// The text of a file of the project.
    ///
    /// # Errors
    /// When it can not be read, or leads out of the project.
    pub fn read(&self, path: &str, limit: u64) -> Result<Arc<Source>, CommandError> {
        let full = self.root.resolve(path)?;
        Ok(Source::new(path, &fs::read_text(&full, limit)?))
    }

    /// Whether a file is there on disk.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.home.resolve(path).is_ok_and(|full| fs::is_file(&full))
    }

    /// Makes sure that the local state's folder is there and that git passes it over.
    ///
    /// # Errors
    /// When it can not be written.
    pub fn prepare_state(&self) -> Result<(), CommandError> {
        let io = |source: std::io::Error| {
            CommandError::infra(
                "io",
                format!("failed to write {}: {source}", self.state),
                None,
            )
        };
        fs::create_state_folder(&self.state).map_err(io)
    }
}

/// The nearest folder upwards that holds `gate.yaml`, else `evals/`, else `.git`, else the folder.
fn find_root(folder: &Path) -> &Path {
    for marker in [SETTINGS_FILE, "evals", ".git"] {
        if let Some(found) = folder
            .ancestors()
            .find(|above| fs::is_there(&above.join(marker)))
        {
            return found;
        }
    }
    folder
}

fn read_settings(root: &ProjectRoot, layers: &mut Layers) -> Result<(), CommandError> {
    let profile = layers
        .get("profile")
        .and_then(|given| given.texts.first().cloned());
    if !fs::is_there(root.path().join(SETTINGS_FILE).as_std_path()) {
        return match profile {
            Some(name) => Err(CommandError::usage(
                format!("there is no profile `{name}`: the project has no {SETTINGS_FILE}"),
                "add gate.yaml with `profiles:`, or leave out --profile",
            )),
            None => Ok(()),
        };
    }
    let text = fs::read_text(&root.resolve(SETTINGS_FILE)?, MAX_SETTINGS)?;
    let mut found = Diagnostics::new();
    settings::file::decode(
        &Source::new(SETTINGS_FILE, &text),
        profile.as_deref(),
        layers,
        &mut found,
    );
    if found.has_errors() {
        Err(found.into())
    } else {
        Ok(())
    }
}
