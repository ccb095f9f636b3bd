//! `gate init`: from nothing, from a prompt, from examples, from a promptfoo config, to a gate.

use crate::sandbox::{CASES, RULES, SUITE, Sandbox, V1};

fn repository() -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.git(&["init", "-q"]);
    sandbox
}

#[test]
fn from_nothing_to_a_gate_that_fails_in_a_few_commands() {
    let sandbox = repository();
    let init = sandbox.gate(&["init"]);
    init.exits(0)
        .prints("wrote  evals/label.yaml")
        .prints("gate run --no-gate --suite label")
        .prints("free, nothing leaves the machine")
        .prints("gate compare");
    sandbox
        .gate(&["lint"])
        .exits(0)
        .prints("0 errors, 0 warnings");
    let run = sandbox.gate(&["run", "--no-gate"]);
    run.exits(0).prints("100.0 %");
    sandbox.git(&["add", "-A"]);
    sandbox.git(&["commit", "-qm", "first prompt"]);
    let prompt = sandbox.read("prompts/label.md");
    sandbox.write(
        "prompts/label.md",
        &prompt.replace("Answer with", "Be friendly. Answer with"),
    );
    sandbox.gate(&["compare"]).exits(1).prints("FAIL");
    let suite = sandbox.read("evals/label.yaml");
    assert!(
        suite.starts_with("# yaml-language-server: $schema=https://"),
        "{suite}"
    );
}

#[test]
fn an_existing_prompt_is_tested_where_it_lies_and_nothing_is_overwritten() {
    let sandbox = repository();
    sandbox.write("src/prompts/triage.md", "Sort: {{subject}}\n\n{{body}}\n");
    sandbox.write("fixtures/triage.jsonl", "mine\n");
    let init = sandbox.gate(&["init", "src/prompts/triage.md"]);
    init.exits(0)
        .prints("kept   fixtures/triage.jsonl")
        .prints("is there already, and stays as it is");
    assert_eq!(sandbox.read("fixtures/triage.jsonl"), "mine\n");
    let suite = sandbox.read("evals/triage.yaml");
    assert!(
        suite.contains("prompt: ../src/prompts/triage.md"),
        "{suite}"
    );
    std::fs::remove_file(sandbox.path("fixtures/triage.jsonl")).unwrap();
    sandbox
        .gate(&["init", "src/prompts/triage.md"])
        .exits(0)
        .prints("kept   evals/triage.yaml");
    assert_eq!(sandbox.read("fixtures/triage.jsonl").lines().count(), 10);
    sandbox.gate(&["lint"]).exits(0);
    sandbox.gate(&["run", "--no-gate"]).exits(0);
}

#[test]
fn cases_that_nobody_has_written_are_named_until_they_are() {
    let sandbox = repository();
    sandbox.write("prompts/triage.md", "Sort: {{transcript}}\n");
    sandbox
        .gate(&["init", "--no-workflow"])
        .exits(0)
        .prints("wrote  fixtures/triage.jsonl      placeholders")
        .prints("Next  write real cases into fixtures/triage.jsonl");
    for command in [&["lint"][..], &["run", "--no-gate"]] {
        sandbox
            .gate(command)
            .exits(0)
            .says("warning[placeholder]: 10 of 10 cases are placeholders of `gate init`")
            .says("fixtures/triage.jsonl:1:1");
    }
    let cases = sandbox.read("fixtures/triage.jsonl");
    let written = cases.replace(": write a real one", " is late");
    sandbox.write("fixtures/triage.jsonl", &written);
    let lint = sandbox.gate(&["lint"]);
    lint.exits(0);
    assert!(!lint.stderr.contains("placeholder"), "{}", lint.stderr);
}

#[test]
fn a_text_that_is_passed_over_is_named() {
    let sandbox = repository();
    sandbox.write("README.md", "About this.\n");
    sandbox.write("sort.txt", "Sort: {{mail}}\n");
    let init = sandbox.gate(&["init", "--no-workflow"]);
    init.exits(0)
        .prints("found  sort.txt, passed over: if it is the prompt, gate init sort.txt");
    assert!(!init.stdout.contains("README.md"), "{}", init.stdout);
}

#[test]
fn beside_a_suite_of_the_users_own_only_the_workflow_is_written() {
    let sandbox = repository();
    sandbox.write("prompts/label/v1.yaml", V1);
    sandbox.write("fixtures/label.jsonl", CASES);
    sandbox.write("fixtures/label.mock.yaml", RULES);
    sandbox.write("evals/label.yaml", SUITE);
    sandbox
        .gate(&["init"])
        .exits(0)
        .prints("kept   evals/label.yaml")
        .prints("wrote  .github/workflows/prompts.yml")
        .prints("after the first edit of its prompt");
    assert!(!sandbox.path("prompts/label.md").exists());
    assert_eq!(sandbox.read("evals/label.yaml"), SUITE);
    sandbox.gate(&["run", "v1", "--no-gate"]).exits(0);
}

#[test]
fn examples_become_cases_of_the_prompt_that_is_found() {
    let sandbox = repository();
    sandbox.write("prompts/answer.txt", "Answer: {{question}}\n");
    sandbox.write("data/examples.csv", "q,label\n\"2+2, please\",4\n1+1,2\n");
    sandbox.gate(&["init", "--no-workflow"]).exits(0);
    assert!(!sandbox.path(".github").exists());
    let cases = sandbox.read("fixtures/answer.jsonl");
    assert!(
        cases.starts_with(
            "{\"id\": \"c01\", \"vars\": {\"question\":\"2+2, please\"}, \"expected\": \"4\"}\n"
        ),
        "{cases}"
    );
    sandbox.gate(&["lint"]).exits(0);
    sandbox
        .gate(&["run", "--no-gate"])
        .exits(0)
        .prints("100.0 %");
    // Cases of ours are used where they lie.
    sandbox.write(
        "cases/own.jsonl",
        "{\"id\": \"a\", \"vars\": {\"question\": \"x\"}, \"expected\": \"y\"}\n",
    );
    sandbox
        .gate(&["init", "cases/own.jsonl", "--name", "own", "--no-workflow"])
        .exits(0);
    let suite = sandbox.read("evals/own.yaml");
    assert!(suite.contains("dataset: ../cases/own.jsonl"), "{suite}");
    assert!(!sandbox.path("fixtures/own.jsonl").exists());
    // Examples alone bring a prompt to be written.
    let bare = repository();
    bare.write(
        "faq.jsonl",
        "{\"question\": \"Where?\", \"answer\": \"Here, in the middle of the old town\"}\n",
    );
    bare.gate(&["init", "faq.jsonl"])
        .exits(0)
        .prints("wrote  prompts/faq.md");
    bare.gate(&["lint"]).exits(0);
    bare.gate(&["run", "--no-gate"]).exits(0);
}

#[test]
fn a_key_in_the_environment_chooses_the_model_and_is_written_nowhere() {
    let mut sandbox = repository();
    sandbox.set("ANTHROPIC_API_KEY", "sk-ant-secret");
    let init = sandbox.gate(&["init"]);
    init.exits(0).prints("10 requests, at most 0.0");
    let suite = sandbox.read("evals/label.yaml");
    assert!(
        suite.contains("model: anthropic:claude-haiku-4-5-20251001"),
        "{suite}"
    );
    let workflow = sandbox.read(".github/workflows/prompts.yml");
    assert!(workflow.contains("ANTHROPIC_API_KEY"), "{workflow}");
    for text in [&suite, &workflow, &init.stdout] {
        assert!(!text.contains("sk-ant-secret"));
    }
    sandbox.gate(&["lint"]).exits(0);
}

#[test]
fn a_promptfoo_config_is_imported() {
    let sandbox = repository();
    sandbox.write(
        "promptfooconfig.yaml",
        "prompts: ['A {{q}}', 'B {{q}}']\nproviders: [echo]\ntests:\n  - vars: { q: one }\n    assert: [{ type: contains, value: A }]\n",
    );
    let init = sandbox.gate(&["init", "--name", "pf"]);
    init.exits(0)
        .prints("carried over")
        .prints("gate compare v1 v2 --suite pf");
    sandbox.gate(&["lint"]).exits(0);
    sandbox
        .gate(&["run", "v1", "--no-gate"])
        .exits(0)
        .prints("100.0 %");
    sandbox
        .gate(&["run", "v2", "--no-gate"])
        .exits(0)
        .prints("0.0 %");
}

#[test]
fn a_promptfoo_config_that_would_lose_something_is_taken_only_with_leave() {
    let sandbox = repository();
    sandbox.write(
        "promptfooconfig.yaml",
        "prompts: ['A {{q}}', 'B {{q}}']\nproviders:\n  - { id: https://bot.example.com/ask, config: { method: POST, body: { m: '{{prompt}}' }, transformResponse: json.text } }\ntests:\n  - vars: { q: one }\n    assert:\n      - { type: contains, value: A }\n      - { type: perplexity, threshold: 2 }\n      - { type: llm-rubric, value: polite, provider: 'openai:gpt-4o' }\n",
    );
    let init = sandbox.gate(&["init", "--name", "pf"]);
    init.exits(2)
        .prints("dropped  1\n  promptfooconfig.yaml:8:")
        .says("1 part would be dropped, so nothing was written")
        .says("--allow-partial");
    assert!(!sandbox.path("evals").exists() && !sandbox.path(".github").exists());
    // What the commands need stands in them, as after an import.
    let flags = "--suite pf --allow-host bot.example.com";
    sandbox
        .gate(&["init", "--name", "pf", "--allow-partial"])
        .exits(0)
        .prints("dropped  1\n")
        .prints("Next  set OPENAI_API_KEY in the environment: the key for `")
        .prints(&format!("gate run --no-gate {flags}"))
        .prints(&format!("gate compare v1 v2 {flags}"));
    sandbox
        .gate(&[
            "import",
            "promptfoo",
            "promptfooconfig.yaml",
            "--name",
            "pf",
            "--allow-partial",
        ])
        .exits(0)
        .prints("Next  set OPENAI_API_KEY in the environment: the key for `")
        .prints(&format!("gate compare v1 v2 {flags}"));
}

#[test]
fn outside_git_it_says_what_a_comparison_will_need() {
    let sandbox = Sandbox::empty();
    sandbox
        .gate(&["init"])
        .exits(0)
        .prints("no git repository: git init");
}

#[test]
fn a_file_that_nothing_can_start_from_is_an_error() {
    let sandbox = repository();
    sandbox.write("notes.rs", "fn main() {}");
    sandbox.write("empty.csv", "a,b\n");
    sandbox.write("bad.jsonl", "{\"a\": 1}\n[1]\n");
    sandbox
        .gate(&["init", "notes.rs"])
        .exits(2)
        .says("is no prompt, no examples");
    sandbox.gate(&["init", "none.md"]).exits(2).says("none.md");
    sandbox
        .gate(&["init", "empty.csv"])
        .exits(2)
        .says("has no example");
    sandbox
        .gate(&["init", "bad.jsonl"])
        .exits(2)
        .says("bad.jsonl:2:1");
    assert!(!sandbox.path("evals").exists());
}
