//! `gate ab`: counts and logs of production traffic.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests: what goes wrong here fails the test"
)]

use std::fmt::Write as _;

use serde_json::Value;

use crate::sandbox::Sandbox;

fn json(sandbox: &Sandbox, arguments: &[&str], code: i32) -> Value {
    let ran = sandbox.gate(arguments);
    ran.exits(code);
    serde_json::from_str(&ran.stdout).expect("stdout is JSON")
}

#[test]
fn counts_decide_by_the_two_sided_z_test() {
    let sandbox = Sandbox::empty();
    let found = json(&sandbox, &["ab", "v7=430/500", "v8=455/500", "--json"], 0);
    assert_eq!(found["schema"], "gate/ab@1");
    assert_eq!(found["verdict"], "pass");
    let z = &found["tests"][0];
    assert_eq!(z["name"], "two-proportion-z");
    assert!((z["p_two_sided"].as_f64().unwrap() - 0.013_208).abs() < 1e-6);
    assert_eq!(found["tests"][1]["name"], "fisher-exact");
    assert_eq!(found["sample_ratio"]["suspect"], false);
    let worse = json(&sandbox, &["ab", "v8=455/500", "v7=430/500", "--json"], 1);
    assert_eq!(worse["verdict"], "fail");
    let ran = sandbox.gate(&["ab", "v8=455/500", "v7=430/500"]);
    ran.exits(1)
        .prints("FAIL  v7 is worse than v8")
        .says("gate: gate_failed:");
    sandbox
        .gate(&["ab", "v7=430/500", "v8=440/500"])
        .exits(0)
        .prints("INCONCLUSIVE");
}

#[test]
fn an_uneven_split_is_inconclusive_with_exit_4() {
    let sandbox = Sandbox::empty();
    sandbox
        .gate(&["ab", "v7=430/500", "v8=700/750"])
        .exits(4)
        .prints("suspect");
    sandbox
        .gate(&["ab", "v7=430/500", "v8=700/750", "--split", "40/60"])
        .exits(0)
        .prints("PASS");
}

#[test]
fn a_log_counts_like_its_counts() {
    let sandbox = Sandbox::empty();
    let mut csv = String::from("when,version,ok\n");
    let mut jsonl = String::new();
    for event in 0..1000 {
        let (arm, limit) = [("v7", 860), ("v8", 910)][event % 2];
        let passed = event < limit;
        let _ = writeln!(csv, "{event},{arm},{}", u8::from(passed));
        let _ = writeln!(jsonl, "{{\"version\": \"{arm}\", \"ok\": {passed}}}");
    }
    sandbox.write("log.csv", &csv);
    sandbox.write("log.jsonl", &jsonl);
    for file in ["log.csv", "log.jsonl"] {
        let arguments = [
            "ab",
            "--data",
            file,
            "--arm",
            "version",
            "--outcome",
            "ok",
            "--json",
        ];
        let found = json(&sandbox, &arguments, 0);
        assert_eq!(found["arms"][0]["passed"], 430);
        assert_eq!(found["arms"][1]["trials"], 500);
        assert_eq!(found["verdict"], "pass");
    }
    let back = [
        "ab",
        "--data",
        "log.csv",
        "--arm",
        "version",
        "--outcome",
        "ok",
        "--baseline",
        "v8",
    ];
    sandbox.gate(&back).exits(1);
    let wrong = [
        "ab",
        "--data",
        "log.csv",
        "--arm",
        "version",
        "--outcome",
        "okay",
    ];
    sandbox.gate(&wrong).exits(2).says("did you mean `ok`");
    let wrong = [
        "ab",
        "--data",
        "log.csv",
        "--arm",
        "version",
        "--outcome",
        "when",
    ];
    sandbox.gate(&wrong).exits(2).says("log.csv:4");
}

#[test]
fn what_is_no_count_is_a_usage_error() {
    let sandbox = Sandbox::empty();
    sandbox.gate(&["ab"]).exits(2);
    sandbox
        .gate(&["ab", "v7=430/500"])
        .exits(2)
        .says("two arms");
    sandbox.gate(&["ab", "v7=5/4", "v8=1/2"]).exits(2);
}
