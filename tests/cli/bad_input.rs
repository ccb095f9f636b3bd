//! Bad input gets a clear message with file, line and column, exit code 2, and not one request.

use crate::sandbox::{CASES, SUITE, Sandbox, V1, v2};

/// Replaces a part of a file of the smallest project, and expects exit 2 with these words.
fn refused(file: &str, from: &str, to: &str, words: &[&str]) {
    let sandbox = Sandbox::smallest();
    let text = sandbox.read(file);
    assert!(text.contains(from), "{file} has no {from:?}");
    sandbox.write(file, &text.replacen(from, to, 1));
    let ran = sandbox.gate(&["compare", "v1", "v2"]);
    ran.exits(2).says("gate: usage:");
    for word in words {
        ran.says(word);
    }
    assert!(!sandbox.path(".gate/runs").exists(), "a run was begun");
}

#[test]
fn suites() {
    let suite = "evals/label.yaml";
    refused(
        suite,
        "scorers:",
        "asserts:",
        &[
            "unknown key `asserts`",
            "did you mean `scorers`?",
            "evals/label.yaml:6:1",
            "the suite has no `scorers`",
        ],
    );
    refused(
        suite,
        "name: label",
        "name: label\nname: x",
        &["duplicate key `name`", "evals/label.yaml:3:1"],
    );
    refused(
        suite,
        "gate: suite/1",
        "gate: suite/2",
        &["suite/2", "suite/1"],
    );
    refused(
        suite,
        "prompt: label",
        "prompt: 7",
        &["must be text", "quote it"],
    );
    refused(
        suite,
        "type: equals, value: \"{{expected}}\", ",
        "type: equals, ",
        &["value"],
    );
    refused(
        suite,
        "type: equals",
        "type: equal",
        &["there is no scorer type `equal`", "`equals`"],
    );
    refused(
        suite,
        "type: equals, value: \"{{expected}}\"",
        "type: regex, value: \"(\"",
        &["regex"],
    );
}

#[test]
fn what_a_suite_names() {
    let suite = "evals/label.yaml";
    refused(
        suite,
        "{ type: equals, value: \"{{expected}}\", transform: [trim] }",
        "",
        &["no scorer"],
    );
    refused(
        suite,
        "models: [{ name: main, provider: mock, rules: ../fixtures/label.mock.yaml }]",
        "models: []",
        &["`models` has no model"],
    );
    refused(
        suite,
        "provider: mock, rules: ../fixtures/label.mock.yaml",
        "provider: openia, model: x",
        &["openai"],
    );
    refused(
        suite,
        "../fixtures/label.jsonl",
        "../fixtures/lable.jsonl",
        &["lable.jsonl"],
    );
    refused(
        suite,
        "../fixtures/label.jsonl",
        "../../outside.jsonl",
        &["leaves the project"],
    );
    refused(
        suite,
        "../fixtures/label.jsonl",
        "/etc/passwd.jsonl",
        &["absolute"],
    );
    refused(
        suite,
        "scorers:",
        "policy: { margin: 2 }\nscorers:",
        &["margin"],
    );
    refused(
        suite,
        "scorers:",
        "policy: { early_stop: always }\nscorers:",
        &["obrien-fleming"],
    );
    refused(
        suite,
        "scorers:",
        "policy: { require_calibration: { min_kapa: 0.6 } }\nscorers:",
        &["did you mean `min_kappa`"],
    );
}

#[test]
fn prompts() {
    let prompt = "prompts/label/v1.yaml";
    refused(
        prompt,
        "{{ticket}}",
        "{{tiket}}",
        &[
            "used but not declared",
            "did you mean `ticket`?",
            "prompts/label/v1.yaml:9",
            "declared but not used",
        ],
    );
    refused(
        prompt,
        "version: 1",
        "version: 5",
        &["the file's name says v1"],
    );
    refused(
        prompt,
        "prompt: label",
        "prompt: other",
        &["the folder says `label`"],
    );
    refused(
        prompt,
        "params: { temperature: 0 }",
        "params: { temprature: 0 }",
        &["did you mean `temperature`?"],
    );
    refused(
        prompt,
        "{{ticket}}",
        "{{#if ticket}}",
        &["is not a variable"],
    );
    refused(prompt, "gate: prompt/1", "gate: prompt/9", &["prompt/9"]);
}

#[test]
fn datasets() {
    let data = "fixtures/label.jsonl";
    refused(
        data,
        "{\"ticket\": \"I was charged twice\"}",
        "{}",
        &[
            "variable `ticket` of v1 is missing",
            "fixtures/label.jsonl:1",
        ],
    );
    refused(data, "\"I was charged twice\"", "null", &["is null"]);
    refused(
        data,
        "\"I was charged twice\"",
        "5",
        &["is a number, not text"],
    );
    refused(
        data,
        "I was charged twice",
        &"x".repeat(501),
        &["has 501 characters, 500 are allowed"],
    );
    refused(data, "I was charged twice", "a\\u202eb", &["U+202E"]);
    refused(
        data,
        "\"id\": \"c2\"",
        "\"id\": \"c1\"",
        &["already in line 1", "fixtures/label.jsonl:2"],
    );
    refused(
        data,
        "\"id\": \"c2\"",
        "\"id\": \"c2\", \"id\": \"c9\"",
        &["duplicate key `id`"],
    );
    refused(
        data,
        "\"expected\": \"bug\"",
        "\"expect\": \"bug\"",
        &["unknown key `expect`", "did you mean `expected`?"],
    );
    refused(
        data,
        ", \"expected\": \"bug\"",
        "",
        &["uses `{{expected}}`", "c2"],
    );
    refused(data, CASES, "", &["the dataset has no case"]);
    refused(
        data,
        "{\"id\": \"c2\"",
        "{\"id\": c2",
        &["not valid JSON", "fixtures/label.jsonl:2"],
    );
}

#[test]
fn a_csv_with_only_a_header_is_empty() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace("label.jsonl", "label.csv"),
    );
    sandbox.write("fixtures/label.csv", "id,ticket,expected\n");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("the dataset has no case");
    sandbox.write("fixtures/label.csv", "id,ticket,expected\nc1,hello,bug\n");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
}

#[test]
fn all_errors_of_all_files_come_at_once() {
    let sandbox = Sandbox::smallest();
    sandbox.write("fixtures/label.jsonl", "{\"id\": \"a\", \"vars\": {}}\n{\"id\": \"b\", \"vars\": {\"ticket\": 1}, \"expected\": \"x\"}\n{\"id\": \"b\"}\n");
    let ran = sandbox.gate(&["compare", "v1", "v2"]);
    ran.exits(2).says("already in line 2");
    sandbox.write("fixtures/label.jsonl", "{\"id\": \"a\", \"vars\": {}}\n{\"id\": \"b\", \"vars\": {\"ticket\": 1}, \"expected\": \"x\"}\n");
    let ran = sandbox.gate(&["compare", "v1", "v2"]);
    ran.exits(2)
        .says("variable `ticket` of v1 is missing")
        .says("is a number, not text")
        .says("uses `{{expected}}`");
    sandbox.write(
        "evals/label.yaml",
        "gate: suite/1\nseeed: 1\nscorers: []\nmodel: openai\n",
    );
    let ran = sandbox.gate(&["lint"]);
    ran.exits(2)
        .says("unknown key `seeed`")
        .says("the suite has no scorer")
        .says("names no provider and model")
        .says("the suite has no `dataset`");
}

#[test]
fn mock_rules() {
    let rules = "fixtures/label.mock.yaml";
    refused(
        rules,
        "reply: \"Sure! That is a bug.\"",
        "replay: \"x\"",
        &["replay", "did you mean `reply`?"],
    );
    refused(
        rules,
        "system: friendly",
        "system: \"(\"",
        &["regular expression"],
    );
}

#[test]
fn flags_and_versions() {
    let sandbox = Sandbox::smallest();
    for (arguments, words) in [
        (&["compare", "v1", "v9"][..], "no version v9"),
        (&["compare", "v1", "stable"], "no channel `stable`"),
        (&["compare", "v1", "../v2"], "version"),
        (&["compare", "v1", "file:../secret"], "within the project"),
        (&["compare", "v1", "v2", "v3"], "no version v3"),
        (
            &["compare", "v1", "v2", "--concurency", "3"],
            "--concurrency",
        ),
        (&["compare", "v1", "v2", "-j", "0"], "concurrency"),
        (&["compare", "v1", "v2", "--timeout", "soon"], "duration"),
        (
            &["compare", "v1", "v2", "--case", "nothing-*"],
            "no case of suite `label` matches",
        ),
        (&["compare", "v1", "v2", "--tag", "nope"], "no case"),
        (&["compare", "v1", "v2", "--segment", "tier"], "KEY=VALUE"),
        (
            &["compare", "v1", "v2", "--suite", "lable"],
            "did you mean `label`?",
        ),
        (&["compare", "v1", "v2", "--prompt", "other"], "other"),
        (&["compare", "v1", "run:last"], "no run"),
        (&["report", "last"], "no run"),
        (&["-p", "ci", "compare", "v1", "v2"], "profile"),
        (&["-C", "nowhere", "compare"], "nowhere"),
        (&["schema", "suit"], "did you mean `suite`?"),
    ] {
        sandbox
            .gate(arguments)
            .exits(2)
            .says(words)
            .says("gate: usage:");
    }
    sandbox
        .gate(&[
            "compare",
            "v1",
            "v2",
            "--case",
            "nothing-*",
            "--allow-empty",
        ])
        .exits(0)
        .prints("SKIPPED");
}

#[test]
fn a_key_that_is_missing_and_a_host_that_is_not_the_providers() {
    let sandbox = Sandbox::smallest();
    let model = "models: [{ name: main, provider: mock, rules: ../fixtures/label.mock.yaml }]";
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace(model, "model: openai:gpt-4o-2024-08-06"),
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("OPENAI_API_KEY")
        .says("gate: infra: auth");
    let elsewhere = "models: [{ name: main, provider: openai, model: m, base_url: \"https://collector.example/v1\" }]";
    sandbox.write("evals/label.yaml", &SUITE.replace(model, elsewhere));
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("collector.example")
        .says("--allow-host");
    let key_in_file =
        "models: [{ name: main, provider: openai, model: m, api_key_env: \"sk-proj-abc\" }]";
    sandbox.write("evals/label.yaml", &SUITE.replace(model, key_in_file));
    let ran = sandbox.gate(&["compare", "v1", "v2"]);
    ran.exits(2).says("a key itself must never stand in a file");
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace(model, "models: [{ provider: exec, command: [./run.sh] }]"),
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("--allow-exec");
}

#[test]
fn a_file_that_does_not_say_what_it_is() {
    let sandbox = Sandbox::smallest();
    sandbox.write("evals/notes.yaml", "hello: world\n");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("does not say what it is");
    sandbox.write("evals/notes.yaml", "gate: mock/1\nrules: [{ reply: x }]\n");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    Sandbox::empty()
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("no folder evals/");
}

#[test]
fn settings_of_a_stranger_allow_nothing() {
    let sandbox = Sandbox::smallest();
    sandbox.write("gate.yaml", "gate: settings/1\nallow_exec: true\n");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("can not stand in a file of the repository");
    sandbox.write(
        "gate.yaml",
        "gate: settings/1\nconcurrency: 2\njunit: reports/gate.xml\n",
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(0)
        .says("gate.xml");
    assert!(sandbox.path("reports/gate.xml").exists());
}

#[cfg(unix)]
#[test]
fn links_that_lead_out_of_the_project_are_refused() {
    let sandbox = Sandbox::smallest();
    let outside = Sandbox::empty();
    outside.write("secret.jsonl", CASES);
    std::fs::remove_file(sandbox.path("fixtures/label.jsonl")).unwrap();
    std::os::unix::fs::symlink(
        outside.path("secret.jsonl"),
        sandbox.path("fixtures/label.jsonl"),
    )
    .unwrap();
    sandbox.gate(&["compare", "v1", "v2"]).exits(2);
    let allowed = outside.path("").to_string_lossy().into_owned();
    sandbox
        .gate(&["compare", "v1", "v2", "--allow-path", &allowed])
        .exits(0);
}

#[test]
fn hostile_names_do_not_reach_the_terminal() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "prompts/label/v1.yaml",
        &V1.replace("{{ticket}}", "{{a\u{1b}[31m}} {{ticket}}"),
    );
    let ran = sandbox.gate(&["compare", "v1", "v2"]);
    ran.exits(2);
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

#[test]
fn a_prompt_that_says_nothing_is_an_error() {
    let sandbox = Sandbox::empty();
    for (path, text) in [
        ("prompts/label.md", "\n"),
        ("fixtures/label.jsonl", CASES),
        (
            "fixtures/label.mock.yaml",
            "gate: mock/1\nrules: [{ reply: bug }]\n",
        ),
    ] {
        sandbox.write(path, text);
    }
    let suite = SUITE.replace("prompt: label", "prompt: ../prompts/label.md");
    sandbox.write("evals/label.yaml", &suite);
    let ran = sandbox.gate(&["lint"]);
    ran.exits(2)
        .says("error[empty-prompt]")
        .says("prompts/label.md:1:1");
    sandbox.write("prompts/label.md", "Label {{tikket}}\n");
    let ran = sandbox.gate(&["lint"]);
    ran.exits(2)
        .says("variable `tikket` of prompts/label.md is missing");
}

#[test]
fn a_version_that_uses_no_variable_of_the_cases_is_named() {
    let sandbox = Sandbox::smallest();
    let blind = v2().replace("  ticket: { type: string, max_length: 500 }\n", "");
    let blind = blind
        .replace("variables:\n", "")
        .replace("{{ticket}}", "Label it.");
    sandbox.write("prompts/label/v2.yaml", &blind);
    sandbox
        .gate(&["compare", "v1", "v2", "-n"])
        .exits(0)
        .says("warning[unused-case-variable]: v2 uses none of the cases' variables");
}

#[test]
fn variables_that_nothing_asked_uses_are_one_finding_that_advises_no_loss() {
    let sandbox = Sandbox::smallest();
    let with = CASES.replace(
        "\"ticket\"",
        "\"hotel\": 1, \"vip\": 2, \"mood\": \"x\", \"ticket\"",
    );
    sandbox.write("fixtures/label.jsonl", &with);
    let second = v2()
        .replace(
            "variables:\n",
            "variables:\n  mood: { type: string, max_length: 9 }\n",
        )
        .replace("{{ticket}}", "{{ticket}} {{mood}}");
    sandbox.write("prompts/label/v2.yaml", &second);
    let run = sandbox.gate(&["run", "v1", "--no-gate"]);
    run.exits(0)
        .says("3 variables of the cases that neither v1 nor a scorer uses: `hotel`, `mood`, `vip`")
        .says("keep what another version uses");
    assert_eq!(
        run.stderr.matches("unused-case-variable").count(),
        1,
        "{}",
        run.stderr
    );
    sandbox
        .gate(&["compare", "v1", "v2", "-n"])
        .exits(0)
        .says("2 variables of the cases that neither v1 nor v2 nor a scorer uses: `hotel`, `vip`");
    let scored = SUITE.replace(
        "scorers: [",
        "scorers: [{ type: not-contains, value: \"{{vars.vip}}\" }, ",
    );
    sandbox.write("evals/label.yaml", &scored);
    sandbox
        .gate(&["compare", "v1", "v2", "-n"])
        .exits(0)
        .says("1 variable of the cases that neither v1 nor v2 nor a scorer uses: `hotel`");
}

#[test]
fn a_host_that_can_match_nothing_is_refused() {
    let mut sandbox = Sandbox::smallest();
    sandbox
        .gate(&[
            "run",
            "v1",
            "--no-gate",
            "--allow-host",
            "http://127.0.0.1:18742/ask",
        ])
        .exits(2)
        .says("`http://127.0.0.1:18742/ask` is no host")
        .says("name its host: 127.0.0.1:18742");
    sandbox
        .gate(&["run", "v1", "--no-gate", "--allow-host", "not a host!"])
        .exits(2)
        .says("write a host or host:port");
    sandbox.set("GATE_ALLOW_HOST", "a.example, b.example:8443");
    sandbox.gate(&["run", "v1", "--no-gate"]).exits(0);
}

#[test]
fn before_the_first_commit_a_comparison_says_to_commit() {
    let sandbox = Sandbox::empty();
    sandbox.git(&["init", "-q"]);
    sandbox.gate(&["init"]).exits(0);
    sandbox
        .gate(&["compare"])
        .exits(2)
        .says("git has no commit here yet")
        .says("commit once");
}

#[test]
fn what_looks_right_and_is_not_gets_the_right_words() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "HEAD~1", "v2"])
        .exits(2)
        .says("write git:HEAD~1");
    sandbox
        .gate(&["compare", "v1", "v2", "-E", "id = \"c1\""])
        .exits(2)
        .says("compared with `==`");
    sandbox.write("evals/label.yaml", &format!("{SUITE}policy: promote\n"));
    sandbox
        .gate(&["lint"])
        .exits(2)
        .says("write policy: { preset: promote }");
    let nothing = Sandbox::empty();
    nothing.gate(&[]).exits(2).says("gate init");
    let ran = nothing.gate(&["prompt", "get", "label@v1"]);
    ran.exits(2).says("gate prompt add FILE");
    assert!(!ran.stderr.contains("one of: \n"), "{}", ran.stderr);
}

/// How often a text stands in what the process wrote, both streams together.
fn times(ran: &crate::sandbox::Ran, text: &str) -> usize {
    format!("{}{}", ran.stdout, ran.stderr)
        .matches(text)
        .count()
}

#[test]
fn what_is_wrong_is_said_once_and_the_last_line_adds_to_it() {
    let sandbox = Sandbox::smallest();
    let last = |ran: &crate::sandbox::Ran| ran.stderr.lines().last().unwrap_or("").to_owned();
    let unknown = sandbox.gate(&["compare", "v1", "v9"]);
    assert_eq!(
        times(&unknown, "has no version v9"),
        1,
        "{}",
        unknown.stderr
    );
    assert_eq!(
        last(&unknown),
        "gate: usage: exit 2: the command, or a file that it reads, is wrong"
    );
    sandbox.write("taken", "");
    let taken = sandbox.gate(&["compare", "v1", "v1", "--json", "taken/gate.json"]);
    taken.exits(3);
    assert_eq!(times(&taken, "taken/gate.json"), 1, "{}", taken.stderr);
    let full = sandbox.gate(&["compare", "v1", "v1", "--json", "/dev/full"]);
    full.exits(3).prints("INCONCLUSIVE  3 cases are too few");
    assert_eq!(times(&full, "/dev/full"), 1, "{}", full.stderr);
    assert_eq!(
        last(&full),
        "gate: infra: io: exit 3: says nothing about the answers"
    );
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace("name: label", "nam: label\nprompts: x"),
    );
    let wrong = sandbox.gate(&["compare", "v1", "v2"]);
    assert_eq!(times(&wrong, "unknown key `nam`"), 1, "{}", wrong.stderr);
    assert_eq!(last(&wrong), "gate: usage: 2 errors in 1 file");
}
