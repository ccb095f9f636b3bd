//! The commands to go on with after `gate init` and `gate import`: with the flags that they need, and
//! the keys that have to be set before.

use crate::base::text;
use crate::command::import::Needs;

/// The flags that allow what a suite needs, each after a space.
pub(super) fn flags(needs: &Needs) -> String {
    let exec = if needs.exec { " --allow-exec" } else { "" };
    let hosts = needs.hosts.iter();
    let hosts: Vec<String> = hosts
        .map(|host| format!(" --allow-host {}", text::visible_line(host)))
        .collect();
    format!("{exec}{}", hosts.concat())
}

/// What to do next, one thing a line.
pub(super) fn lines(needs: &Needs, commands: &[String]) -> String {
    let keys = needs.keys.iter().map(|(variable, models)| {
        let models: Vec<String> = models
            .iter()
            .map(|model| format!("`{}`", text::visible_line(model)))
            .collect();
        format!(
            "set {} in the environment: the key for {}",
            text::visible_line(variable),
            models.join(", ")
        )
    });
    let all: Vec<String> = keys.chain(commands.iter().cloned()).collect();
    format!("\nNext  {}\n", all.join("\n      "))
}
