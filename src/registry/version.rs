//! What the log records of a version's file.

use crate::base::Digest;

/// The digest of a version's file: SHA-256 over its bytes with CRLF as LF.
#[must_use]
pub fn file_digest(text: &str) -> Digest {
    if text.contains('\r') {
        return Digest::of_bytes(text.replace("\r\n", "\n").as_bytes());
    }
    Digest::of_bytes(text.as_bytes())
}
