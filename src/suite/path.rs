//! Paths inside a file of the user's: relative to that file, and within the project's root.

/// Why a path can not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The path is empty or has a NUL.
    #[error("the path is empty")]
    Empty,
    /// The path begins at the root of the file system.
    #[error("`{0}` is absolute: paths in a file are relative to that file")]
    Absolute(String),
}

/// Resolves a path written in the file `from` (itself relative to the project's root) to a path
/// relative to the root, by its words alone. One that leaves the root begins with `..`; whether it
/// may, and where links lead, is checked when the file is opened.
///
/// # Errors
/// When the path is empty or absolute.
pub fn resolve(from: &str, written: &str) -> Result<String, PathError> {
    let windows_drive = written.as_bytes().get(1) == Some(&b':');
    if written.is_empty() || written.contains('\0') {
        return Err(PathError::Empty);
    }
    if written.starts_with(['/', '\\']) || windows_drive {
        return Err(PathError::Absolute(written.to_owned()));
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    for part in written.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." => {
                if parts.last().is_none_or(|last| *last == "..") {
                    parts.push("..");
                } else {
                    parts.pop();
                }
            }
            name => parts.push(name),
        }
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_against_the_file_and_says_when_it_leaves_the_root() {
        assert_eq!(
            resolve("evals/a.yaml", "../fixtures/x.jsonl").as_deref(),
            Ok("fixtures/x.jsonl")
        );
        assert_eq!(
            resolve("evals/a.yaml", "prompts").as_deref(),
            Ok("evals/prompts")
        );
        assert_eq!(resolve("a.yaml", "./b//c").as_deref(), Ok("b/c"));
        assert_eq!(resolve("evals/a.yaml", "../../x").as_deref(), Ok("../x"));
        assert_eq!(resolve("a.yaml", "../../x/../y").as_deref(), Ok("../../y"));
        assert!(matches!(
            resolve("evals/a.yaml", "/etc/passwd"),
            Err(PathError::Absolute(_))
        ));
        assert!(matches!(
            resolve("evals/a.yaml", "C:\\x"),
            Err(PathError::Absolute(_))
        ));
        assert_eq!(resolve("evals/a.yaml", "..\\..\\x").as_deref(), Ok("../x"));
        assert_eq!(resolve("a.yaml", ""), Err(PathError::Empty));
    }
}
