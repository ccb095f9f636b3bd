//! What the audit commands show: log, status, which, verify.

use std::fmt::Write as _;

use crate::base::text;
use crate::cli::exit::Exit;
use crate::cli::inspect::print;
use crate::cli::output;
use crate::command::prompt::audit::{self, Identified, Trail, WasLive};
use crate::command::prompt::movement;
use crate::command::{CommandError, Project};
use crate::registry::Entry;
use crate::report::escape::csv_cell;

pub fn log(project: &Project, slug: Option<&str>, format: &str) -> Result<Exit, CommandError> {
    let trails = audit::log(project, slug)?;
    match format {
        "json" => print(&as_json(&trails))?,
        "csv" => print(&as_csv(&trails))?,
        _ => print(&as_text(&trails))?,
    }
    Ok(Exit::Ok)
}

fn as_text(trails: &[Trail]) -> String {
    let mut shown = String::new();
    for trail in trails {
        // Writing to a `String` can not fail.
        let _ = writeln!(shown, "{} ({})", trail.slug, trail.registry);
        for entry in trail.log.entries() {
            let _ = writeln!(shown, "  {}", sentence(trail, entry));
        }
        if let Some(head) = trail.log.head() {
            let _ = writeln!(shown, "  head {head}");
        } else {
            let _ = writeln!(shown, "  no entry");
        }
    }
    shown
}

fn sentence(trail: &Trail, entry: &Entry) -> String {
    let [
        _,
        seq,
        _,
        by,
        action,
        version,
        channel,
        from,
        to,
        _,
        _,
        evidence,
        forced,
        why,
        _,
    ] = audit::cells(&trail.slug, entry);
    let at = entry.draft.at;
    let mut words = format!("{seq:>4}  {at:.3}  {action} {version}");
    if !channel.is_empty() {
        let _ = write!(words, " {channel}");
    }
    if !to.is_empty() {
        let from = if from.is_empty() { "nothing" } else { &from };
        let _ = write!(words, " {from} -> {to}");
    }
    let _ = write!(words, ", by {by}");
    if !forced.is_empty() {
        words.push_str(", FORCED without evidence");
    }
    if !evidence.is_empty() {
        let _ = write!(words, ", on {evidence}");
    }
    if !why.is_empty() {
        let _ = write!(words, ": {why}");
    }
    text::visible_line(&words)
}

fn as_json(trails: &[Trail]) -> String {
    let mut lines = String::new();
    for trail in trails {
        for entry in trail.log.entries() {
            // Each line is one object of ours; the prompt's name goes in front of its keys.
            let rest = entry.text.trim_start().strip_prefix('{').unwrap_or("}");
            let slug = serde_json::Value::from(trail.slug.as_str());
            let line = format!("{{\"prompt\": {slug}, {rest}");
            let _ = writeln!(lines, "{}", super::json_visible(&line));
        }
    }
    lines
}

fn as_csv(trails: &[Trail]) -> String {
    let mut table = audit::COLUMNS.join(",");
    table.push_str("\r\n");
    for trail in trails {
        for entry in trail.log.entries() {
            let cells = audit::cells(&trail.slug, entry);
            let cells: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
            table.push_str(&cells.join(","));
            table.push_str("\r\n");
        }
    }
    table
}

/// A cell that no spreadsheet takes for a formula.
fn quoted(cell: &str) -> String {
    let guarded = csv_cell(cell);
    if !guarded.contains([',', '"', '\n', '\r']) {
        return guarded.into_owned();
    }
    format!("\"{}\"", guarded.replace('"', "\"\""))
}

pub fn status(project: &Project, slug: Option<&str>) -> Result<Exit, CommandError> {
    // `status support-triage@v8` shows the prompt too.
    let slug = slug.map(|slug| slug.split('@').next().unwrap_or(slug));
    let standing = movement::standing(project, slug)?;
    let mut shown = format!("{} ({})\n", standing.slug, standing.registry);
    if !standing.owners.is_empty() {
        let owners = standing.owners.join(", ");
        let _ = writeln!(shown, "  owners: {}", text::visible_line(&owners));
    }
    for version in &standing.versions {
        let number = version.number;
        let mut words = match &version.status {
            Some((status, since, why)) => {
                let why = why.as_ref().map_or(String::new(), |why| format!(": {why}"));
                format!("v{number} {} since {since}{why}", status.word())
            }
            None => format!("v{number} not in the log yet: gate prompt add its file"),
        };
        let here = standing.channels.iter().filter(|(_, at)| *at == number);
        for (channel, _) in here {
            let _ = write!(words, " <- {channel}");
        }
        for (channel, by) in &version.approvals {
            let _ = write!(words, " (approved for {channel} by {by})");
        }
        let _ = writeln!(shown, "  {}", text::visible_line(&words));
    }
    print(&shown)?;
    Ok(Exit::Ok)
}

pub fn which(
    project: &Project,
    slug: Option<&str>,
    (hash, at): (Option<&str>, Option<&str>),
    channel: Option<&str>,
) -> Result<Exit, CommandError> {
    let mut shown = String::new();
    if let Some(hash) = hash {
        for version in audit::which_hash(project, slug, hash)? {
            shown.push_str(&identified(&version));
        }
    }
    if let Some(at) = at {
        for live in audit::which_at(project, slug, at, channel)? {
            shown.push_str(&was_live(&live));
        }
    }
    print(&shown)?;
    Ok(Exit::Ok)
}

fn identified(version: &Identified) -> String {
    let status = version
        .status
        .map_or("not in the log", crate::registry::Status::word);
    let hash = version
        .hash
        .map_or_else(String::new, |hash| format!(" {hash}"));
    let mut shown = format!("{}@v{}{hash}, {status}\n", version.slug, version.number);
    if let Some((by, at)) = &version.added {
        let _ = writeln!(shown, "  added {at} by {}", text::visible_line(by));
    }
    for (channel, from, until) in &version.live {
        let _ = writeln!(shown, "  {channel} from {from} to {until}");
    }
    shown
}

fn was_live(live: &WasLive) -> String {
    let (version, moved) = (&live.version, &live.moved);
    let hash = version
        .hash
        .map_or_else(String::new, |hash| format!(" {hash}"));
    let until = live
        .until
        .map_or_else(|| "now".to_owned(), |until| until.to_string());
    let from = moved
        .from
        .map_or_else(|| "nothing".to_owned(), |from| format!("v{from}"));
    let why = moved.why.as_ref();
    let why = why.map_or_else(String::new, |why| format!(": {why}"));
    let mut shown = format!(
        "{}@v{}{hash}\n  {} from {} to {until}; {} from {from} by {}{}\n",
        version.slug,
        version.number,
        live.channel,
        moved.at,
        audit::how(moved.kind),
        text::visible_line(&moved.by),
        text::visible_line(&why),
    );
    for evidence in &live.evidence {
        let _ = writeln!(
            shown,
            "  evidence: {}@{} run {} {}",
            evidence.suite,
            evidence.model,
            text::visible_line(&evidence.run),
            evidence.digest
        );
    }
    shown
}

pub fn verify(
    project: &Project,
    slug: Option<&str>,
    head: Option<&str>,
    trusted: &[String],
) -> Result<Exit, CommandError> {
    let mut faults = 0;
    for verified in audit::verify(project, slug, head, trusted)? {
        let own = verified.findings.iter().filter(|found| !found.is_note());
        let count = own.count() + verified.signatures.len();
        for fault in &verified.signatures {
            output::say(&format!("error: {}: {fault}", verified.log));
        }
        for found in &verified.findings {
            let word = if found.is_note() { "note" } else { "error" };
            let said = text::visible_line(&found.to_string());
            output::say(&format!("{word}: {}: {said}", verified.log));
        }
        if let Some(help) = &verified.help {
            output::say(&format!("  help: {help}"));
        }
        faults += count;
        if count > 0 {
            print(&format!(
                "{}: {}\n",
                verified.slug,
                text::count(count, "fault")
            ))?;
            continue;
        }
        let head = verified
            .head
            .map_or_else(String::new, |head| format!(", head {head}"));
        print(&format!(
            "{}: intact, {}{head}\n",
            verified.slug,
            text::count(verified.entries, "line")
        ))?;
        for (key, lines) in &verified.keys {
            print(&format!(
                "  {} signed by {key}\n",
                text::count(*lines, "line")
            ))?;
        }
    }
    if faults > 0 {
        output::last_line(
            Exit::Infra,
            &format!("store_corrupt: {} in all", text::count(faults, "fault")),
        );
        return Ok(Exit::Infra);
    }
    Ok(Exit::Ok)
}
