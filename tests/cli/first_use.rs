//! What a first user meets: files with slips in them, a suite without rules, paths outside the
//! project, no key, no git.

use crate::sandbox::{CASES, RULES, SUITE, Sandbox, V1};

#[test]
fn a_file_of_an_unknown_kind_is_an_error_with_a_suggestion() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "evals/other.yaml",
        &SUITE.replace("gate: suite/1", "gate: suit/1"),
    );
    sandbox
        .gate(&["lint"])
        .exits(2)
        .says("`suit/1` is no kind of file that gate knows")
        .says("did you mean `suite`?")
        .says("evals/other.yaml:1:7");
    sandbox.write("evals/other.yaml", "gate: mock/1\nrules: []\n");
    sandbox.gate(&["lint"]).exits(0);
}

#[test]
fn a_path_outside_the_project_needs_leave() {
    let sandbox = Sandbox::empty();
    for (file, text) in [
        (
            "project/evals/label.yaml",
            SUITE.replace("../fixtures/label.jsonl", "../../data/label.jsonl"),
        ),
        ("project/prompts/label/v1.yaml", V1.to_owned()),
        ("project/prompts/label/v2.yaml", crate::sandbox::v2()),
        ("project/fixtures/label.mock.yaml", RULES.to_owned()),
        ("data/label.jsonl", CASES.to_owned()),
    ] {
        sandbox.write(file, &text);
    }
    let compare = ["-C", "project", "compare", "v1", "v2"];
    sandbox
        .gate(&compare)
        .exits(2)
        .says("leaves the project")
        .says("--allow-path DIR")
        .says("evals/label.yaml:4:10");
    sandbox
        .gate(&[&compare[..], &["--allow-path", "data"]].concat())
        .exits(0);
    sandbox
        .gate(&["-C", "project", "lint", "--allow-path", "data"])
        .exits(0);
    sandbox
        .gate(&["-C", "project", "lint", "--allow-path", "project/evals"])
        .exits(2)
        .says("leaves the project");
}

#[test]
fn lint_takes_no_filter() {
    Sandbox::smallest()
        .gate(&["lint", "--case", "zzz"])
        .exits(2)
        .says("unexpected argument '--case'");
}

#[test]
fn a_row_that_can_not_be_read_hides_nothing_about_the_others() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "fixtures/label.jsonl",
        "{\"id\": \"a\", \"vars\": {}, \"expected\": \"x\"}\n{\"id\": \"b\", \"expect\": 1}\n{\"id\": \"c\", \"vars\": {\"ticket\": \"t\"}}\n",
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("unknown key `expect`")
        .says("variable `ticket` of v1 is missing")
        .says("uses `{{expected}}`");
}

#[test]
fn a_value_that_a_scorer_can_not_use_is_found_before_the_first_request() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace(
            "{ type: equals, value: \"{{expected}}\", transform: [trim] }",
            "{ type: contains-any, value: \"{{expected}}\" }",
        ),
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("scorer `contains-any` needs");
    assert!(!sandbox.path(".gate/runs").exists());
}

#[test]
fn a_rules_file_that_two_models_share_is_reported_once() {
    let sandbox = Sandbox::smallest();
    let suite = SUITE.replace(
        "scorers: [{ type: equals, value: \"{{expected}}\", transform: [trim] }]",
        "judge_models: [{ name: grader, provider: mock, rules: ../fixtures/label.mock.yaml }]\nscorers: [{ type: judge, criteria: It is polite. }]",
    );
    sandbox.write("evals/label.yaml", &suite);
    sandbox.write(
        "fixtures/label.mock.yaml",
        "gate: mock/1\nrules: [{ qqqq: x, reply: y }]\n",
    );
    let ran = sandbox.gate(&["compare", "v1", "v2"]);
    ran.exits(2).says("unknown key `qqqq`");
    assert_eq!(
        ran.stderr.matches("unknown key").count(),
        1,
        "{}",
        ran.stderr
    );
    let (_, list) = ran.stderr.split_once("takes: ").unwrap();
    assert_eq!(list.matches(" reply,").count(), 1, "{list}");
}

#[test]
fn lint_needs_no_key_to_say_what_a_suite_can_show() {
    let sandbox = Sandbox::remote("https://api.openai.com/v1", 30, "");
    sandbox.gate(&["lint"]).exits(0).prints("remote: 30 cases:");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(3)
        .says("gate: infra: auth");
}

#[test]
fn outside_git_a_prompt_file_has_nothing_to_be_compared_with() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace("prompt: label", "prompt: ../answer.md"),
    );
    sandbox.write("answer.md", "{{ticket}}");
    sandbox
        .gate(&["compare"])
        .exits(2)
        .says("is in no git repository")
        .says("gate run");
    sandbox
        .gate(&[])
        .exits(2)
        .prints("answer: the file answer.md, without versions");
}

#[test]
fn the_time_of_a_prompt_is_a_time() {
    let sandbox = Sandbox::smallest();
    let dated = |time: &str| V1.replace("version: 1", &format!("version: 1\ncreated_at: {time}"));
    sandbox.write("prompts/label/v1.yaml", &dated("yesterday"));
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("`yesterday` is not a time such as 2026-10-02T09:30:00Z");
    sandbox.write("prompts/label/v1.yaml", &dated("2026-10-02T09:30:00Z"));
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
}

#[test]
fn the_judge_of_the_program_is_named_once() {
    let sandbox = Sandbox::smallest();
    let ran = sandbox.gate(&["prompt", "show", "gate/rubric@v1"]);
    ran.exits(0).says("gate/rubric@v1 sha256:");
    assert!(!ran.stderr.contains("gate/rubric@gate"), "{}", ran.stderr);
}

#[test]
fn without_a_rule_a_run_reports_the_pass_rate_and_what_fails() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["run", "v2", "--no-gate", "--json", "out.json"])
        .exits(0)
        .prints("INCONCLUSIVE  No rule decides: v2 passes 66.7 % of 3 cases")
        .prints("watched")
        .prints("Next  read the lost case: gate show last c2");
    let rule = &sandbox.json("out.json")["suites"][0]["rules"][0];
    assert_eq!(
        (rule["id"].as_str(), rule["verdict"].as_str()),
        (Some("pass-rate"), Some("skipped"))
    );
    assert_eq!(rule["estimate"], serde_json::Value::Null);
    sandbox.write(
        "evals/label.yaml",
        &format!("{SUITE}policy: {{ min_pass_rate: 0.9 }}\n"),
    );
    let ran = sandbox.gate(&["run", "v2"]);
    ran.prints("min-pass-rate").prints("66.7 %");
    assert!(!ran.stdout.contains("change"), "{}", ran.stdout);
}

#[test]
fn next_to_a_must_pass_case_the_pass_rate_is_watched() {
    let sandbox = Sandbox::smallest();
    let safe = CASES.replacen("\"expected\"", "\"must_pass\": true, \"expected\"", 1);
    sandbox.write("fixtures/label.jsonl", &safe);
    sandbox
        .gate(&["run", "v2"])
        .exits(0)
        .prints("PASS")
        .prints("66.7 %")
        .prints("watched");
}

#[test]
fn offline_an_answer_that_is_missing_blocks_and_none_that_is_there() {
    let server = crate::server::Server::saying("ok");
    let sandbox = Sandbox::remote(&server.base_url(), 5, "");
    sandbox
        .gate(&["compare", "v1", "v2", "--offline"])
        .exits(4)
        .prints("offline, exit 4");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    let ran = sandbox.gate(&["compare", "v1", "v2", "--offline"]);
    ran.exits(0).prints("INCONCLUSIVE").prints("exit 0");
    assert!(!ran.stdout.contains("offline"), "{}", ran.stdout);
    assert_eq!(server.requests(), 10);
}

#[test]
fn a_case_is_shown_in_full() {
    let mut sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(0)
        .prints("read the lost case: gate show last c2")
        .prints("cases decide if v2 is as good as v1");
    sandbox
        .gate(&["show", "last", "c2"])
        .exits(0)
        .prints("c2  (fixtures/label.jsonl:2)")
        .prints("The app crashes at start")
        .prints(&format!("{:48} \u{2502} v2, failed\n", "v1, passed"))
        .prints(&format!(
            "{:48} \u{2502} {{+Sure! That is a bug.+}}",
            "[-bug-]"
        ))
        .prints("fail  equals (0.00): the answer is `Sure! That is a bug.`, not `bug`");
    sandbox.set("COLUMNS", "50");
    sandbox
        .gate(&["show", "last", "c2"])
        .exits(0)
        .prints("v1, passed\n  bug\n")
        .prints("[-bug-]{+Sure! That is a bug.+}");
    sandbox
        .gate(&["show", "last", "c22"])
        .exits(2)
        .says("has no case `c22`");
}

#[test]
fn reasons_show_the_answer_as_it_was_given() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace("[trim]", "[trim, lowercase]"),
    );
    sandbox.gate(&["compare", "v1", "v2"]).exits(0).says(
        "lost  c2  equals: the answer is `Sure! That is a bug.`, not `bug` (after trim, lowercase)",
    );
}
