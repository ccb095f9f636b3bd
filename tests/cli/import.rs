//! `gate import`: configs of promptfoo in all their forms, against what promptfoo itself says of the
//! same answers (fixtures/import/promptfoo/README.md).

use std::path::Path;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/import/promptfoo");

fn entries() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(CORPUS)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A sandbox that holds the files of an entry.
fn copy(name: &str) -> Sandbox {
    fn below(from: &Path, prefix: &str, sandbox: &Sandbox) {
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            if entry.path().is_dir() {
                below(&entry.path(), &format!("{name}/"), sandbox);
            } else {
                sandbox.write(&name, &std::fs::read_to_string(entry.path()).unwrap());
            }
        }
    }
    let sandbox = Sandbox::empty();
    below(&Path::new(CORPUS).join(name), "", &sandbox);
    // The folder of a test may lie in a repository.
    sandbox.write("gate.yaml", "gate: settings/1\n");
    sandbox
}

/// The suite with every model answered by a cassette.
fn replayed(suite: &str) -> String {
    let mut text = String::new();
    let mut within = "";
    for line in suite.lines() {
        if !line.starts_with(' ') {
            within = line;
        }
        let listed = line.strip_prefix("  - { name: ");
        let name = listed.and_then(|rest| rest.split([',', ' ']).next());
        match (within, name) {
            ("models:" | "judge_models:", Some(name)) => text.push_str(&format!(
                "  - {{ name: {name}, provider: replay, cassette: ../cassette.jsonl }}\n"
            )),
            _ => text.push_str(&format!("{line}\n")),
        }
    }
    text
}

fn cassette(sandbox: &Sandbox) -> String {
    let given = sandbox.json("answers.json");
    let dataset = sandbox.read("fixtures/x.jsonl");
    let cases: Vec<Value> = dataset
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let answers = given["answers"].as_array().unwrap();
    assert_eq!(cases.len(), answers.len(), "one case for each test");
    let mut lines = String::new();
    for (index, (case, answer)) in cases.iter().zip(answers).enumerate() {
        let answers = answer.as_array().cloned().unwrap_or(vec![answer.clone()]);
        for (answer, version) in answers.iter().zip(1..) {
            let line = json!({"id": case["id"], "version": format!("v{version}"), "output": answer});
            lines.push_str(&format!("{line}\n"));
        }
        if let Some(pass) = given["grades"][index].as_bool() {
            let verdict = json!({"reason": "given", "pass": pass, "score": u8::from(pass)});
            let line = json!({"id": case["id"], "scorer": "judge", "output": verdict.to_string()});
            lines.push_str(&format!("{line}\n"));
        }
    }
    lines
}

/// Which cases pass, one row a case, one column a version.
fn passes(sandbox: &Sandbox, versions: usize) -> Vec<Vec<bool>> {
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for version in 1..=versions {
        let version = format!("v{version}");
        let ran = sandbox.gate(&["run", &version, "--no-gate", "--no-cache", "--json", "out.json"]);
        ran.exits(0);
        let result = sandbox.json("out.json");
        for (index, case) in result["suites"][0]["cases"].as_array().unwrap().iter().enumerate() {
            let pass = case["candidate"]["pass"].as_bool();
            let pass = pass.unwrap_or_else(|| panic!("no pass: {case}"));
            if rows.len() <= index {
                rows.push(Vec::new());
            }
            rows[index].push(pass);
        }
    }
    rows
}

fn check(name: &str) -> Result<(), String> {
    let sandbox = copy(name);
    let import = sandbox.gate(&["import", "promptfoo", "promptfooconfig.yaml", "--name", "x"]);
    if import.code != 0 {
        return Err(format!("{name}: {}{}", import.stdout, import.stderr));
    }
    let lint = sandbox.gate(&["lint"]);
    if lint.code != 0 {
        return Err(format!("{name}: lint: {}", lint.stderr));
    }
    sandbox.write("cassette.jsonl", &cassette(&sandbox));
    let suite = sandbox.read("evals/x.yaml");
    sandbox.write("evals/x.yaml", &replayed(&suite));
    let expected = sandbox.json("expected.json")["passes"].clone();
    let versions = expected[0].as_array().unwrap().len();
    let found = json!(passes(&sandbox, versions));
    if found != expected {
        let dataset = sandbox.read("fixtures/x.jsonl");
        return Err(format!("{name}:\n  ours      {found}\n  promptfoo {expected}\n{suite}\n{dataset}"));
    }
    Ok(())
}

#[test]
fn the_corpus_passes_and_fails_as_in_promptfoo_case_by_case() {
    let answered: Vec<String> = entries()
        .into_iter()
        .filter(|name| Path::new(CORPUS).join(name).join("answers.json").exists())
        .collect();
    assert!(answered.len() >= 30, "{} configs", answered.len());
    let wrong: Vec<String> = answered.iter().filter_map(|name| check(name).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
