//! Reads the labels and holds them against the judge: what it needs they have to carry, and nothing
//! that it does not take.

use std::io::{BufRead, BufReader};

use camino::Utf8Path;

use crate::base::{Diagnostic, Diagnostics, Span, text};
use crate::command::CommandError;
use crate::dataset::decode::MAX_ROW_BYTES;
use crate::dataset::label::{Example, LabelDecoder, Labels, Subject};
use crate::prompt::PromptVersion;
use crate::store::fs;

/// Reads the labels for a judge.
///
/// # Errors
/// All findings of the file together.
pub fn read(path: &Utf8Path, shown: &str, judge: &PromptVersion) -> Result<Labels, CommandError> {
    let mut found = Diagnostics::new();
    let mut decoder = LabelDecoder::new(shown, &mut found);
    let mut file = BufReader::new(fs::open(path)?);
    let mut line = Vec::new();
    for number in 1u32.. {
        line.clear();
        // One byte more than fits tells a long row from one that just fits.
        let mut limited = std::io::Read::take(&mut file, MAX_ROW_BYTES as u64 + 2);
        let read = limited.read_until(b'\n', &mut line).map_err(|error| {
            CommandError::usage(
                format!("failed to read {shown}: {error}"),
                "name a readable file",
            )
        })?;
        if read == 0 {
            break;
        }
        decoder.line(&line, number);
    }
    let labels = decoder.finish();
    for example in labels.iter().flat_map(|labels| &labels.examples) {
        check(example, shown, judge, &mut found);
    }
    let (labels, _) = found.finish(labels)?;
    Ok(labels)
}

fn check(example: &Example, shown: &str, judge: &PromptVersion, found: &mut Diagnostics) {
    let id = text::visible_line(example.id.as_str());
    let mut tell = |message: String, help: &str| {
        let diagnostic = Diagnostic::error("label", message);
        let diagnostic = diagnostic.at(&example.place(shown), Span::default());
        found.push(diagnostic.help(help));
    };
    let compares = judge.variable("first").is_some();
    match &example.subject {
        Subject::Pair(_) if !compares => tell(
            format!("`{id}` has two answers, and the judge looks at one"),
            "label single answers with `answer` and `pass` or `score`",
        ),
        Subject::Answer(_) if compares => tell(
            format!("`{id}` has one answer, and the judge compares two"),
            "label pairs with `answers: [a, b]` and `preferred: a`, `b` or `tie`",
        ),
        Subject::Pair(_) if example.author.is_some() => tell(
            format!("`{id}` has `author`, and two answers"),
            "remove the key: it says which model wrote a single answer",
        ),
        Subject::Pair(_) | Subject::Answer(_) => {}
    }
    let given = [
        ("question", example.question.is_some()),
        ("reference", example.reference.is_some()),
        ("criteria", example.criteria.is_some()),
        ("context", example.context.is_some()),
    ];
    for (name, given) in given {
        match judge.variable(name) {
            // What was asked tells people what the answer is about, whether the judge sees it or not.
            None if given && (name == "criteria" || name == "context") => tell(
                format!("`{id}` has `{name}`, which the judge does not take"),
                "remove the key, or calibrate a judge that takes it",
            ),
            Some(variable) if !given && variable.required && variable.default.is_none() => tell(
                format!("`{id}` has no `{name}`, which the judge requires"),
                "add the key to the label, as the judge will get it in a run",
            ),
            None | Some(_) => {}
        }
    }
}
