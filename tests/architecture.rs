//! The architecture, checked: import order of the modules, owners of effects, sizes of files.
//!
//! Reads `src/` as text. The order of the `mod` lines in `src/lib.rs` is the law: a module names only modules above it.
//! Comments, literals and code compiled only for tests are not looked at. All violations are reported at once.

#[path = "architecture/examples.rs"]
mod examples;
#[path = "architecture/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use source::{
    Kind, NamedPath, Token, attribute_end, imports, inline_paths, is_visibility, item_end, tokens,
    without_tests,
};

/// One effect, the modules that may have it, and the names that give it away.
struct Effect {
    what: &'static str,
    owners: &'static [&'static str],
    /// `a::b` is a path that begins so, `Type::f` a path that holds it anywhere, `f!` a macro, `.f()` a method call,
    /// a single word in `<>` a keyword.
    names: &'static [&'static str],
}

/// Who may do what. An owner `a::b` is the file or folder `src/a/b`; `main.rs` counts as `cli`.
const EFFECTS: &[Effect] = &[
    Effect {
        what: "the file system",
        owners: &["store"],
        names: &[
            "std::fs",
            "fs_err",
            "tokio::fs",
            "tempfile",
            "ignore",
            "std::os::unix::fs",
            "std::os::windows::fs",
            ".canonicalize()",
            ".canonicalize_utf8()",
            ".exists()",
            ".try_exists()",
            ".is_dir()",
            ".is_file()",
            ".is_symlink()",
            ".read_dir()",
            ".read_dir_utf8()",
            ".symlink_metadata()",
        ],
    },
    Effect {
        what: "the network",
        owners: &["http"],
        names: &[
            "reqwest",
            "hyper",
            "hyper_util",
            "rustls",
            "rustls_native_certs",
            "tokio::net",
            "std::net::*",
            "std::net::TcpListener",
            "std::net::TcpStream",
            "std::net::ToSocketAddrs",
            "std::net::UdpSocket",
        ],
    },
    Effect {
        what: "a database",
        owners: &["store::registry::postgres"],
        names: &["tokio_postgres", "tokio_postgres_rustls"],
    },
    Effect {
        what: "the environment",
        owners: &["cli"],
        names: &["std::env", "tokio::signal"],
    },
    Effect {
        what: "standard streams",
        owners: &["cli"],
        names: &[
            "anstream",
            "indicatif",
            "tracing_subscriber",
            "std::io::stdin",
            "std::io::stdout",
            "std::io::stderr",
            "std::io::IsTerminal",
            "std::io::*",
            "tokio::io::stdin",
            "tokio::io::stdout",
            "tokio::io::stderr",
            "tokio::io::*",
            "print!",
            "println!",
            "eprint!",
            "eprintln!",
            "dbg!",
        ],
    },
    Effect {
        what: "the exit code",
        owners: &["cli"],
        names: &[
            "std::process::exit",
            "std::process::ExitCode",
            "std::process::Termination",
        ],
    },
    Effect {
        what: "other programs",
        owners: &["store::git", "provider::exec"],
        names: &[
            "std::process::Command",
            "std::process::Stdio",
            "std::process::*",
            "tokio::process",
        ],
    },
    Effect {
        what: "tasks and threads",
        owners: &[
            "http",
            "store::registry::postgres",
            "provider",
            "runner",
            "cli",
        ],
        names: &[
            "tokio::spawn",
            "tokio::task",
            "tokio::runtime",
            "tokio::time",
            "tokio::*",
            "tokio_util::task",
            "std::thread::sleep",
            "std::thread::spawn",
            "std::thread::park",
            "std::thread::*",
        ],
    },
    Effect {
        what: "parallel computation",
        owners: &[
            "stats",
            "score::assertion::javascript",
            "http",
            "store::registry::postgres",
            "provider",
            "runner",
            "cli",
        ],
        names: &[
            "std::thread::scope",
            "std::thread::available_parallelism",
            "std::thread::Builder",
        ],
    },
    Effect {
        what: "the clock",
        owners: &["http", "provider", "runner", "cli"],
        names: &[
            "Instant::now",
            "SystemTime::now",
            "Timestamp::now",
            "Zoned::now",
            "TimeZone::system",
            "TimeZone::try_system",
            ".elapsed()",
        ],
    },
    Effect {
        what: "random numbers",
        owners: &["base::rng", "stats"],
        names: &[
            "rand",
            "rand_core",
            "rand_pcg",
            "getrandom",
            "fastrand",
            "RandomState::new",
        ],
    },
    Effect {
        what: "random identifiers",
        owners: &["runner", "cli"],
        names: &["Uuid::new_v4", "Uuid::now_v6", "Uuid::now_v7"],
    },
    Effect {
        what: "async code",
        owners: &[
            "http",
            "store::registry::postgres",
            "provider",
            "telemetry",
            "runner",
            "command",
            "cli",
        ],
        names: &["<async>", "<await>"],
    },
];

const LIB: &str = "src/lib.rs";
const MAIN: &str = "src/main.rs";

/// Most lines of code in a file: neither blank, nor comment, nor compiled for tests alone.
const MOST_CODE_LINES: usize = 500;
/// What a file should hold at most; said in the message, not enforced.
const TARGET_CODE_LINES: usize = 400;

#[test]
fn the_source_follows_the_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = BTreeMap::new();
    read_sources(&root, "src", &mut sources).expect("src/ can be read as UTF-8");
    let violations = check(&sources);
    let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(
        lines.is_empty(),
        "{} violations of the architecture:\n{}\n",
        lines.len(),
        lines.join("\n")
    );
}

/// Collects the text of every Rust file below `folder`, by its path with `/`.
fn read_sources(
    folder: &Path,
    name: &str,
    sources: &mut BTreeMap<String, String>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let child = format!("{name}/{file_name}");
        if path.is_dir() {
            read_sources(&path, &child, sources)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.insert(child, fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Violation {
    file: String,
    line: usize,
    text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.text)
    }
}

/// What has been found so far: violations, and who imports whom.
#[derive(Default)]
struct Findings {
    violations: BTreeSet<Violation>,
    edges: BTreeSet<(String, String)>,
}

impl Findings {
    fn report(&mut self, file: &str, line: usize, text: impl Into<String>) {
        self.violations.insert(Violation {
            file: file.to_owned(),
            line,
            text: text.into(),
        });
    }
}

/// Checks a tree of sources, given by path from the root of the package, and returns what is wrong, sorted.
fn check(sources: &BTreeMap<String, String>) -> BTreeSet<Violation> {
    let mut findings = Findings::default();
    let Some(lib) = sources.get(LIB) else {
        findings.report(LIB, 1, "missing: its `mod` lines are the import order");
        return findings.violations;
    };
    let law = Law::read(lib);
    if law.order.is_empty() {
        findings.report(LIB, 1, "declares no module");
    }
    let files: Vec<File> = sources
        .iter()
        .map(|(path, source)| File::read(path, source))
        .collect();
    let test_only: Vec<&Vec<String>> = files.iter().flat_map(|file| &file.test_modules).collect();
    for file in &files {
        if !test_only
            .iter()
            .any(|module| file.module.starts_with(module))
        {
            file.check(&law, &mut findings);
        }
    }
    if let Some(chain) = cycle(&findings.edges) {
        let chain = chain.join(" → ");
        findings.report(
            LIB,
            1,
            format!("modules import each other in a circle: {chain}"),
        );
    }
    findings.violations
}

/// What `src/lib.rs` says: the order of the modules, and which names of theirs it exports at the root.
struct Law {
    order: Vec<String>,
    exports: BTreeMap<String, String>,
}

impl Law {
    fn read(lib: &str) -> Self {
        let tokens = without_tests(&tokens(lib)).code;
        let mut order = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1).filter(|next| next.kind == Kind::Word);
            if let (true, Some(name)) = (token.is("mod"), next) {
                order.push(name.text.clone());
            }
        }
        let exports = imports(&tokens)
            .into_iter()
            .filter_map(|import| {
                let name = import.name()?.to_owned();
                let home = import
                    .segments
                    .into_iter()
                    .find(|word| word != "crate" && word != "self")?;
                Some((name, home))
            })
            .collect();
        Self { order, exports }
    }

    fn place(&self, module: &str) -> Option<usize> {
        self.order.iter().position(|name| name == module)
    }

    /// The top-level module that a path from the root of the crate leads into.
    fn home<'a>(&'a self, first: &'a str) -> Option<&'a str> {
        if self.place(first).is_some() {
            return Some(first);
        }
        self.exports
            .get(first)
            .map(String::as_str)
            .filter(|home| self.place(home).is_some())
    }
}

/// A circle in the import graph, as the names along it, if there is one.
fn cycle(edges: &BTreeSet<(String, String)>) -> Option<Vec<String>> {
    let starts: BTreeSet<&String> = edges.iter().map(|(from, _)| from).collect();
    starts.into_iter().find_map(|start| {
        let mut trails = vec![vec![start.clone()]];
        let mut seen = BTreeSet::new();
        while let Some(trail) = trails.pop() {
            let last = trail.last()?;
            for (_, to) in edges.iter().filter(|(from, _)| from == last) {
                let longer: Vec<String> = trail.iter().chain([to]).cloned().collect();
                if to == start {
                    return Some(longer);
                }
                if seen.insert(to.clone()) {
                    trails.push(longer);
                }
            }
        }
        None
    })
}

struct File {
    path: String,
    /// Where the file stands in the module tree: `src/score/judge/ask.rs` is `score`, `judge`, `ask`.
    module: Vec<String>,
    tokens: Vec<Token>,
    /// Modules that this file declares for tests alone.
    test_modules: Vec<Vec<String>>,
}

impl File {
    fn read(path: &str, source: &str) -> Self {
        let stem = path.trim_start_matches("src/").trim_end_matches(".rs");
        let mut module: Vec<String> = stem.split('/').map(str::to_owned).collect();
        if stem == "lib" || module.last().is_some_and(|last| last == "mod") {
            module.pop();
        } else if stem == "main" {
            module = vec!["cli".to_owned()];
        }
        let split = without_tests(&tokens(source));
        let mut test_modules: Vec<Vec<String>> = split
            .modules
            .iter()
            .map(|name| module.iter().chain([name]).cloned().collect())
            .collect();
        if split.whole_file {
            test_modules.push(module.clone());
        }
        Self {
            path: path.to_owned(),
            module,
            tokens: split.code,
            test_modules,
        }
    }

    fn check(&self, law: &Law, findings: &mut Findings) {
        self.check_size(findings);
        self.check_effects(findings);
        if self.path.ends_with("/mod.rs") || self.path == LIB {
            self.check_holds_no_logic(findings);
        }
        if self.path != LIB && self.path != MAIN {
            self.check_imports(law, findings);
        }
    }

    fn check_size(&self, findings: &mut Findings) {
        let lines: BTreeSet<usize> = self
            .tokens
            .iter()
            .flat_map(|token| token.line..=token.last_line)
            .collect();
        if lines.len() > MOST_CODE_LINES {
            let count = lines.len();
            let text = format!(
                "{count} lines of code, at most {MOST_CODE_LINES} (aim at {TARGET_CODE_LINES}): split it by subject"
            );
            findings.report(&self.path, 1, text);
        }
    }

    /// `mod.rs` and `lib.rs` hold documentation, `mod` lines and re-exports.
    fn check_holds_no_logic(&self, findings: &mut Findings) {
        let mut at = 0;
        while let Some(token) = self.tokens.get(at) {
            if token.is("#") {
                at = attribute_end(&self.tokens, at);
                continue;
            }
            let end = item_end(&self.tokens, at);
            let item = self.tokens.get(at..end).unwrap_or_default();
            let keyword = item
                .iter()
                .find(|token| token.kind == Kind::Word && !is_visibility(token));
            let ends_in_semicolon = item.last().is_some_and(|last| last.is(";"));
            let is_declaration =
                keyword.is_some_and(|word| word.is("mod") || word.is("use")) && ends_in_semicolon;
            if !is_declaration {
                let what = keyword.map_or("code", |word| word.text.as_str());
                let text =
                    format!("`{what}` here: this file holds docs, `mod` lines and re-exports");
                findings.report(&self.path, token.line, text);
            }
            at = end;
        }
    }

    fn check_imports(&self, law: &Law, findings: &mut Findings) {
        let Some(own) = self.module.first() else {
            return;
        };
        let Some(own_place) = law.place(own) else {
            findings.report(
                LIB,
                1,
                format!("has no `mod` line for `{own}`, which lies in src/"),
            );
            return;
        };
        for path in imports(&self.tokens)
            .iter()
            .chain(&inline_paths(&self.tokens))
        {
            let absolute = self.absolute(path).unwrap_or_default();
            let Some(first) = absolute.first() else {
                continue;
            };
            if first == "*" {
                let text = "imports everything from the root of the crate: name the modules";
                findings.report(&self.path, path.line, text);
            }
            let Some(home) = law.home(first).filter(|home| home != own) else {
                continue;
            };
            findings.edges.insert((own.clone(), home.to_owned()));
            if law.place(home).is_some_and(|place| place > own_place) {
                let name = path.segments.join("::");
                let text = format!("`{own}` names `{home}`, which stands below it ({name})");
                findings.report(&self.path, path.line, text);
            }
        }
    }

    /// The path from the root of the crate, if it is a path within the crate.
    fn absolute(&self, path: &NamedPath) -> Option<Vec<String>> {
        let mut base: Vec<String> = match path.segments.first()?.as_str() {
            "crate" | "promptgate" => Vec::new(),
            "self" | "super" => self.module.iter().chain(&path.inside).cloned().collect(),
            _ => return None,
        };
        for (at, segment) in path.segments.iter().enumerate() {
            match segment.as_str() {
                "super" => drop(base.pop()),
                "self" => {}
                "crate" | "promptgate" if at == 0 => {}
                name => base.push(name.to_owned()),
            }
        }
        Some(base)
    }

    fn check_effects(&self, findings: &mut Findings) {
        let mut tell = |line: usize, effect: &Effect, seen: &str| {
            let owners = effect.owners.join(", ");
            let text = format!(
                "`{seen}` touches {}, which belongs to {owners}",
                effect.what
            );
            findings.report(&self.path, line, text);
        };
        let foreign = EFFECTS
            .iter()
            .filter(|effect| !effect.owners.iter().any(|owner| self.is_within(owner)));
        let imports = imports(&self.tokens);
        let inline = inline_paths(&self.tokens);
        for effect in foreign {
            for import in imports
                .iter()
                .filter(|import| effect.has_path(&import.segments))
            {
                tell(import.line, effect, &import.segments.join("::"));
            }
            for path in &inline {
                if resolved(path, &imports)
                    .iter()
                    .any(|full| effect.has_path(full))
                {
                    tell(path.line, effect, &path.segments.join("::"));
                }
            }
            for (at, token) in self.tokens.iter().enumerate() {
                if let Some(seen) = uses(&self.tokens, at)
                    .iter()
                    .find(|seen| effect.has_name(seen))
                {
                    tell(token.line, effect, seen.trim_matches(['<', '>']));
                }
            }
        }
    }

    fn is_within(&self, owner: &str) -> bool {
        let owner: Vec<&str> = owner.split("::").collect();
        owner.len() <= self.module.len()
            && owner
                .iter()
                .zip(&self.module)
                .all(|(owner, own)| owner == own)
    }
}

impl Effect {
    fn has_name(&self, seen: &str) -> bool {
        self.names.contains(&seen)
    }

    fn has_path(&self, segments: &[String]) -> bool {
        self.names.iter().any(|name| matches_path(segments, name))
    }
}

/// What the word at `at` is used as besides a path: a keyword, a macro, a method; as [`EFFECTS`] writes them.
fn uses(tokens: &[Token], at: usize) -> Vec<String> {
    let Some(token) = tokens.get(at).filter(|token| token.kind == Kind::Word) else {
        return Vec::new();
    };
    let follows = |sign: &str| tokens.get(at + 1).is_some_and(|after| after.is(sign));
    let mut seen = vec![format!("<{}>", token.text)];
    if follows("!") {
        seen.push(format!("{}!", token.text));
    }
    let after_a_dot = at
        .checked_sub(1)
        .and_then(|before| tokens.get(before))
        .is_some_and(|before| before.is("."));
    if after_a_dot && follows("(") {
        seen.push(format!(".{}()", token.text));
    }
    seen
}

/// Whether `segments` is a path that `name` of [`EFFECTS`] speaks of.
fn matches_path(segments: &[String], name: &str) -> bool {
    let wanted: Vec<&str> = name.split("::").collect();
    let begins = |from: usize| {
        segments
            .get(from..from + wanted.len())
            .is_some_and(|part| part.iter().zip(&wanted).all(|(a, b)| a == b))
    };
    if name.starts_with(|first: char| first.is_ascii_uppercase()) {
        (0..segments.len()).any(begins)
    } else {
        begins(0)
    }
}

/// What an inline path may mean, given the imports of its file. A name whose import is reported itself is left out.
fn resolved(path: &NamedPath, imports: &[NamedPath]) -> Vec<Vec<String>> {
    let Some((first, rest)) = path.segments.split_first() else {
        return Vec::new();
    };
    let meanings: Vec<Vec<String>> = imports
        .iter()
        .filter(|import| import.name() == Some(first))
        .filter(|import| {
            !EFFECTS
                .iter()
                .any(|effect| effect.has_path(&import.segments))
        })
        .map(|import| import.segments.iter().chain(rest).cloned().collect())
        .collect();
    if meanings.is_empty() {
        vec![path.segments.clone()]
    } else {
        meanings
    }
}
