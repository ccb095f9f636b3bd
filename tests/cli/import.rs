//! `gate import`: configs of promptfoo in all their forms, against what promptfoo itself says of the
//! same answers (fixtures/import/promptfoo/README.md).

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::sandbox::Sandbox;

pub const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/import/promptfoo");

pub fn entries() -> Vec<String> {
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
pub fn copy(name: &str) -> Sandbox {
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
            ("models:" | "judge_models:", Some(name)) => {
                writeln!(
                    text,
                    "  - {{ name: {name}, provider: replay, cassette: ../cassette.jsonl }}"
                )
                .unwrap();
            }
            _ => text = text + line + "\n",
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
            let line =
                json!({"id": case["id"], "version": format!("v{version}"), "output": answer});
            writeln!(lines, "{line}").unwrap();
        }
        if let Some(pass) = given["grades"][index].as_bool() {
            let verdict = json!({"reason": "given", "pass": pass, "score": u8::from(pass)});
            let line = json!({"id": case["id"], "scorer": "judge", "output": verdict.to_string()});
            writeln!(lines, "{line}").unwrap();
        }
    }
    lines
}

/// Which cases pass, one row a case, one column a version.
fn passes(sandbox: &Sandbox, versions: usize) -> Vec<Vec<bool>> {
    let mut rows: Vec<Vec<bool>> = Vec::new();
    for version in 1..=versions {
        let version = format!("v{version}");
        let ran = sandbox.gate(&[
            "run",
            &version,
            "--no-gate",
            "--no-cache",
            "--json",
            "out.json",
        ]);
        ran.exits(0);
        let result = sandbox.json("out.json");
        for (index, case) in result["suites"][0]["cases"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            let pass = case["candidate"]["pass"].as_bool();
            assert!(pass.is_some(), "no pass: {case}");
            if rows.len() <= index {
                rows.push(Vec::new());
            }
            rows[index].push(pass == Some(true));
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
        return Err(format!(
            "{name}:\n  ours      {found}\n  promptfoo {expected}\n{suite}\n{dataset}"
        ));
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
    let wrong: Vec<String> = answered
        .iter()
        .filter_map(|name| check(name).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_has_no_counterpart_is_named_with_its_place() {
    for name in entries() {
        let path = Path::new(CORPUS).join(&name).join("report.txt");
        let Ok(expected) = std::fs::read_to_string(&path) else {
            continue;
        };
        let sandbox = copy(&name);
        let ran = sandbox.gate(&["import", "promptfoo", "promptfooconfig.yaml", "--name", "x"]);
        ran.exits(2).says("so nothing was written");
        assert_eq!(ran.stdout, expected.replace("\r\n", "\n"), "{name}");
        assert!(!sandbox.path("evals").exists(), "{name}");
        let partial = [
            "import",
            "promptfoo",
            "promptfooconfig.yaml",
            "--name",
            "x",
            "--allow-partial",
        ];
        sandbox
            .gate(&partial)
            .exits(0)
            .prints("written  evals/x.yaml");
        sandbox.gate(&["lint"]).exits(0);
        // Again it finds its own files, and has nothing to do.
        sandbox.gate(&partial).exits(0).prints("written  nothing");
    }
}

#[test]
fn what_is_no_config_and_a_file_without_a_format_are_told() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["import", "promptfoo", "evals/label.yaml"])
        .exits(2)
        .says("this is a gate suite, not a config of promptfoo")
        .says("evals/label.yaml:1:7");
    sandbox
        .gate(&["import", "evals/label.yaml"])
        .exits(2)
        .says("name the format before the file: gate import promptfoo, results or openai-evals");
    sandbox.write(
        "promptfooconfig.yaml",
        "prompts:\n  - A {{q}}\n  - file://none.txt\nproviders: [echo]\ntests:\n  - vars: { q: one }\n    assert: [{ type: contains, value: A }]\n",
    );
    sandbox
        .gate(&["import", "promptfoo", "promptfooconfig.yaml", "--lint-only"])
        .says("promptfooconfig.yaml:3:5")
        .says("- file://none.txt");
}

#[test]
fn nothing_is_written_over_a_file_that_is_there() {
    let sandbox = copy("16-yaml-files");
    sandbox.write("fixtures/x.jsonl", "mine\n");
    let import = ["import", "promptfoo", "promptfooconfig.yaml", "--name", "x"];
    sandbox
        .gate(&import)
        .exits(2)
        .says("fixtures/x.jsonl: a file with another text is there")
        .says("nothing was written");
    assert_eq!(sandbox.read("fixtures/x.jsonl"), "mine\n");
    assert!(!sandbox.path("evals").exists() && !sandbox.path("prompts").exists());
}

#[test]
fn a_config_reads_no_file_outside_its_project_and_keeps_no_key() {
    let sandbox = Sandbox::empty();
    sandbox.write("secret.txt", "s3cret");
    sandbox.write("project/gate.yaml", "gate: settings/1\n");
    sandbox.write(
        "project/promptfooconfig.yaml",
        "prompts: ['{{q}}', file://../secret.txt]\nproviders: [{ id: openai:gpt-4o, config: { apiKey: sk-123456 } }]\ntests:\n  - vars: { q: file:///etc/passwd }\n    assert: [{ type: contains, value: a }]\n",
    );
    let ran = sandbox.gate(&[
        "-C",
        "project",
        "import",
        "promptfoo",
        "promptfooconfig.yaml",
        "--allow-partial",
        "--name",
        "x",
    ]);
    ran.exits(0)
        .prints("leaves the project")
        .prints("a key stands in the config");
    for path in ["evals/x.yaml", "prompts/x/v1.yaml", "fixtures/x.jsonl"] {
        let text = sandbox.read(&format!("project/{path}"));
        assert!(
            !text.contains("s3cret") && !text.contains("sk-123456") && !text.contains("root:"),
            "{text}"
        );
    }
}

#[test]
fn bad_configs_are_errors_with_a_place() {
    let sandbox = Sandbox::empty();
    sandbox.write("gate.yaml", "gate: settings/1\n");
    for (text, says) in [
        ("prompts: [", "bad.yaml:1:"),
        ("- a\n", "a config of promptfoo is a map, this is a list"),
        ("{}", "no prompt could be carried over"),
        (
            "prompts: [a]\nproviders: [openai:x]\ndefaultTest: 5\ntests: [{vars: [1]}]\n",
            "2 parts would be dropped",
        ),
        (
            "prompts: ['{{q}}']\ntests: [{vars: {q: a}, assert: [{type: contains, value: a}]}]\n",
            "no provider could be carried over",
        ),
        (
            "prompts: ['{{q}}']\nproviders: [openai:x]\ntests: []\n",
            "no test could be carried over",
        ),
    ] {
        sandbox.write("bad.yaml", text);
        sandbox
            .gate(&["import", "promptfoo", "bad.yaml"])
            .exits(2)
            .says(says);
    }
    sandbox
        .gate(&["import", "promptfoo", "none.yaml"])
        .exits(2)
        .says("none.yaml");
    let model = ["import", "promptfoo", "bad.yaml", "--model", "gpt"];
    sandbox
        .gate(&model)
        .exits(2)
        .says("openai:gpt-4o-2024-08-06");
}

#[test]
fn lint_only_finds_what_promptfoo_lets_pass() {
    let sandbox = Sandbox::empty();
    sandbox.write("gate.yaml", "gate: settings/1\n");
    sandbox.write(
        "c.yaml",
        "prompts: ['{{name}} {{topic}}']\nproviders: [openai:gpt-4o]\nevaluateOption: {}\ntests:\n  - vars: { name: a, tpoic: b }\n    assert: [{ type: contians, value: a }, { type: latency }, { type: contains }]\n  - vars: { name: b, topic: c, tpoic: d }\n",
    );
    let ran = sandbox.gate(&["import", "promptfoo", "c.yaml", "--lint-only"]);
    ran.exits(2)
        .says("unknown key `evaluateOption` of a config")
        .says("did you mean `evaluateOptions`?")
        .says("there is no assertion `contians`")
        .says("did you mean `contains`?")
        .says("`latency` has no `threshold`")
        .says("`contains` has no `value`")
        .says("the test sets no `topic`")
        .says("variable `tpoic` is used by no prompt")
        .says("the test has no assertion")
        .says("c.yaml:6:");
    assert!(!sandbox.path("evals").exists());
    for name in ["05-default-test", "41-nunjucks-filters"] {
        let ran = copy(name).gate(&["import", "promptfoo", "promptfooconfig.yaml", "--lint-only"]);
        ran.exits(0);
        assert!(
            !ran.stderr.contains("is used by no prompt"),
            "{}",
            ran.stderr
        );
    }
}

/// A suite of two cases, and the file of another tool that has answers to them.
fn recorded(results: &str) -> Sandbox {
    let sandbox = Sandbox::smallest();
    sandbox.write("results.json", results);
    sandbox
}

#[test]
fn recorded_answers_become_a_run_that_others_are_compared_with() {
    let row = |ticket: &str, output: &str| {
        json!({"promptIdx": 0, "success": true, "score": 1, "provider": {"id": "openai:gpt"}, "latencyMs": 5,
            "vars": {"ticket": ticket}, "testCase": {"vars": {"ticket": ticket}}, "response": {"output": output}})
    };
    let results = json!({"results": {"version": 3, "results": [
        row("I was charged twice", "billing"), row("The app crashes at start", "bug"),
        row("Do you have a shop in Graz?", "no idea")]}});
    let sandbox = recorded(&results.to_string());
    let ran = sandbox.gate(&["import", "results", "results.json", "--version", "v1"]);
    ran.exits(0)
        .prints("v1 in results.json")
        .says("gate compare run:last worktree --suite label");
    // Two of three answers are right by the suite's own scorer.
    let compare = sandbox.gate(&["compare", "run:last", "v2", "--json", "out.json"]);
    compare.exits(0);
    let suite = &sandbox.json("out.json")["suites"][0];
    assert_eq!(suite["arms"]["baseline"]["passed"], 2);
    assert_eq!(suite["arms"]["baseline"]["requests"], 0);
    let transitions: Vec<&str> = suite["cases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|case| case["transition"].as_str().unwrap())
        .collect();
    assert_eq!(transitions, ["kept", "regression", "fixed"]);

    let strangers = json!({"results": {"results": [row("something else", "x")]}});
    let sandbox = recorded(&strangers.to_string());
    let ran = sandbox.gate(&["import", "results", "results.json", "--version", "v1"]);
    ran.exits(2)
        .says("no answer belongs to a case of suite `label`");
}

#[test]
fn an_inspect_log_becomes_a_run_too() {
    let sample = |id: &str, output: &str| {
        json!({"id": id, "epoch": 1, "input": "x", "target": "y", "output": {"completion": output},
            "scores": {"match": {"value": "C"}}})
    };
    let log = json!({"version": 2, "status": "success", "eval": {"task": "t"},
        "samples": [sample("c1", "billing"), sample("c2", "bug")]});
    let sandbox = recorded(&log.to_string());
    sandbox
        .gate(&[
            "import",
            "results",
            "results.json",
            "--version",
            "v1",
            "-f",
            "json",
        ])
        .exits(2);
    let ran = sandbox.gate(&["import", "results", "results.json", "--version", "v1"]);
    ran.says("1 case without an answer in results.json");
}

#[test]
fn samples_of_openai_evals_become_a_project() {
    let sandbox = Sandbox::empty();
    sandbox.write("gate.yaml", "gate: settings/1\n");
    sandbox.write(
        "capitals.jsonl",
        "{\"input\": [{\"role\": \"system\", \"content\": \"Name the {{capital}}.\"}, {\"role\": \"user\", \"content\": \"France\"}], \"ideal\": \"Paris\"}\n{\"input\": [{\"role\": \"system\", \"content\": \"Name the {{capital}}.\"}, {\"role\": \"user\", \"content\": \"Bolivia\"}], \"ideal\": [\"Sucre\", \"La Paz\"]}\n",
    );
    for template in ["match", "includes", "fuzzy-match", "model-graded"] {
        let import = [
            "import",
            "openai-evals",
            "capitals.jsonl",
            "--template",
            template,
            "--name",
            template,
        ];
        sandbox
            .gate(&import)
            .exits(0)
            .prints("carried over  2 samples");
        sandbox.gate(&["lint", "--suite", template]).exits(0);
    }
    let prompt = sandbox.read("prompts/match/v1.yaml");
    assert!(
        prompt.contains("Name the {{\"{{\"}}capital}}.") || prompt.contains("{{\\\"{{\\\"}}"),
        "{prompt}"
    );
    assert!(prompt.contains("content: \"{{input}}\""), "{prompt}");
    sandbox.write(
        "evals/match.yaml",
        &replayed(&sandbox.read("evals/match.yaml").replace(
            "model: openai:gpt-4o-2024-08-06",
            "models:\n  - { name: main, provider: mock }",
        )),
    );
    sandbox.write(
        "cassette.jsonl",
        "{\"id\": \"s01\", \"output\": \"Paris, France\"}\n{\"id\": \"s02\", \"output\": \"La Paz\"}\n",
    );
    sandbox
        .gate(&[
            "run",
            "v1",
            "--no-gate",
            "--suite",
            "match",
            "--json",
            "out.json",
        ])
        .exits(0);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["passed"],
        2
    );
}

#[test]
fn a_line_that_is_no_sample_is_an_error_at_its_place() {
    let sandbox = Sandbox::empty();
    sandbox.write("gate.yaml", "gate: settings/1\n");
    sandbox.write(
        "bad.jsonl",
        "{\"input\": \"x\"}\n{\"input\": 1, \"ideal\": \"y\"}\nnot json\n",
    );
    sandbox
        .gate(&["import", "openai-evals", "bad.jsonl"])
        .exits(2)
        .says("bad.jsonl:1:1")
        .says("the sample has no `ideal`")
        .says("bad.jsonl:2:")
        .says("bad.jsonl:3:");
}
