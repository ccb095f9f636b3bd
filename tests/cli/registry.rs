//! `gate prompt`: versions, promotion on evidence, rollback, audit.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests: what goes wrong here fails the test"
)]

use crate::sandbox::{CASES, RULES, Ran, SUITE, Sandbox, V1, v2};

/// A policy under which three equal pairs pass, and `gate run` may decide.
const POLICY: &str = "policy: { preset: smoke, margin: 0.9, min_pass_rate: 0.2 }\n";

fn project() -> Sandbox {
    let mut sandbox = Sandbox::smallest();
    sandbox.set("GATE_AUTHOR", "ana");
    sandbox.write("evals/label.yaml", &format!("{SUITE}{POLICY}"));
    sandbox.write(
        "fixtures/label.mock.yaml",
        "gate: mock/1\nrules:\n  - { reply: \"{{expected}}\" }\n",
    );
    sandbox
}

fn add_both(sandbox: &Sandbox) {
    for file in ["prompts/label/v1.yaml", "prompts/label/v2.yaml"] {
        sandbox
            .gate(&["prompt", "add", file, "--description", "a version"])
            .exits(0)
            .prints("put into the log");
    }
}

/// A project with v1 as `stable`, on evidence.
fn promoted() -> Sandbox {
    let sandbox = project();
    add_both(&sandbox);
    sandbox.gate(&["run", "v1"]).exits(0);
    sandbox
        .gate(&["prompt", "promote", "label@v1"])
        .exits(0)
        .prints("label: stable nothing -> v1");
    sandbox
}

fn refused(sandbox: &Sandbox, because: &str) {
    sandbox
        .gate(&["prompt", "promote", "label@v2"])
        .exits(1)
        .says(because)
        .says("gate: gate_failed: label@v2 was not promoted");
    sandbox
        .gate(&["prompt", "status", "label"])
        .exits(0)
        .prints("<- stable");
    let log = sandbox.read("prompts/label/log.jsonl");
    assert!(
        !log.contains("\"version\": 2, \"channel\": \"stable\""),
        "{log}"
    );
}

#[test]
fn a_file_becomes_the_next_version() {
    let sandbox = project();
    sandbox.write("draft.yaml", &V1.replace("Answer with", "Reply with"));
    sandbox
        .gate(&["prompt", "add", "draft.yaml"])
        .exits(2)
        .says("has no description");
    let added = sandbox.gate(&[
        "prompt",
        "add",
        "draft.yaml",
        "--description",
        "says: reply",
    ]);
    added
        .exits(0)
        .prints("label@v3 added: prompts/label/v3.yaml (sha256:")
        .prints(
            "git add -- prompts/label/v3.yaml prompts/label/log.jsonl && git commit -m 'label: v3'",
        );
    let text = sandbox.read("prompts/label/v3.yaml");
    assert!(text.contains("version: 3\n"), "{text}");
    assert!(text.contains("description: \"says: reply\"\n"), "{text}");
    assert!(text.contains("author: ana\n"), "{text}");
    sandbox
        .gate(&["prompt", "add", "draft.yaml", "--description", "again"])
        .exits(2)
        .says("v3 has the same hash");
    sandbox
        .gate(&["prompt", "verify"])
        .exits(0)
        .prints("label: intact, 1 line, head sha256:")
        .says("note: prompts/label/log.jsonl: prompts/label/v1.yaml is not in the log");
}

#[test]
fn plain_text_and_new_prompts_are_added() {
    let sandbox = project();
    sandbox.write("greet.md", "Greet {{name}} in one line.\n");
    sandbox
        .gate(&["prompt", "add", "greet.md", "--description", "first"])
        .exits(0)
        .prints("greet@v1 added: prompts/greet/v1.md");
    sandbox
        .gate(&["prompt", "get", "greet@latest"])
        .exits(0)
        .prints("Greet {{name}}");
    sandbox.write("x.yaml", &V1.replace("prompt: label", "prompt: ../../etc"));
    sandbox
        .gate(&["prompt", "add", "x.yaml", "--description", "d"])
        .exits(2);
    sandbox
        .gate(&[
            "prompt",
            "add",
            "greet.md",
            "--prompt",
            "gate/mine",
            "--description",
            "d",
        ])
        .exits(2)
        .says("belong to the judges");
}

#[test]
fn hostile_names_are_refused_everywhere() {
    let sandbox = promoted();
    let long = "a".repeat(300);
    for bad in [
        "../x",
        "/etc/passwd",
        "l\u{430}bel",
        long.as_str(),
        "label\u{202e}",
        "..",
        "a//b",
        "LABEL",
    ] {
        let reference = format!("{bad}@v1");
        let tenant = format!("label#{bad}");
        for command in [
            vec!["prompt", "get", reference.as_str()],
            vec!["prompt", "get", tenant.as_str()],
            vec![
                "prompt",
                "promote",
                tenant.as_str(),
                "--force",
                "--why",
                "x",
            ],
            vec!["prompt", "copy", bad, "--from", "prompts", "--to", "other"],
            vec!["prompt", "promote", reference.as_str()],
            vec!["prompt", "rollback", bad],
            vec!["prompt", "log", bad],
            vec![
                "prompt",
                "add",
                "prompts/label/v1.yaml",
                "--description",
                "d",
                "--prompt",
                bad,
            ],
            vec!["prompt", "get", "label@v1", "--variant", bad],
            vec!["prompt", "promote", "label@v2", "--channel", bad],
        ] {
            let ran = sandbox.gate(&command);
            assert_eq!(ran.code, 2, "{command:?}: {}{}", ran.stdout, ran.stderr);
        }
    }
    for version in ["v0", "v01", "v-1", "v99999999999", "v1/../v2", "99"] {
        sandbox
            .gate(&["prompt", "get", &format!("label@{version}")])
            .exits(2);
    }
}

#[test]
fn an_application_gets_a_version_with_its_hash() {
    let sandbox = promoted();
    let got = sandbox.gate(&["prompt", "get", "label"]);
    got.exits(0);
    let document: serde_json::Value = serde_json::from_str(&got.stdout).unwrap();
    assert_eq!(document["slug"], "label");
    assert_eq!(document["version"], 1);
    assert_eq!(document["status"], "active");
    assert!(
        document["hash"]
            .as_str()
            .unwrap()
            .starts_with("sha256:f5d597cf")
    );
    assert_eq!(document["messages"][1]["content"], "{{ticket}}");
    assert_eq!(document["variables"]["ticket"]["max_length"], 500);
    sandbox.write("values.json", "{\"ticket\": \"It {{broke}}\"}");
    let got = sandbox.gate(&["prompt", "get", "label@v2", "--vars", "values.json"]);
    let document: serde_json::Value = serde_json::from_str(&got.stdout).unwrap();
    assert_eq!(document["messages"][1]["content"], "It {{broke}}");
    sandbox.write("values.json", "{\"tickets\": \"x\"}");
    sandbox
        .gate(&["prompt", "get", "label", "--vars", "values.json"])
        .exits(2)
        .says("`ticket` is missing")
        .says("did you mean `ticket`?");
}

#[test]
fn a_variant_falls_back_to_the_base_and_says_so() {
    let sandbox = promoted();
    sandbox
        .gate(&["prompt", "get", "label", "--variant", "claude"])
        .exits(0)
        .prints("\"variant\": null")
        .says("there is no prompt `label/claude`; this is label@v1 of the base");
    sandbox.write(
        "claude.yaml",
        &V1.replace("prompt: label\nversion: 1\n", "")
            .replace("Answer", "Please answer"),
    );
    sandbox
        .gate(&[
            "prompt",
            "add",
            "claude.yaml",
            "--prompt",
            "label/claude",
            "--description",
            "d",
        ])
        .exits(0);
    sandbox
        .gate(&["prompt", "get", "label@latest", "--variant", "claude"])
        .exits(0)
        .prints("\"slug\": \"label/claude\"")
        .prints("\"variant\": \"claude\"");
    sandbox
        .gate(&["prompt", "get", "label", "--variant", "claude"])
        .exits(0)
        .says("this is label@v1 of the base");
}

#[test]
fn promotion_needs_evidence_and_takes_it_along() {
    let sandbox = promoted();
    let result = sandbox.json("prompts/label/evidence/v1/label.json");
    assert_eq!(result["schema"], "gate/result@1");
    assert_eq!(result["suites"][0]["verdict"], "pass");
    refused(&sandbox, "there is no result for this version");
    sandbox
        .gate(&["prompt", "promote", "label@v2"])
        .says("help: gate compare stable v2 --suite label");
    sandbox
        .gate(&["compare", "stable", "v2"])
        .exits(0)
        .prints("gate prompt promote label@v2");
    let moved = sandbox.gate(&["prompt", "promote", "label@v2", "--why", "better words"]);
    moved
        .exits(0)
        .prints("label: stable v1 -> v2")
        .prints("evidence: prompts/label/evidence/v2/label.json")
        .prints("git add -- prompts/label/v2.yaml prompts/label/log.jsonl prompts/label/evidence/v2/label.json && git commit");
    sandbox
        .gate(&["prompt", "verify"])
        .exits(0)
        .prints("intact");
    sandbox
        .gate(&["prompt", "log"])
        .exits(0)
        .prints("promote v2 stable v1 -> v2, by ana, on label@main run ");
    let log = sandbox.gate(&["prompt", "log"]).stdout;
    let places: Vec<_> = log.lines().filter_map(|line| line.find("Z  ")).collect();
    assert_eq!(places, [31; 4], "{log}");
    // Once it is live there is nothing to offer.
    let again = sandbox.gate(&["report", "last"]);
    assert!(
        !again.stdout.contains("gate prompt promote"),
        "{}",
        again.stdout
    );
}

#[test]
fn evidence_for_another_hash_or_baseline_is_none() {
    let sandbox = promoted();
    sandbox.write("draft.yaml", &V1.replace("Answer with", "Reply with"));
    sandbox
        .gate(&["prompt", "add", "draft.yaml", "--description", "d"])
        .exits(0);
    sandbox.gate(&["compare", "stable", "v3"]).exits(0);
    refused(&sandbox, "the nearest is about another content");
    sandbox.gate(&["compare", "v3", "v2"]).exits(0);
    refused(&sandbox, "the result compares with v3 (");
    sandbox.gate(&["run", "v2"]).exits(0);
    refused(
        &sandbox,
        "the result compares with nothing, and `stable` is v1 (",
    );
}

#[test]
fn evidence_on_other_data_or_another_suite_is_none() {
    let sandbox = promoted();
    sandbox.gate(&["compare", "stable", "v2"]).exits(0);
    sandbox.write("fixtures/label.jsonl", &CASES.replace("Graz", "Linz"));
    refused(&sandbox, "the dataset changed since");
    sandbox.write("fixtures/label.jsonl", CASES);
    sandbox.write(
        "evals/label.yaml",
        &format!("{SUITE}{}", POLICY.replace("0.9", "0.8")),
    );
    refused(&sandbox, "the suite changed since");
    sandbox.write("evals/label.yaml", &format!("{SUITE}{POLICY}"));
    sandbox.gate(&["prompt", "promote", "label@v2"]).exits(0);
}

#[test]
fn a_changed_judge_is_named() {
    let sandbox = project();
    let judge = "gate: prompt/1\nprompt: judges/tone\nversion: 1\nvariables:\n  answer: { type: string, max_length: 500 }\nmessages:\n  - { role: user, content: \"Is this polite? {{answer}}\" }\n";
    sandbox.write("prompts/judges/tone/v1.yaml", judge);
    sandbox.write(
        "prompts/judges/tone/v2.yaml",
        &judge
            .replace("version: 1", "version: 2")
            .replace("polite", "kind"),
    );
    let suite = |version: u32| {
        format!(
            "{}judge_models: [{{ name: grader, provider: mock, rules: ../fixtures/judge.mock.yaml }}]\n{POLICY}",
            SUITE.replace(
                "scorers: [",
                &format!(
                    "scorers: [{{ name: tone, type: judge, judge: judges/tone@v{version} }}, "
                )
            )
        )
    };
    sandbox.write("fixtures/judge.mock.yaml", "gate: mock/1\nrules:\n  - { reply: \"{\\\"reason\\\": \\\"r\\\", \\\"pass\\\": true, \\\"score\\\": 1}\" }\n");
    sandbox.write("evals/label.yaml", &suite(1));
    sandbox
        .gate(&["prompt", "promote", "label@v1", "--force", "--why", "first"])
        .exits(0);
    sandbox
        .gate(&["compare", "stable", "v2"])
        .exits(0)
        .prints("gate prompt promote label@v2");
    sandbox.write("evals/label.yaml", &suite(2));
    refused(&sandbox, "the judge of scorer `tone` changed since");
}

#[test]
fn undecided_partial_and_ungated_results_are_no_evidence() {
    let sandbox = promoted();
    sandbox
        .gate(&["compare", "stable", "v2", "--case", "c1"])
        .exits(0);
    refused(&sandbox, "the run was filtered");
    sandbox.write("fixtures/label.mock.yaml", RULES);
    sandbox.write("evals/label.yaml", SUITE);
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    refused(&sandbox, "the verdict is inconclusive");
    let sandbox = project();
    sandbox.write("evals/label.yaml", SUITE);
    sandbox
        .gate(&["run", "v2", "--no-gate"])
        .exits(0)
        .prints("No rule decides");
    sandbox
        .gate(&["prompt", "promote", "label@v2"])
        .exits(1)
        .says("suite `label`, model `main`: no rule formed a verdict")
        .says("gate: gate_failed: label@v2 was not promoted, 1 thing missing");
}

#[test]
fn answers_of_another_run_are_no_evidence() {
    let sandbox = promoted();
    sandbox.gate(&["compare", "stable", "v2"]).exits(0);
    sandbox
        .gate(&["compare", "run:last#baseline", "run:last"])
        .exits(0);
    let last = newest_run(&sandbox);
    sandbox
        .gate(&["prompt", "promote", "label@v2", "--run", &last])
        .exits(1)
        .says("the answers were those of another run");
    sandbox.gate(&["prompt", "promote", "label@v2"]).exits(0);
}

fn newest_run(sandbox: &Sandbox) -> String {
    let runs = std::fs::read_dir(sandbox.path(".gate/runs")).expect("there are runs");
    let names = runs.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.max().expect("there is a run")
}

#[test]
fn a_forced_promotion_needs_a_reason_and_is_marked() {
    let sandbox = promoted();
    sandbox
        .gate(&["prompt", "promote", "v2", "--force"])
        .exits(2)
        .says("needs a reason");
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "=outage"])
        .exits(0)
        .says("passed over")
        .says("there is no result for this version");
    sandbox
        .gate(&["prompt", "log", "label"])
        .prints("FORCED without evidence: =outage");
    let csv = sandbox.gate(&["prompt", "log", "--format", "csv"]);
    csv.exits(0).prints(",yes,'=outage,sha256:");
    let json = sandbox.gate(&["prompt", "log", "--format", "json"]);
    let last: serde_json::Value =
        serde_json::from_str(json.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&last["prompt"], &last["evidence"]),
        (&"label".into(), &serde_json::Value::Null)
    );
    // Once it is there, nothing is missing and nothing is written.
    let log = sandbox.read("prompts/label/log.jsonl");
    for more in [&[][..], &["--force", "--why", "again"]] {
        sandbox
            .gate(&[&["prompt", "promote", "v2"], more].concat())
            .exits(0)
            .prints("label@v2 is stable already: nothing to do");
    }
    assert_eq!(log, sandbox.read("prompts/label/log.jsonl"));
    sandbox
        .gate(&["prompt", "promote", "v1"])
        .exits(1)
        .says("v1 is deprecated since")
        .says("help: gate prompt rollback label --to v1");
}

#[test]
fn a_hotfix_does_not_wait_for_a_broken_suite() {
    let sandbox = promoted();
    sandbox.write("fixtures/label.jsonl", "{");
    sandbox.gate(&["prompt", "promote", "v2"]).exits(2);
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "x"])
        .exits(0)
        .says("no suite tests prompt `label`");
    sandbox.gate(&["prompt", "rollback", "label"]).exits(0);
}

#[test]
fn old_evidence_and_suites_that_are_not_there_are_named() {
    let sandbox = promoted();
    sandbox.write(
        "prompts/label/prompt.yaml",
        "gate: registry/1\ngates: [label, tone]\nmax_age_days: 30\n",
    );
    sandbox.gate(&["compare", "stable", "v2"]).exits(0);
    refused(&sandbox, "names suite `tone`, and there is no such suite");
    sandbox.write("prompts/label/prompt.yaml", "gate: registry/1\ngate: x\n");
    sandbox
        .gate(&["prompt", "promote", "v2"])
        .exits(2)
        .says("prompt.yaml");
}

#[test]
fn a_protected_channel_needs_other_people() {
    let sandbox = promoted();
    sandbox.write(
        "prompts/label/prompt.yaml",
        "{gate: registry/1, protected: {stable: {approvals: 1}}}\n",
    );
    sandbox.gate(&["compare", "stable", "v2"]).exits(0);
    refused(&sandbox, "needs 1 approval");
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "x"])
        .exits(1)
        .says("gate prompt approve label@v2 --channel stable");
    sandbox
        .gate(&["prompt", "approve", "label@v2"])
        .exits(2)
        .says("its author can not approve it");
    sandbox
        .gate(&["prompt", "approve", "label@v2", "--author", "ben"])
        .exits(0)
        .prints("approved for stable by ben: 1 of 1");
    sandbox
        .gate(&["prompt", "status", "label"])
        .prints("(approved for stable by ben)");
    sandbox.gate(&["prompt", "promote", "v2"]).exits(0);
}

#[test]
fn channels_and_statuses_of_ones_own() {
    let sandbox = promoted();
    sandbox
        .gate(&["prompt", "promote", "v2", "--channel", "canary"])
        .exits(0)
        .prints("label: canary nothing -> v2");
    sandbox
        .gate(&["prompt", "get", "label@canary"])
        .exits(0)
        .prints("\"version\": 2");
    sandbox
        .gate(&["prompt", "promote", "v2", "--channel", "latest"])
        .exits(1)
        .says("moves by itself");
    sandbox
        .gate(&["prompt", "status", "label@v2", "testing"])
        .exits(0)
        .prints("is testing now");
    sandbox
        .gate(&["prompt", "status", "label@v1", "deprecated"])
        .exits(2)
        .says("roll back")
        .says("help: gate prompt rollback label");
    sandbox
        .gate(&["prompt", "status"])
        .exits(0)
        .prints("v2 testing since")
        .prints("<- canary");
}

#[test]
fn a_rollback_says_from_to_and_since_when() {
    let sandbox = promoted();
    sandbox
        .gate(&["prompt", "rollback"])
        .exits(0)
        .prints("no channel has anything to go back to");
    sandbox
        .gate(&["prompt", "rollback", "label"])
        .exits(2)
        .says("nothing to go back to")
        .says("help: promote another version: gate prompt promote label@vN");
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "x"])
        .exits(0);
    sandbox
        .gate(&["prompt", "rollback"])
        .exits(0)
        .prints("label: stable v2 -> v1: gate prompt rollback label");
    sandbox
        .gate(&["prompt", "rollback", "label", "--to", "v9"])
        .exits(2)
        .says("never pointed to v9")
        .says("gate prompt promote label@v9");
    sandbox
        .gate(&["prompt", "rollback", "label", "--why", "wrong labels"])
        .exits(0)
        .prints("label: stable v2 -> v1\n  v1 was live from 20")
        .prints("git add -- prompts/label/log.jsonl && git commit -m 'label: stable v2 -> v1'");
    sandbox
        .gate(&["prompt", "status"])
        .prints("v2 deprecated since")
        .prints("wrong labels");
    sandbox
        .gate(&["prompt", "promote", "v2"])
        .exits(1)
        .says("v2 is deprecated since");
    sandbox.gate(&["prompt", "rollback", "label"]).exits(2);
}

#[test]
fn a_channel_never_goes_back_to_a_file_that_was_edited() {
    let sandbox = promoted();
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "x"])
        .exits(0);
    sandbox.write(
        "prompts/label/v1.yaml",
        &V1.replace("one word", "two words"),
    );
    sandbox
        .gate(&["prompt", "rollback", "label"])
        .exits(2)
        .says("was edited after it was added");
    std::fs::remove_file(sandbox.path("prompts/label/v1.yaml")).unwrap();
    sandbox
        .gate(&["prompt", "rollback", "label"])
        .exits(2)
        .says("v1");
    sandbox
        .gate(&["prompt", "get", "label"])
        .exits(0)
        .prints("\"version\": 2");
}

#[test]
fn what_was_live_is_answered_by_hash_and_by_time() {
    let sandbox = promoted();
    sandbox
        .gate(&["prompt", "which", "--hash", "sha256:f5d597cf"])
        .exits(0)
        .prints("label@v1 sha256:f5d597cf")
        .prints("  stable from 20");
    sandbox
        .gate(&["prompt", "which", "--at", "2100-01-01T15:00"])
        .exits(0)
        .prints("label@v1")
        .prints("promoted from nothing by ana")
        .prints("evidence: label@main run ");
    sandbox
        .gate(&["prompt", "which", "--at", "2001-01-01"])
        .exits(2)
        .says("pointed to nothing");
    sandbox
        .gate(&["prompt", "which", "--at", "Tuesday"])
        .exits(2)
        .says("2026-10-02");
    sandbox
        .gate(&["prompt", "which", "--hash", "sha256:00000000"])
        .exits(2);
    sandbox.gate(&["prompt", "which"]).exits(2);
}

#[test]
fn any_flipped_byte_is_found_with_its_line() {
    let sandbox = promoted();
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "x"])
        .exits(0);
    let head = {
        let ran = sandbox.gate(&["prompt", "verify", "label"]);
        ran.exits(0);
        ran.stdout.trim().rsplit(' ').next().unwrap().to_owned()
    };
    let files = [
        "prompts/label/log.jsonl",
        "prompts/label/v1.yaml",
        "prompts/label/evidence/v1/label.json",
    ];
    for file in files {
        let whole = std::fs::read(sandbox.path(file)).unwrap();
        let step = (whole.len() / 40).max(1);
        for place in (0..whole.len()).step_by(step) {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            std::fs::write(sandbox.path(file), &bytes).unwrap();
            let ran = sandbox.gate(&["prompt", "verify"]);
            ran.exits(3).says("store_corrupt");
            let line = whole[..place].split(|byte| *byte == b'\n').count();
            if file.ends_with("log.jsonl") {
                let near = [line, line + 1].map(|line| format!("line {line}"));
                assert!(
                    near.iter().any(|near| ran.stderr.contains(near)),
                    "byte {place}: {}",
                    ran.stderr
                );
            }
        }
        std::fs::write(sandbox.path(file), &whole).unwrap();
    }
    let log = sandbox.read(files[0]);
    let lines: Vec<&str> = log.lines().collect();
    sandbox.write(
        files[0],
        &format!("{}\n", lines[..lines.len() - 1].join("\n")),
    );
    sandbox.gate(&["prompt", "verify"]).exits(0);
    sandbox
        .gate(&["prompt", "verify", "label", "--head", &head])
        .exits(3)
        .says("its end was cut off");
    sandbox.write(files[0], &log);
    sandbox
        .gate(&["prompt", "verify", "label", "--head", &head])
        .exits(0);
}

#[test]
fn two_merged_branches_become_one_log() {
    let sandbox = promoted();
    let log = "prompts/label/log.jsonl";
    let base = sandbox.read(log);
    let branch = |channel: &str| {
        sandbox.write(log, &base);
        sandbox
            .gate(&["prompt", "promote", "v2", "--channel", channel])
            .exits(0);
        sandbox.read(log).lines().last().unwrap().to_owned()
    };
    let (ours, theirs) = (branch("canary"), branch("staging"));
    sandbox.write(log, &format!("{base}{ours}\n{theirs}\n"));
    sandbox
        .gate(&["prompt", "verify"])
        .exits(3)
        .says("help: gate prompt log label --repair-merge");
    sandbox
        .gate(&["prompt", "get", "label"])
        .exits(3)
        .says("store_corrupt")
        .says("--repair-merge");
    sandbox
        .gate(&["prompt", "log", "label", "--repair-merge"])
        .exits(0)
        .prints("two branches are one log now");
    sandbox.gate(&["prompt", "verify"]).exits(0);
    sandbox
        .gate(&["prompt", "status"])
        .exits(0)
        .prints("<- canary <- staging");
    sandbox
        .gate(&["prompt", "log", "label", "--repair-merge"])
        .exits(2)
        .says("nothing to repair");
}

#[test]
fn moves_are_signed_by_the_key_in_the_environment() {
    let mut sandbox = promoted();
    sandbox.set("GATE_SIGNING_KEY", "not a key");
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "x"])
        .exits(2)
        .says("64 hex digits");
    sandbox.set("GATE_SIGNING_KEY", &"07".repeat(32));
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "x"])
        .exits(0)
        .prints("prompts/label/signatures.jsonl");
    sandbox.gate(&["prompt", "rollback", "label"]).exits(0);
    let verified = sandbox.gate(&["prompt", "verify", "label"]);
    verified.exits(0).prints("2 lines signed by ed25519:");
    let key = verified.stdout.trim().rsplit(' ').next().unwrap();
    sandbox
        .gate(&["prompt", "verify", "label", "--signed", key])
        .exits(0);
    sandbox.set("GATE_SIGNING_KEY", "");
    sandbox
        .gate(&["prompt", "promote", "v2", "--force", "--why", "again"])
        .exits(0);
    sandbox
        .gate(&["prompt", "verify", "label", "--signed", key])
        .exits(3)
        .says("line 6 of the log (promote) is not signed by a trusted key");
    let signatures = sandbox.read("prompts/label/signatures.jsonl");
    sandbox.write(
        "prompts/label/signatures.jsonl",
        &signatures.replace("\"signature\":\"", "\"signature\":\"0"),
    );
    sandbox
        .gate(&["prompt", "verify", "label"])
        .exits(3)
        .says("line 1 of signatures.jsonl is a false signature");
}

#[test]
fn a_tenant_changes_open_blocks_and_no_other() {
    let sandbox = project();
    let base = V1.replace("version: 1", "version: 3").replace(
        "{ role: system, content",
        "{ role: system, block: task, open: true, content",
    );
    sandbox.write("prompts/label/v3.yaml", &base);
    let layer =
        "gate: prompt/1\nextends: v3\nblocks:\n  task: { append: \"Tickets are in German.\" }\n";
    sandbox.write("prompts/label/tenants/acme/v1.yaml", layer);
    let got = sandbox.gate(&["prompt", "get", "label#acme"]);
    got.exits(0).prints("Tickets are in German.");
    let document: serde_json::Value = serde_json::from_str(&got.stdout).unwrap();
    assert_eq!(document["ref"], "label#acme@v1");
    assert!(document["hash"].as_str().unwrap().starts_with("sha256:"));
    sandbox
        .gate(&["prompt", "diff", "label@v3", "label#acme"])
        .exits(0)
        .prints("{+Tickets are in German.+}");
    let merged = sandbox.gate(&["prompt", "show", "label#acme@v1"]);
    sandbox.write("prompts/acme.yaml", &merged.stdout);
    sandbox
        .gate(&["compare", "v3", "file:prompts/acme.yaml"])
        .exits(0);
    sandbox.write(
        "prompts/label/tenants/acme/v2.yaml",
        &layer.replace("v3", "v1"),
    );
    sandbox
        .gate(&["prompt", "get", "label#acme"])
        .exits(2)
        .says("the base has no block `task`");
    sandbox
        .gate(&["prompt", "lint"])
        .exits(2)
        .says("the base has no block `task`");
    for bad in [
        "label#../x",
        "label#",
        "label#acme@stable",
        "label#acmee",
        "label#acme@v9",
        "..#acme",
    ] {
        sandbox.gate(&["prompt", "get", bad]).exits(2);
    }
}

#[test]
fn lint_warns_and_does_not_fail() {
    let sandbox = project();
    sandbox.write(
        "prompts/label/v3.yaml",
        &V1.replace("version: 1", "version: 3")
            .replace("max_length: 500", "required: true")
            .replace("params:", "model_hint: gpt-4o\nparams:"),
    );
    sandbox
        .gate(&["prompt", "lint", "label@v3"])
        .exits(0)
        .says("no-max-length")
        .says("prompts/label/v3.yaml:7:3")
        .says("floating-model")
        .says("no-description")
        .prints("1 version checked: 0 errors, 3 warnings");
    sandbox.gate(&["prompt", "lint"]).exits(0);
}

#[test]
fn a_diff_shows_words_variables_and_tokens() {
    let sandbox = project();
    sandbox.write(
        "prompts/label/v3.yaml",
        &v2()
            .replace("version: 2", "version: 3")
            .replace("500", "900"),
    );
    sandbox
        .gate(&["prompt", "diff", "label@v1", "v3"])
        .exits(0)
        .prints("message 1 (system):")
        .prints("{+Be friendly. +}")
        .prints("variable ticket: {\"max_length\":500")
        .prints("tokens without values: about 14 -> about 17 (+3)");
}

#[test]
fn of_two_promotions_at_once_one_wins_and_the_other_is_told() {
    let sandbox = project();
    add_both(&sandbox);
    for round in 0..6 {
        let race = |version: &'static str, why: &str| {
            sandbox
                .command(&[
                    "prompt",
                    "promote",
                    version,
                    "--channel",
                    &format!("race-{round}"),
                    "--why",
                    why,
                ])
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        };
        let racers = [race("label@v1", "one"), race("label@v2", "two")];
        let ends: Vec<_> = racers
            .into_iter()
            .map(|child| child.wait_with_output().unwrap())
            .collect();
        let lost: Vec<_> = ends.iter().filter(|end| !end.status.success()).collect();
        for end in &lost {
            let said = String::from_utf8_lossy(&end.stderr);
            assert!(said.contains("was changed meanwhile, by ana"), "{said}");
        }
        // Where the one was over before the other began, both moved the channel, one after the other.
        assert!(lost.len() < 2);
        sandbox.gate(&["prompt", "verify"]).exits(0);
    }
}

/// How many kills: a few by default, as many as are asked for.
pub fn kills() -> u64 {
    let wanted = std::env::var("GATE_TEST_KILLS").ok();
    wanted.map_or(24, |wanted| wanted.parse().unwrap())
}

#[test]
fn a_killed_change_leaves_no_half() {
    let sandbox = project();
    add_both(&sandbox);
    for round in 0..kills() {
        sandbox.write(
            "draft.yaml",
            &V1.replace("Answer with", &format!("Answer {round} with")),
        );
        let command: Vec<&str> = match round % 3 {
            0 => vec!["prompt", "add", "draft.yaml", "--description", "d"],
            1 => vec!["prompt", "promote", "latest", "--force", "--why", "w"],
            _ => vec!["prompt", "rollback", "label"],
        };
        let mut child = sandbox
            .command(&command)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // No clock decides here: how far the child comes is chance, as it is with a real kill.
        for _ in 0..round * 37 % 3_000 {
            std::thread::yield_now();
        }
        let _ = child.kill();
        child.wait().unwrap();
        let verified: Ran = sandbox.gate(&["prompt", "verify"]);
        verified.exits(0);
        sandbox.gate(&["prompt", "get", "label@latest"]).exits(0);
    }
    // Whatever was left lying is taken up again, or taken away.
    sandbox.write("draft.yaml", &V1.replace("Answer with", "In the end"));
    sandbox
        .gate(&["prompt", "add", "draft.yaml", "--description", "d"])
        .exits(0);
    sandbox.gate(&["prompt", "promote", "latest", "--force", "--why", "w"]);
    sandbox.gate(&["prompt", "verify"]).exits(0);
    let names = std::fs::read_dir(sandbox.path("prompts/label")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = names.filter(|name| name.starts_with('.')).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_way_to_a_first_promotion_begins_with_an_absolute_rule() {
    let sandbox = project();
    sandbox.write("evals/label.yaml", SUITE);
    let hint = "add `min_pass_rate` to the policy of evals/label.yaml, then gate run v1";
    sandbox
        .gate(&[
            "prompt",
            "add",
            "prompts/label/v1.yaml",
            "--description",
            "first",
        ])
        .exits(0)
        .prints(hint);
    sandbox
        .gate(&["prompt", "promote", "label@v1"])
        .exits(1)
        .says(hint);
}

#[test]
fn a_second_rollback_says_where_the_channel_came_from() {
    let sandbox = promoted();
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    sandbox.gate(&["prompt", "promote", "label@v2"]).exits(0);
    sandbox.gate(&["prompt", "rollback", "label"]).exits(0);
    sandbox
        .gate(&["prompt", "rollback", "label"])
        .exits(2)
        .says("came back from v2 already, to v1")
        .says("gate prompt rollback label --to v2");
}

#[test]
fn a_command_of_prompt_that_stands_alone_is_told_its_place() {
    let sandbox = Sandbox::smallest();
    for (given, tip) in [
        (&["promote", "v3"][..], "gate prompt promote v3"),
        (
            &["rollback", "label", "--to", "v1"],
            "gate prompt rollback label --to v1",
        ),
        (&["log"], "gate prompt log"),
        (&["status"], "gate prompt status"),
        (&["approve", "v2"], "gate prompt approve v2"),
        (&["verify"], "gate prompt verify"),
        (&["-q", "add", "a b.yaml"], "gate prompt add\n"),
    ] {
        sandbox
            .gate(given)
            .exits(2)
            .says(&format!("a command of `prompt`: {tip}"));
    }
    // What is none of them keeps the tip by its spelling.
    sandbox.gate(&["compre"]).exits(2).says("'compare'");
}
