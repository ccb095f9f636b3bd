//! The environment, read in one place: settings from `GATE_*`, the owner's permissions, keys.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::{Clock, Timestamp};
use crate::command::project::Variables;
use crate::settings::keys::{KEYS, Takes};
use crate::settings::{Layers, Origin};

/// The arguments of the program.
pub fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// The value of an environment variable.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The environment as the commands see it.
#[must_use]
pub fn variables() -> Variables {
    Arc::new(variable)
}

/// The settings that `GATE_*` variables give.
pub fn read_settings(layers: &mut Layers) {
    for key in &KEYS {
        let name = format!("GATE_{}", key.name.to_uppercase());
        let Some(value) = variable(&name).filter(|value| !value.is_empty()) else {
            continue;
        };
        let texts = match key.takes {
            Takes::Texts | Takes::Paths => value
                .split(',')
                .map(|part| part.trim().to_owned())
                .collect(),
            _ => vec![value],
        };
        layers.put(key.name, texts, Origin::Environment(name));
    }
}

/// A permission as a list: flags first, then the variable's comma-separated values.
#[must_use]
pub fn permission_list(flags: &[String], name: &str) -> Vec<String> {
    let mut values = flags.to_vec();
    if let Some(more) = variable(name) {
        values.extend(
            more.split(',')
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty()),
        );
    }
    values
}

/// Whether a switch is on by its variable.
#[must_use]
pub fn switch(name: &str) -> bool {
    variable(name).is_some_and(|value| value == "1" || value == "true")
}

/// The folder in which the program was called.
///
/// # Errors
/// When it is gone.
pub fn folder() -> std::io::Result<PathBuf> {
    std::env::current_dir()
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        Timestamp::from_system(std::time::SystemTime::now())
    }
}
