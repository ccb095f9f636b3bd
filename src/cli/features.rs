//! What this build carries beside the rest: the cargo features, for `gate --version`.

use std::sync::LazyLock;

/// Every cargo feature that adds something for a user, and whether this build has it.
const FEATURES: [(&str, bool); 6] = [
    ("bedrock", cfg!(feature = "bedrock")),
    ("html-check", cfg!(feature = "html-check")),
    ("javascript", cfg!(feature = "javascript")),
    ("postgres", cfg!(feature = "postgres")),
    ("sql", cfg!(feature = "sql")),
    ("tiktoken", cfg!(feature = "tiktoken")),
];

/// What `gate --version` prints: the version, and each feature with `+` or `-`.
#[must_use]
pub fn long_version() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| {
        let features = FEATURES.iter();
        let features =
            features.map(|(name, built)| if *built { '+' } else { '-' }.to_string() + name);
        let features: Vec<String> = features.collect();
        let version = env!("CARGO_PKG_VERSION");
        format!("{version}\nfeatures: {}", features.join(" "))
    });
    &TEXT
}

#[cfg(test)]
mod tests {
    use super::FEATURES;

    #[test]
    fn every_feature_that_releases_carry_is_listed() {
        let manifest = include_str!("../../Cargo.toml");
        let full = manifest
            .lines()
            .find_map(|line| line.strip_prefix("full = "));
        let full: Vec<String> = serde_json::from_str(full.unwrap()).unwrap();
        let listed: Vec<&str> = FEATURES.iter().map(|(name, _)| *name).collect();
        assert_eq!(full, listed);
    }
}
