//! Opens the project around a command with the settings that flags and the environment give.

use std::sync::Arc;

use camino::Utf8PathBuf;

use super::args::{GateArgs, Global, HowArgs, PermissionArgs, ReportFiles, SuiteArgs};
use super::env;
use crate::base::text;
use crate::command::{CommandError, Permissions, Project, Surroundings};
use crate::settings::{Layers, Origin};

fn flag(layers: &mut Layers, key: &'static str, value: Option<&String>) {
    if let Some(value) = value {
        layers.put(key, vec![value.clone()], Origin::Flag);
    }
}

fn flags(layers: &mut Layers, key: &'static str, values: &[String]) {
    if !values.is_empty() {
        layers.put(key, values.to_vec(), Origin::Flag);
    }
}

fn switch(layers: &mut Layers, key: &'static str, on: bool) {
    if on {
        layers.put(key, vec!["true".to_owned()], Origin::Flag);
    }
}

pub(super) fn global_layers(global: &Global) -> Layers {
    let mut layers = Layers::default();
    env::read_settings(&mut layers);
    flag(&mut layers, "profile", global.profile.as_ref());
    flag(&mut layers, "color", global.color.as_ref());
    switch(&mut layers, "quiet", global.quiet);
    switch(&mut layers, "verbose", global.verbose);
    layers
}

pub(super) fn suite_layers(layers: &mut Layers, select: &SuiteArgs) {
    flags(layers, "suite", &select.suite);
    flag(layers, "prompt", select.prompt.as_ref());
    flag(layers, "registry", select.registry.as_ref());
}

pub(super) fn report_layers(layers: &mut Layers, files: &ReportFiles) {
    flags(layers, "junit", &files.junit);
    flags(layers, "json", &files.json);
    flags(layers, "markdown", &files.markdown);
    flags(layers, "html", &files.html);
    flag(layers, "output", files.output.as_ref());
    flag(layers, "junit_profile", files.junit_profile.as_ref());
    flag(layers, "junit_cases", files.junit_cases.as_ref());
    flag(layers, "format", files.format.as_ref());
    switch(layers, "github_comment", files.github_comment);
    flag(layers, "pr", files.pr.as_ref());
}

pub(super) fn how_layers(layers: &mut Layers, how: &HowArgs) {
    flag(layers, "concurrency", how.concurrency.as_ref());
    flag(layers, "rate", how.rate.as_ref());
    flag(layers, "token_rate", how.token_rate.as_ref());
    flag(layers, "budget", how.budget.as_ref());
    flag(layers, "timeout", how.timeout.as_ref());
    flag(layers, "retries", how.retries.as_ref());
    flag(layers, "deadline", how.deadline.as_ref());
    flag(layers, "cache", how.cache.as_ref());
    flag(layers, "cache_max_age", how.cache_max_age.as_ref());
    flag(layers, "cache_max_size", how.cache_max_size.as_ref());
    flag(layers, "progress", how.progress.as_ref());
    flag(layers, "batch_poll", how.batch_poll.as_ref());
    switch(layers, "batch", how.batch);
    switch(layers, "offline", how.offline);
    switch(layers, "fail_fast", how.fail_fast);
    if how.no_cache {
        layers.put("cache", vec!["off".to_owned()], Origin::Flag);
    }
}

pub(super) fn open(
    global: &Global,
    layers: Layers,
    allowed: Option<&PermissionArgs>,
) -> Result<Project, CommandError> {
    open_from(global, layers, allowed, None)
}

/// Opens the project of a command that runs suites, judged by those of another revision if so asked.
pub(super) fn open_gate(
    global: &Global,
    layers: Layers,
    gate: &GateArgs,
) -> Result<Project, CommandError> {
    let from = gate.select.gate_from.clone();
    open_from(global, layers, Some(&gate.how.permissions), from)
}

fn open_from(
    global: &Global,
    layers: Layers,
    allowed: Option<&PermissionArgs>,
    gate_from: Option<String>,
) -> Result<Project, CommandError> {
    let io = |error: std::io::Error| {
        CommandError::usage(
            format!("the working folder can not be used: {error}"),
            "call gate elsewhere, or name a folder with -C",
        )
    };
    let here = env::folder().map_err(io)?;
    let folder = match &global.folder {
        Some(folder) => crate::store::fs::resolve(&here.join(folder)).map_err(|error| {
            CommandError::usage(
                format!("-C {}: {error}", folder.display()),
                "name a folder that exists",
            )
        })?,
        None => here,
    };
    let none = PermissionArgs::default();
    let allowed = allowed.unwrap_or(&none);
    let hosts = env::permission_list(&allowed.allow_host, "GATE_ALLOW_HOST");
    check_hosts(&hosts)?;
    let permissions = Permissions {
        hosts,
        paths: env::permission_list(&allowed.allow_path, "GATE_ALLOW_PATH")
            .into_iter()
            .map(Into::into)
            .collect(),
        exec: allowed.allow_exec || env::switch("GATE_ALLOW_EXEC"),
    };
    Project::open(Surroundings {
        folder,
        layers,
        gate_from,
        permissions,
        variables: env::variables(),
        clock: Arc::new(env::SystemClock),
    })
}

/// Each host that is allowed is one: an entry that can match nothing would be passed over.
fn check_hosts(hosts: &[String]) -> Result<(), CommandError> {
    for host in hosts {
        crate::http::check_entry(host).map_err(|help| {
            let shown = text::visible_line(host);
            CommandError::usage(format!("--allow-host `{shown}` is no host"), help)
        })?;
    }
    Ok(())
}

/// The layers of a command that runs suites.
pub(super) fn gate_layers(global: &Global, gate: &GateArgs) -> Layers {
    let mut layers = global_layers(global);
    suite_layers(&mut layers, &gate.select.suites);
    report_layers(&mut layers, &gate.reports);
    how_layers(&mut layers, &gate.how);
    layers
}

/// The folder that paths of the command line are relative to.
pub(super) fn caller_folder(global: &Global) -> Result<Utf8PathBuf, CommandError> {
    let here = env::folder().map_err(|error| {
        CommandError::usage(
            format!("the working folder can not be used: {error}"),
            "call gate elsewhere",
        )
    })?;
    let folder = global
        .folder
        .as_ref()
        .map_or(here.clone(), |folder| here.join(folder));
    Utf8PathBuf::from_path_buf(folder).map_err(|path| {
        CommandError::usage(
            format!("{} is not UTF-8", path.display()),
            "call gate in a folder with a plain name",
        )
    })
}
