//! Where a calibration record lies, and reading the one that stands there.

use camino::Utf8PathBuf;

use crate::base::{Diagnostics, Digest, Name, Slug, Source};
use crate::chat::ModelSpec;
use crate::command::{CommandError, Project};
use crate::record::CalibrationRecord;
use crate::store::fs;
use crate::suite::digest::{self, Referenced};

/// The largest record that is read.
const MAX_RECORD: u64 = 64 << 20;

/// The path of a judge's record, relative to the project's root. Judges of the program have theirs
/// under `gate/` in the registry's folder, as if their versions lay there.
#[must_use]
pub fn place(registry: &str, judge: &Slug, number: u32, model: &ModelSpec) -> String {
    let model = Name::slugify(model.id());
    format!("{registry}/{judge}/calibration/v{number}@{model}.json")
}

/// The record at a path with the digest of its file; `None` where there is none.
///
/// # Errors
/// When it can not be read, or is none.
pub fn find(
    project: &Project,
    path: &str,
) -> Result<Option<(CalibrationRecord, Digest)>, CommandError> {
    let full = project.root.resolve(path)?;
    if !fs::is_file(&full) {
        return Ok(None);
    }
    let text = fs::read_text(&full, MAX_RECORD)?;
    let mut found = Diagnostics::new();
    let record = CalibrationRecord::decode(&Source::new(path, &text), &mut found);
    let (record, _) = found.finish(record)?;
    let digest = Digest::of_bytes(text.replace("\r\n", "\n").as_bytes());
    Ok(Some((record, digest)))
}

/// Writes a record whole or not at all.
///
/// # Errors
/// When the path leads out of the project or can not be written.
pub(super) fn write(
    project: &Project,
    path: &str,
    record: &CalibrationRecord,
) -> Result<Digest, CommandError> {
    let full: Utf8PathBuf = project.root.resolve(path)?;
    let text = record.to_text();
    fs::write_atomic(&full, text.as_bytes())?;
    Ok(Digest::of_bytes(text.as_bytes()))
}

/// The digest of everything in a suite's entry that can change what a model says: not its name there,
/// and not its price.
#[must_use]
pub fn model_digest(model: &ModelSpec, referenced: &Referenced) -> Digest {
    let mut form = digest::model(model, referenced);
    if let Some(fields) = form.as_object_mut() {
        fields.remove("name");
        fields.remove("price");
    }
    Digest::of_json(&form)
}
