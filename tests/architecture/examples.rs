//! The check, checked: small sources with known violations, and the lines on which they must be found.

use std::collections::BTreeMap;

use super::{EFFECTS, MOST_CODE_LINES, check};

/// Runs the check over a small package whose law is `base`, `stats`, `store`, `cli`.
fn violations(files: &[(&str, &str)]) -> Vec<String> {
    const LAW: &str = "//! Law.\npub mod base;\npub mod stats;\npub mod store;\npub mod cli;\npub use cli::Exit;\n";
    let mut sources = BTreeMap::from([("src/lib.rs".to_owned(), LAW.to_owned())]);
    for (path, source) in files {
        sources.insert((*path).to_owned(), (*source).to_owned());
    }
    check(&sources).iter().map(ToString::to_string).collect()
}

/// Asserts that a file at `path` breaks the rules exactly on `lines`.
#[track_caller]
fn assert_broken(path: &str, source: &str, lines: &[usize]) {
    let found = violations(&[(path, source)]);
    let expected: Vec<String> = lines.iter().map(|line| format!("{path}:{line}:")).collect();
    let mut places: Vec<String> = found
        .iter()
        .filter(|text| !text.contains("in a circle"))
        .filter_map(|text| text.split_once(": ").map(|(place, _)| format!("{place}:")))
        .collect();
    places.dedup();
    assert_eq!(places, expected, "{found:#?}");
}

#[test]
fn accepts_imports_from_above_and_from_within() {
    let source = "use crate::base::{id::Id, text};\nuse super::mean;\nfn f() { crate::base::id::f(); crate::stats::g() }";
    assert_broken("src/stats/paired.rs", source, &[]);
}

#[test]
fn reports_an_import_from_below() {
    assert_broken("src/stats/paired.rs", "use crate::store::fs::read;", &[1]);
}

#[test]
fn opens_nested_groups_of_imports() {
    let source =
        "use crate::{\n    base::{id, text},\n    stats,\n    cli::{self, args::{A, B}},\n};";
    assert_broken("src/store/fs.rs", source, &[4]);
}

#[test]
fn reports_an_inline_path_from_below() {
    let source = "fn f() {\n    let x: crate::base::Id = g();\n    crate::store::read::<crate::cli::Args>(x)\n}";
    assert_broken("src/stats/mod_f.rs", source, &[3]);
    assert_eq!(violations(&[("src/stats/mod_f.rs", source)]).len(), 2);
}

#[test]
fn follows_super_to_the_root_of_the_crate() {
    assert_broken("src/base/id.rs", "use super::super::stats::mean;", &[1]);
    assert_broken("src/base/mod.rs", "use super::stats::mean;", &[1]);
    assert_broken(
        "src/base/id.rs",
        "mod inner {\n    use super::super::super::stats;\n    use super::super::text;\n}",
        &[2],
    );
    assert_broken("src/base.rs", "use super::cli;", &[1]);
}

#[test]
fn sees_through_a_re_export_at_the_root() {
    assert_broken("src/base/id.rs", "fn f(exit: crate::Exit) {}", &[1]);
    assert_broken("src/base/id.rs", "use crate::*;", &[1]);
}

#[test]
fn sees_an_import_under_another_name() {
    assert_broken("src/base/id.rs", "use crate::{stats as numbers};", &[1]);
}

#[test]
fn looks_into_macros_and_attributes() {
    assert_broken(
        "src/base/id.rs",
        "macro_rules! m {\n    () => { $crate::stats::mean() };\n}",
        &[2],
    );
    assert_broken(
        "src/base/id.rs",
        "#[derive(crate::cli::Derive)]\nstruct S;",
        &[1],
    );
}

#[test]
fn overlooks_comments_and_literals() {
    let source = r##"
        //! use crate::cli;
        /* use crate::cli; /* nested */ std::fs::read(); */
        /// `println!` and [`crate::cli`]
        const A: &str = "crate::cli \" std::fs::read()";
        const B: &str = r#"use crate::cli; " println!()"#;
        const C: (char, char, u8) = ('"', '\'', b'"');
        fn f<'a>(x: &'a str) -> &'a str { x } // std::env::var()
        const D: &[u8] = b"std::env \\";
        const E: &core::ffi::CStr = c"std::env";
    "##;
    assert_broken("src/base/id.rs", source, &[]);
}

#[test]
fn overlooks_code_for_tests_alone() {
    let source = "fn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::cli;\n    fn g() { println!(\"{}\", 1) }\n}\n\
        #[cfg(all(test, unix))]\n#[allow(unused)]\nuse std::{fs, env};\n\
        struct S {\n    #[cfg(test)]\n    pub at: crate::cli::Args,\n    id: u8,\n}\n\
        #[tokio::test(start_paused = true)]\nasync fn h() { std::env::var(\"X\"); }\nfn last() { std::fs::read() }";
    assert_broken("src/base/id.rs", source, &[17]);
}

#[test]
fn overlooks_a_file_declared_for_tests_alone() {
    let parent = ("src/base/id.rs", "#[cfg(test)]\nmod tests;");
    let tests = ("src/base/id/tests.rs", "use crate::cli;\nuse std::fs;");
    assert_eq!(violations(&[parent, tests]), Vec::<String>::new());
    assert_broken("src/base/id/tests.rs", "use crate::cli;", &[1]);
}

#[test]
fn reads_code_that_is_not_for_tests_alone() {
    assert_broken("src/base/id.rs", "#[cfg(not(test))]\nuse crate::cli;", &[2]);
    assert_broken(
        "src/base/id.rs",
        "#[cfg(any(test, unix))]\nmod m {\n    use crate::cli;\n}",
        &[3],
    );
}

#[test]
fn reports_an_effect_outside_its_owner() {
    let broken = [
        "use std::fs;",
        "use std::{io::Read, fs::File};",
        "fn f() { ::std::fs::read(p) }",
        "fn f(p: &Path) -> bool { p.exists() }",
        "fn f() { reqwest::Client::new() }",
        "use std::env::var;",
        "fn f() { println!(\"x\") }",
        "use std::io::{self, stdout};",
        "fn f() -> std::process::ExitCode { g() }",
        "use std::process::Command;",
        "use tokio::{sync::mpsc, time::sleep};",
        "fn f() { tokio::spawn(g()); }",
        "fn f() -> u128 { std::time::Instant::now().into() }",
        "fn f(at: Instant) -> Duration { at.elapsed() }",
        "use rand::Rng;",
        "fn f() -> Uuid { Uuid::now_v7() }",
        "pub async fn f() {}",
        "fn f() { g(async move { 1 }) }",
    ];
    for source in broken {
        assert_broken("src/base/id.rs", source, &[1]);
    }
}

#[test]
fn follows_an_imported_module_to_the_effect() {
    assert_broken(
        "src/base/id.rs",
        "use std::io;\nfn f() { io::stdout() }",
        &[2],
    );
    assert_broken(
        "src/base/id.rs",
        "use std::thread as t;\nfn f() { t::sleep(d) }",
        &[2],
    );
    assert_broken(
        "src/base/id.rs",
        "use std::time::Instant;\nfn f() { Instant::now() }",
        &[2],
    );
    assert_broken(
        "src/base/id.rs",
        "use std::time::*;\nfn f() { SystemTime::now() }",
        &[2],
    );
    assert_broken(
        "src/base/id.rs",
        "use std::fs;\nfn f() { fs::read(p) }",
        &[1],
    );
}

#[test]
fn lets_an_owner_have_its_effect() {
    assert_broken(
        "src/store/fs.rs",
        "use std::fs;\nfn f(p: &Path) -> bool { p.exists() }",
        &[],
    );
    assert_broken("src/store/git.rs", "use std::process::Command;", &[]);
    assert_broken("src/store/fs.rs", "use std::process::Command;", &[1]);
    assert_broken("src/base/rng.rs", "use rand_pcg::Pcg64Mcg;", &[]);
    assert_broken(
        "src/stats/simulate.rs",
        "use rand::Rng;\nfn f() { std::thread::scope(|s| g(s)) }",
        &[],
    );
    assert_broken(
        "src/cli/output.rs",
        "async fn f() { println!(\"{:?}\", std::env::args()) }",
        &[],
    );
    assert_broken(
        "src/main.rs",
        "fn main() -> std::process::ExitCode { promptgate::cli::main() }",
        &[],
    );
}

#[test]
fn does_not_take_values_for_effects() {
    let source = "use std::io::{self, Read};\nuse std::net::IpAddr;\nuse std::time::{Duration, Instant};\n\
        fn f(environment: &str, at: Instant) -> io::Result<Duration> { exists(environment, env!(\"CARGO_PKG_NAME\")) }\n\
        fn g<T>() -> impl Iterator + use<T> { h.fs.rand.map(|x| x == other) }";
    assert_broken("src/base/id.rs", source, &[]);
}

#[test]
fn reports_a_file_that_outgrew_its_subject() {
    let code = "const X: u8 = 1;\n".repeat(MOST_CODE_LINES);
    let padded = format!("//! Docs.\n\n// Why.\n{code}\n#[cfg(test)]\nmod tests {{\n{code}}}\n");
    assert_broken("src/base/id.rs", &padded, &[]);
    assert_broken(
        "src/base/id.rs",
        &format!("{padded}const Y: u8 = 1;\n"),
        &[1],
    );
    let text = format!(
        "const X: &str = \"{}\";\n",
        "line\n".repeat(MOST_CODE_LINES)
    );
    assert_broken("src/base/id.rs", &text, &[1]);
}

#[test]
fn reports_logic_in_mod_rs() {
    let clean = "//! Docs.\n#![allow(x)]\n\nmod id;\npub(crate) mod text;\n#[doc(inline)]\npub use id::{Id, Kind as K};\n\
        #[cfg(test)]\nmod tests { fn f() {} }\n";
    assert_broken("src/base/mod.rs", clean, &[]);
    let logic = format!(
        "{clean}pub struct S {{ x: u8 }}\nimpl S {{\n    fn f() {{}}\n}}\nfn g() {{}}\nmod inner {{\n}}\n"
    );
    assert_broken("src/base/mod.rs", &logic, &[10, 11, 14, 15]);
    assert_broken("src/base/id.rs", "fn f() {}", &[]);
}

#[test]
fn reports_a_circle_by_the_names_along_it() {
    let found = violations(&[
        ("src/base/id.rs", "use crate::cli;"),
        ("src/stats/mean.rs", "use crate::base;"),
        ("src/cli/args.rs", "use crate::stats;"),
    ]);
    let circle = "src/lib.rs:1: modules import each other in a circle: base → cli → stats → base";
    assert!(found.iter().any(|text| text == circle), "{found:#?}");
    assert_eq!(found.len(), 2, "{found:#?}");
}

#[test]
fn reports_a_module_outside_the_law_once() {
    let found = violations(&[("src/extra/id.rs", ""), ("src/extra/mod.rs", "mod id;")]);
    assert_eq!(
        found,
        ["src/lib.rs:1: has no `mod` line for `extra`, which lies in src/"]
    );
    assert_eq!(check(&BTreeMap::new()).len(), 1);
}

#[test]
fn reports_all_violations_sorted_by_place() {
    let found = violations(&[
        (
            "src/stats/mean.rs",
            "fn f() {\n    println!();\n    crate::store::g();\n    std::fs::read();\n}",
        ),
        ("src/base/id.rs", "\n\nuse crate::stats;"),
    ]);
    let places: Vec<_> = found
        .iter()
        .filter_map(|text| text.split(": ").next())
        .collect();
    assert_eq!(
        places,
        [
            "src/base/id.rs:3",
            "src/stats/mean.rs:2",
            "src/stats/mean.rs:3",
            "src/stats/mean.rs:4"
        ]
    );
}

#[test]
fn the_table_of_effects_is_well_formed() {
    let known = [
        "http",
        "store",
        "provider",
        "telemetry",
        "runner",
        "command",
        "cli",
        "base",
        "stats",
        "score",
    ];
    for effect in EFFECTS {
        assert!(!effect.names.is_empty(), "{} has no names", effect.what);
        for owner in effect.owners {
            let module = owner.split("::").next().unwrap_or_default();
            assert!(known.contains(&module), "{owner} owns {}", effect.what);
        }
    }
}
