//! `gate drift`: the active versions asked again, never from the cache.

use super::args::{DriftArgs, Global};
use super::exit::Exit;
use super::gate::{gate, run_flags, version};
use super::project::{caller_folder, gate_layers, open_gate};
use crate::command::drift::Options;
use crate::command::run::Hooks;
use crate::command::{self, CommandError};
use crate::settings::Origin;

pub(super) fn drift(global: &Global, args: &DriftArgs) -> Result<Exit, CommandError> {
    let mut layers = gate_layers(global, &args.gate);
    // What was answered before says nothing about now: answers are kept, but not read.
    layers.put("cache", vec!["refresh".to_owned()], Origin::Flag);
    let flags = run_flags(&args.gate, None)?;
    let project = open_gate(global, layers, &args.gate)?;
    if project.settings.offline {
        return Err(CommandError::usage(
            "drift asks the model, and --offline forbids it",
            "leave out --offline",
        ));
    }
    if flags.resume.is_some() || flags.shard.is_some() {
        return Err(CommandError::usage(
            "drift can not be resumed or cut into shards",
            "leave out --resume and --shard",
        ));
    }
    let options = Options {
        prompts: args.prompts.clone(),
        baseline: args.baseline.as_deref().map(version).transpose()?,
        history: match &args.history {
            Some(path) => Some(caller_folder(global)?.join(path)),
            None => None,
        },
    };
    gate(global, &project, async |hooks: &mut Hooks<'_>| {
        Box::pin(command::drift::drift(&project, &options, &flags, hooks)).await
    })
}
