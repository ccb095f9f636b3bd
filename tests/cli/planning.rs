//! `gate power` and `gate simulate`: plans and error rates without a model.

#![expect(
    clippy::expect_used,
    reason = "helpers of tests: what goes wrong here fails the test"
)]

use crate::sandbox::Sandbox;

fn json(arguments: &[&str]) -> serde_json::Value {
    let sandbox = Sandbox::empty();
    let ran = sandbox.gate(arguments);
    ran.exits(0);
    serde_json::from_str(&ran.stdout).expect("stdout is JSON")
}

#[test]
fn power_answers_both_ways() {
    let least = json(&["power", "--cases", "200", "--churn", "0.05", "--json"]);
    assert_eq!(least["schema"], "gate/power@1");
    assert_eq!(least["method"], "mcnemar");
    assert!((least["mde"].as_f64().unwrap() - 0.057_290).abs() < 1e-6);
    let needed = json(&[
        "power", "--effect", "0.05", "--churn", "0.05", "--json", "-",
    ]);
    assert_eq!(needed["cases"], 246);
    let unpaired = json(&[
        "power",
        "--effect",
        "0.05",
        "--unpaired",
        "--rate",
        "0.9",
        "--json",
    ]);
    assert_eq!(unpaired["cases"], 540);
}

#[test]
fn power_says_what_is_missing_or_impossible() {
    let sandbox = Sandbox::empty();
    sandbox.gate(&["power"]).exits(2).says("--cases");
    sandbox
        .gate(&["power", "--cases", "50", "--churn", "1.5"])
        .exits(2)
        .says("churn");
    sandbox
        .gate(&["power", "--cases", "50", "--unpaired"])
        .exits(2)
        .says("--rate");
}

#[test]
fn power_learns_the_churn_from_a_stored_run() {
    let sandbox = Sandbox::smallest();
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    let ran = sandbox.gate(&["power", "--run", "last", "--json"]);
    ran.exits(0);
    let plan: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(plan["cases"], 3);
    assert_eq!(plan["churn"], 0.4);
    assert_eq!(plan["mde"], serde_json::Value::Null);
}

#[test]
fn simulate_finds_the_published_power_and_the_naive_false_alarms() {
    let drop = json(&[
        "simulate",
        "--cases",
        "200",
        "--rate",
        "0.9",
        "--drop",
        "0.05",
        "--correlation",
        "0.6",
        "--draws",
        "2000",
        "--json",
    ]);
    assert_eq!(drop["schema"], "gate/simulate@1");
    let midp = drop["rejection"]["mcnemar-midp"].as_f64().unwrap();
    assert!((0.75..0.81).contains(&midp), "{midp}");
    let naive = json(&[
        "simulate",
        "--cases",
        "50",
        "--correlation",
        "0",
        "--threshold",
        "0.03",
        "--draws",
        "2000",
        "--json",
    ]);
    let naive = naive["rejection"]["fixed-threshold"].as_f64().unwrap();
    assert!((0.27..0.34).contains(&naive), "{naive}");
}

#[test]
fn simulate_takes_the_policy_of_a_suite_and_refuses_the_impossible() {
    let sandbox = Sandbox::smallest();
    let ran = sandbox.gate(&[
        "simulate",
        "--suite",
        "label",
        "--policy-draws",
        "50",
        "--draws",
        "50",
        "--json",
    ]);
    ran.exits(0);
    let simulated: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(simulated["cases"], 3);
    assert_eq!(simulated["margin"], 0.10);
    assert_eq!(simulated["policy"]["draws"], 50);
    let sum: f64 = ["pass", "fail", "inconclusive"]
        .iter()
        .map(|verdict| simulated["policy"]["verdicts"][verdict].as_f64().unwrap())
        .sum();
    assert!((sum - 1.0).abs() < 1e-9);
    sandbox
        .gate(&["simulate", "--cases", "50", "--correlation", "-0.9"])
        .exits(2)
        .says("impossible");
}

#[test]
fn power_says_where_the_churn_of_a_run_holds_a_loss() {
    let sandbox = Sandbox::smallest();
    let case = |n: usize| {
        format!("{{\"id\": \"c{n}\", \"vars\": {{\"ticket\": \"t{n}\"}}, \"expected\": \"bug\"}}\n")
    };
    sandbox.write(
        "fixtures/label.jsonl",
        &(0..12).map(case).collect::<String>(),
    );
    let rules =
        "gate: mock/1\nrules:\n  - { when: { system: friendly }, reply: no }\n  - { reply: bug }\n";
    sandbox.write("fixtures/label.mock.yaml", rules);
    sandbox.gate(&["compare", "v1", "v2"]).exits(1);
    sandbox
        .gate(&["power", "--run", "last"])
        .exits(0)
        .says("its churn holds the loss too; `gate compare v1 v1` shows churn alone");
}
