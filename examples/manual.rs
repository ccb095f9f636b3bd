//! Writes the man pages and the completions of a release: `cargo run --example manual -- FOLDER`.
//!
//! A build helper, so that the program itself carries no code for it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use clap_complete::Shell;
use promptgate::cli::args;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).map(PathBuf::from);
    let folder = folder.ok_or("name the folder to write to")?;
    let pages = folder.join("man");
    fs::create_dir_all(&pages)?;
    let mut command = args::description();
    command.build();
    write_pages(&command, "gate", &pages)?;
    let completions = folder.join("completions");
    fs::create_dir_all(&completions)?;
    for shell in [
        Shell::Bash,
        Shell::Zsh,
        Shell::Fish,
        Shell::PowerShell,
        Shell::Elvish,
    ] {
        clap_complete::generate_to(shell, &mut args::description(), "gate", &completions)?;
    }
    Ok(())
}

/// One page for a command, `gate-compare.1`, and one for each of its own commands.
fn write_pages(command: &clap::Command, name: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let page = clap_mangen::Man::new(command.clone())
        .title(name.to_uppercase())
        .manual("gate manual")
        .section("1");
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(folder.join(format!("{name}.1")), text)?;
    let own = command.get_subcommands();
    for below in own.filter(|below| below.get_name() != "help" && !below.is_hide_set()) {
        write_pages(below, &format!("{name}-{}", below.get_name()), folder)?;
    }
    Ok(())
}
