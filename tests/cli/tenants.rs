//! A prompt's tenants: a change of the base gated over them, and the promotion of their layers.

use std::fmt::Write as _;

use serde_json::Value;

use crate::sandbox::Sandbox;

const BASE: &str = "gate: prompt/1\nprompt: label\nversion: 1\nvariables:\n  ticket: { type: string, max_length: 500 }\nmessages:\n  - { role: system, block: task, open: true, content: \"Answer with one word.\" }\n  - { role: user, content: \"{{ticket}}\" }\n";

fn layer(how: &str, text: &str) -> String {
    format!(
        "gate: prompt/1\ndescription: a layer\nextends: v1\nblocks:\n  task: {{ {how}: \"{text}\" }}\n"
    )
}

/// 40 cases, of which the friendly v2 loses five; the tenants append to the block that v2 changes.
fn project(tenants: &[&str]) -> Sandbox {
    let mut sandbox = Sandbox::smallest();
    sandbox.set("GATE_AUTHOR", "ana");
    sandbox.write("prompts/label/v1.yaml", BASE);
    let v2 = BASE
        .replace("version: 1", "version: 2")
        .replace("Answer", "Be friendly. Answer");
    sandbox.write("prompts/label/v2.yaml", &v2);
    let mut rules = "gate: mock/1\nrules:\n".to_owned();
    let mut cases = String::new();
    for case in 0..40 {
        let _ = writeln!(
            cases,
            "{{\"id\": \"c{case}\", \"vars\": {{\"ticket\": \"ticket {case}\"}}, \"expected\": \"bug\"}}"
        );
        if case < 5 {
            let _ = writeln!(
                rules,
                "  - {{ when: {{ system: friendly, case: c{case} }}, reply: \"Sure!\" }}"
            );
        }
    }
    rules.push_str("  - { reply: \"{{expected}}\" }\n");
    sandbox.write("fixtures/label.mock.yaml", &rules);
    sandbox.write("fixtures/label.jsonl", &cases);
    for tenant in tenants {
        let file = format!("prompts/label/tenants/{tenant}/v1.yaml");
        sandbox.write(&file, &layer("append", &format!("You work for {tenant}.")));
    }
    sandbox
}

fn compare(sandbox: &Sandbox, code: i32) -> Value {
    sandbox
        .gate(&["compare", "v1", "v2", "--tenants", "--json", "result.json"])
        .exits(code);
    sandbox.json("result.json")
}

#[test]
fn one_tenant_alone_finds_the_loss_and_four_share_the_error_rate() {
    let alone = compare(&project(&["acme"]), 1);
    let suites = alone["suites"].as_array().unwrap();
    assert_eq!(suites.len(), 1);
    assert_eq!(suites[0]["prompt"], "label#acme");
    assert_eq!(suites[0]["verdict"], "fail");
    let rule = &suites[0]["rules"][0];
    assert_eq!(rule["p_regression"], rule["p_regression_adjusted"]);
    let four = compare(&project(&["acme", "globex", "hooli", "initech"]), 0);
    let suites = four["suites"].as_array().unwrap();
    assert_eq!(suites.len(), 4);
    for (suite, tenant) in suites.iter().zip(["acme", "globex", "hooli", "initech"]) {
        assert_eq!(suite["prompt"], format!("label#{tenant}"));
        let rule = &suite["rules"][0];
        let (own, adjusted) = (&rule["p_regression"], &rule["p_regression_adjusted"]);
        // Five losses and no gain have the mid-p 1/64, and Holm over four equal ones makes it 4/64.
        assert_eq!(own.as_f64(), Some(1.0 / 64.0));
        assert_eq!(adjusted.as_f64(), Some(4.0 / 64.0));
        assert_eq!(suite["verdict"], "inconclusive");
    }
}

#[test]
fn critical_tenants_are_taken_and_the_rest_is_sampled() {
    let sandbox = project(&["acme", "globex", "hooli", "initech"]);
    sandbox.write(
        "prompts/label/prompt.yaml",
        "gate: registry/1\ntenants: { critical: [hooli], sample: 1 }\n",
    );
    let ran = sandbox.gate(&["compare", "v1", "v2", "--tenants", "--json", "result.json"]);
    ran.says("over 2 of 4 tenants (critical: hooli; sampled by what their layers change: ");
    let first = sandbox.json("result.json");
    assert_eq!(first["suites"][0]["prompt"], "label#hooli");
    assert_eq!(first["suites"].as_array().unwrap().len(), 2);
    sandbox.gate(&["compare", "v1", "v2", "--tenants", "--json", "again.json"]);
    assert_eq!(
        first["suites"][1]["prompt"],
        sandbox.json("again.json")["suites"][1]["prompt"]
    );
    sandbox.write(
        "prompts/label/prompt.yaml",
        "gate: registry/1\ntenants: { critical: [hooly] }\n",
    );
    sandbox
        .gate(&["compare", "v1", "v2", "--tenants"])
        .exits(2)
        .says("calls `hooly` critical, and it has no layer");
}

#[test]
fn a_layer_that_does_not_fit_or_is_not_reached_is_said() {
    let sandbox = project(&["acme"]);
    sandbox.write(
        "prompts/label/tenants/own/v1.yaml",
        &layer("replace", "Answer as we do."),
    );
    let result = compare(&sandbox, 1);
    let text = result.to_string();
    assert!(
        text.contains("label#own: the change does not reach it"),
        "{text}"
    );
    let closed = sandbox
        .read("prompts/label/v2.yaml")
        .replace(", open: true", "");
    sandbox.write("prompts/label/v2.yaml", &closed);
    sandbox
        .gate(&["compare", "v1", "v2", "--tenants"])
        .exits(2)
        .says("the base does not open block `task`")
        .says("prompts/label/tenants/acme/v1.yaml");
    let none = Sandbox::smallest();
    none.gate(&["compare", "v1", "v2", "--tenants"])
        .exits(2)
        .says("prompt `label` has no tenant");
}

/// A project whose tenant `acme` has two layers, the first of them stable.
fn with_layers() -> Sandbox {
    let sandbox = project(&[]);
    let suite = sandbox.read("evals/label.yaml");
    sandbox.write(
        "evals/label.yaml",
        &format!("{suite}policy: {{ margin: 0.5 }}\n"),
    );
    let add = |arguments: &[&str]| {
        let arguments = [&["prompt", "add"][..], arguments].concat();
        sandbox.gate(&arguments)
    };
    add(&["prompts/label/v1.yaml", "--description", "d"]).exits(0);
    for text in ["You work for acme.", "You work for acme in Graz."] {
        sandbox.write("layer.yaml", &layer("append", text));
        add(&[
            "layer.yaml",
            "--prompt",
            "label#acme",
            "--description",
            text,
        ])
        .exits(0)
        .prints("prompts/label/tenants/acme/v");
    }
    sandbox
        .gate(&["prompt", "get", "label#acme"])
        .exits(0)
        .prints("in Graz")
        .says("no layer of label#acme was promoted");
    force(&sandbox, "label#acme@v1")
        .exits(0)
        .prints("label#acme: stable nothing -> v1");
    sandbox
}

fn force(sandbox: &Sandbox, version: &str) -> crate::sandbox::Ran {
    sandbox.gate(&["prompt", "promote", version, "--force", "--why", "first"])
}

#[test]
fn a_tenants_layer_is_promoted_on_evidence_of_its_own() {
    let sandbox = with_layers();
    sandbox
        .gate(&["prompt", "promote", "label#acme@v2"])
        .exits(1)
        .says("gate compare stable v2 --suite label --prompt label#acme");
    sandbox
        .gate(&["compare", "v1", "v2", "--prompt", "label#acme"])
        .exits(0);
    sandbox
        .gate(&["prompt", "promote", "label#acme@v2"])
        .exits(0)
        .prints("prompts/label/tenants/acme/evidence/v2/label.json");
    let got = sandbox.gate(&["prompt", "get", "label#acme"]);
    got.exits(0).prints("\"ref\": \"label#acme@v2\"");
    sandbox.gate(&["prompt", "verify"]).exits(0);
    sandbox
        .gate(&["prompt", "rollback", "label#acme"])
        .exits(0)
        .prints("label#acme: stable v2 -> v1");
}

#[test]
fn what_protects_a_base_protects_the_layers_of_its_tenants() {
    let sandbox = with_layers();
    sandbox.write(
        "prompts/label/prompt.yaml",
        "gate: registry/1\nprotected: { stable: { approvals: 1 } }\n",
    );
    force(&sandbox, "label#acme@v2").exits(1).says("approv");
}
