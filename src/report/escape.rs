//! Makes hostile text harmless: one family of functions for each format that a report is written in.
//!
//! Whatever comes from a model, a dataset or a file of the project goes through one of these before
//! it reaches a reader. None of them fails, and none returns text that could end its own quotation.

use std::borrow::Cow;

use crate::base::text::{byte_prefix, is_deceptive, thousands};
pub use crate::base::text::{visible as terminal, visible_line as terminal_line};

/// Stands where a character was that XML can not hold.
const REPLACEMENT: char = '\u{fffd}';
/// Breaks a word apart without showing.
const ZERO_WIDTH_SPACE: char = '\u{200b}';

/// Text without terminal sequences (CSI, OSC and the like), of characters that XML 1.0 allows, with
/// `\n` as its only line end. The XML writer still has to escape markup.
#[must_use]
pub fn xml_text(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' | '\u{9b}' | '\u{9d}' => skip_sequence(c, &mut rest),
            '\r' => {
                if rest.peek() != Some(&'\n') {
                    clean.push('\n');
                }
            }
            '\n' | '\t' => clean.push(c),
            '\u{fffe}' | '\u{ffff}' => clean.push(REPLACEMENT),
            c if c.is_control() || is_deceptive(c) => clean.push(REPLACEMENT),
            c => clean.push(c),
        }
    }
    Cow::Owned(clean)
}

/// Text of an element, already clean, as XML: what would be a command to the runner of a workflow in
/// whose log the file is printed is written by references, which every reader of XML undoes.
#[must_use]
pub fn xml_content(text: &str) -> String {
    let mut content = String::with_capacity(text.len() + 16);
    for line in text.split_inclusive('\n') {
        let shown = quick_xml::escape::escape(line);
        let begins = shown.len() - shown.trim_start().len();
        let (space, rest) = shown.split_at_checked(begins).unwrap_or(("", &shown));
        content.push_str(space);
        match rest.strip_prefix("::") {
            Some(rest) => content.extend(["&#58;:", &rest.replace("##[", "##&#91;")]),
            None => content.push_str(&rest.replace("##[", "##&#91;")),
        }
    }
    content
}

/// Whether a text is one line of printable ASCII.
fn is_plain(text: &str) -> bool {
    let plain = |byte: &u8| matches!(byte, b' '..=b'~');
    // Counted to the end, so that many bytes are looked at in one step.
    text.bytes().filter(plain).count() == text.len()
}

/// As [`xml_text`], on one line: an attribute holds no line end.
#[must_use]
pub fn xml_line(text: &str) -> Cow<'_, str> {
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(xml_text(text).replace(['\n', '\t'], " "))
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Drops the rest of a terminal sequence, or nothing where the escape character stands alone.
fn skip_sequence(start: char, rest: &mut Rest<'_>) {
    let kind = match start {
        '\u{9b}' => Some('['),
        '\u{9d}' => Some(']'),
        _ => rest.next_if(|c| ('\u{20}'..='\u{7e}').contains(c)),
    };
    match kind {
        Some('[') => {
            while rest
                .next_if(|c| ('\u{20}'..='\u{3f}').contains(c))
                .is_some()
            {}
            let _ = rest.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
        }
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(rest),
        Some(intermediate) if ('\u{20}'..='\u{2f}').contains(&intermediate) => {
            let _ = rest.next_if(|c| ('\u{20}'..='\u{7e}').contains(c));
        }
        Some(_) | None => {}
    }
}

/// Drops the string of an OSC or DCS sequence. One that no terminator ends on its line is text.
fn skip_string(rest: &mut Rest<'_>) {
    let mut ahead = rest.clone();
    while let Some(c) = ahead.next_if(|c| *c != '\n') {
        let ends = match c {
            '\u{7}' | '\u{9c}' => true,
            '\u{1b}' => ahead.next_if_eq(&'\\').is_some(),
            _ => false,
        };
        if ends {
            *rest = ahead;
            return;
        }
    }
}

/// At most about `limit` bytes of a text: a longer one loses its middle, and says how much.
#[must_use]
pub fn cut_middle(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let head = byte_prefix(text, limit / 2);
    let mut start = text.len() - limit / 2;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    let tail = text.get(start..).unwrap_or_default();
    let cut = thousands(text.len() - head.len() - tail.len());
    Cow::Owned(format!(
        "{head}\n[\u{2026} {cut} bytes cut \u{2026}]\n{tail}"
    ))
}

/// Text in a line of Markdown or in a cell of a table: shown letter for letter, without links,
/// images, mentions, references to issues, or markup.
#[must_use]
pub fn markdown(text: &str) -> String {
    let line = terminal_line(text);
    let mut safe = String::with_capacity(line.len() + 16);
    let mut before = ' ';
    for c in line.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' | '#' => {
                safe.push(c);
                safe.push(ZERO_WIDTH_SPACE);
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '!' | '|' | '~' | '$' => {
                safe.push('\\');
                safe.push(c);
            }
            // An address is made a link by its `://` or its `www.`.
            '/' if before == ':' => {
                safe.push(ZERO_WIDTH_SPACE);
                safe.push(c);
            }
            '.' if before.eq_ignore_ascii_case(&'w') => {
                safe.push(ZERO_WIDTH_SPACE);
                safe.push(c);
            }
            // `GH-1` is a reference to an issue.
            '-' if before.eq_ignore_ascii_case(&'h') => {
                safe.push(ZERO_WIDTH_SPACE);
                safe.push(c);
            }
            c => safe.push(c),
        }
        before = c;
    }
    safe
}

/// A code span of one line, in which nothing has a meaning; for cells of tables too.
#[must_use]
pub fn markdown_code(text: &str) -> String {
    let line = terminal_line(text).replace('@', "@\u{200b}");
    let line = line.replace('|', "\u{2502}");
    if line.trim().is_empty() {
        return "` `".to_owned();
    }
    let fence = "`".repeat(longest_run(&line) + 1);
    let pad = if line.starts_with(['`', ' ']) || line.ends_with(['`', ' ']) {
        " "
    } else {
        ""
    };
    format!("{fence}{pad}{line}{pad}{fence}")
}

/// A fenced block, whose fence is longer than any run of backticks inside. Ends with a newline.
#[must_use]
pub fn markdown_block(text: &str) -> String {
    let shown = terminal(text).replace('@', "@\u{200b}");
    // The file may be printed in a workflow's log, whose runner reads each line.
    let shown = workflow_lines(&shown);
    let fence = "`".repeat(longest_run(&shown).max(2) + 1);
    let end = if shown.ends_with('\n') { "" } else { "\n" };
    format!("{fence}text\n{shown}{end}{fence}\n")
}

fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or(0)
}

/// Text between tags or in a quoted attribute of HTML.
#[must_use]
pub fn html(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 16);
    for c in terminal(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// The message of a workflow command, such as `::error::`.
#[must_use]
pub fn workflow_message(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let shown: String = text.split('\r').collect::<Vec<_>>().join("\n");
    let encoded = terminal(&shown).replace('%', "%25").replace('\n', "%0A");
    break_old_commands(&encoded).into_owned()
}

/// A property of a workflow command, such as `file=`.
#[must_use]
pub fn workflow_property(text: &str) -> String {
    workflow_message(text)
        .replace(':', "%3A")
        .replace(',', "%2C")
}

/// Lines for the log of a workflow: none of them is a command to the runner.
#[must_use]
pub fn workflow_lines(text: &str) -> Cow<'_, str> {
    let is_command = |line: &str| {
        let line = line.trim_start();
        line.starts_with("::") || line.starts_with("##[")
    };
    let text = break_old_commands(text);
    if !text.split(['\n', '\r']).any(is_command) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for line in text.split_inclusive(['\n', '\r']) {
        if is_command(line) {
            safe.push_str("\u{2502} ");
        }
        safe.push_str(line);
    }
    Cow::Owned(safe)
}

/// The runner finds commands of the form `##[name]` anywhere in a line.
fn break_old_commands(text: &str) -> Cow<'_, str> {
    if text.contains("##[") {
        Cow::Owned(text.replace("##[", "##\u{200b}["))
    } else {
        Cow::Borrowed(text)
    }
}

/// A cell of a CSV file that a spreadsheet does not take for a formula. The CSV writer still has to
/// quote it.
#[must_use]
pub fn csv_cell(text: &str) -> Cow<'_, str> {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        Cow::Owned(format!("'{text}"))
    } else {
        Cow::Borrowed(text)
    }
}

/// JSON text with every deceptive character as an escape, so that a terminal shows it as it is.
#[derive(Debug, Default, Clone, Copy)]
pub struct JsonFormatter;

impl serde_json::ser::Formatter for JsonFormatter {
    fn write_string_fragment<W: ?Sized + std::io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> std::io::Result<()> {
        if is_plain(fragment) || !fragment.contains(is_deceptive) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut bytes = [0; 4];
        for c in fragment.chars() {
            if is_deceptive(c) {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            } else {
                writer.write_all(c.encode_utf8(&mut bytes).as_bytes())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
