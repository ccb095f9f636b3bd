//! What this build carries beside the rest: the cargo features, for `gate --version`.

use std::sync::LazyLock;

/// Every cargo feature that adds something for a user, and whether this build has it.
const FEATURES: [(&str, bool); 2] = [
    ("postgres", cfg!(feature = "postgres")),
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
