//! Every form of a version reference.

use crate::sandbox::{SUITE, Sandbox, V1, v2};

#[test]
fn numbers_hashes_files_and_the_work_tree() {
    let sandbox = Sandbox::smallest();
    for (baseline, candidate) in [
        ("1", "2"),
        ("v1", "latest"),
        ("v1", "worktree"),
        ("sha256:f5d597cf", "v2"),
        ("v1", "file:prompts/label/v2.yaml"),
    ] {
        sandbox
            .gate(&["compare", baseline, candidate, "--json", "out.json"])
            .exits(0);
        let result = sandbox.json("out.json");
        let arms = &result["suites"][0]["arms"];
        assert!(
            arms["baseline"]["hash"]
                .as_str()
                .unwrap()
                .starts_with("sha256:f5d597cf"),
            "{baseline}"
        );
        assert!(
            arms["candidate"]["hash"]
                .as_str()
                .unwrap()
                .starts_with("sha256:afdc8559"),
            "{candidate}"
        );
    }
}

#[test]
fn revisions_of_git() {
    let sandbox = Sandbox::smallest();
    std::fs::remove_file(sandbox.path("prompts/label/v2.yaml")).unwrap();
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-qm", "first"]);
    sandbox.write("prompts/label/v2.yaml", &v2());
    sandbox
        .gate(&["compare", "git:HEAD", "worktree", "--json", "out.json"])
        .exits(0);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["baseline"]["version"],
        1
    );
    sandbox.gate(&["compare", "git:HEAD:v1", "v2"]).exits(0);
    sandbox
        .gate(&["compare", "git:nowhere", "v2"])
        .exits(2)
        .says("nowhere");
    sandbox
        .gate(&["compare", "--changed-since", "HEAD"])
        .exits(0)
        .says("v1 at HEAD (baseline) against v2");
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-qm", "second"]);
    sandbox
        .gate(&["compare", "--changed-since", "HEAD"])
        .exits(0)
        .prints("nothing that the suite uses has changed");
}

#[test]
fn an_unversioned_file_is_compared_with_itself_at_head() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "evals/label.yaml",
        &SUITE.replace("prompt: label", "prompt: ../app/label.md"),
    );
    sandbox.write("app/label.md", "Answer with one word: {{ticket}}\n");
    sandbox.git(&["init", "-q"]);
    sandbox.git(&["add", "."]);
    sandbox.git(&["commit", "-qm", "first"]);
    sandbox
        .gate(&["compare"])
        .exits(0)
        .prints("SKIPPED")
        .prints("the same content");
    sandbox.write(
        "app/label.md",
        "Be friendly. Answer with one word: {{ticket}}\n",
    );
    sandbox
        .gate(&["compare"])
        .exits(0)
        .says("git:HEAD (baseline) against worktree");
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("unversioned file");
}

#[test]
fn the_answers_of_a_stored_run() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "first.json"])
        .exits(0);
    sandbox
        .gate(&[
            "compare",
            "run:last#baseline",
            "run:last",
            "--no-cache",
            "--json",
            "out.json",
        ])
        .exits(0);
    let (first, out) = (sandbox.json("first.json"), sandbox.json("out.json"));
    let suite = &out["suites"][0];
    assert_eq!(suite["arms"]["candidate"]["requests"], 0);
    let transitions = |result: &serde_json::Value| -> Vec<String> {
        let cases = result["suites"][0]["cases"].as_array().unwrap();
        cases
            .iter()
            .map(|case| case["transition"].to_string())
            .collect()
    };
    assert_eq!(transitions(&first), transitions(&out));
}

#[test]
fn several_prompts_need_a_choice() {
    let sandbox = Sandbox::smallest();
    sandbox.write(
        "evals/other.yaml",
        &SUITE
            .replace("name: label", "name: other")
            .replace("prompt: label", "prompt: other"),
    );
    sandbox.write(
        "prompts/other/v1.yaml",
        &V1.replace("prompt: label", "prompt: other"),
    );
    sandbox.write(
        "prompts/other/v2.yaml",
        &v2().replace("prompt: label", "prompt: other"),
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("label, other")
        .says("--prompt");
    sandbox
        .gate(&["compare", "v1", "v2", "--prompt", "other"])
        .exits(0);
    sandbox
        .gate(&["compare"])
        .exits(0)
        .says("label: v1")
        .says("other: v1");
}
