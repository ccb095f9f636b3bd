//! Flaky cases: quarantined ones have no say and are in every report; repeats are summed up.

use super::sandbox::{CASES, RULES, SUITE, Sandbox};

/// The smallest project with so many cases more, of which the second loses `c2`.
fn project(more: usize) -> Sandbox {
    let sandbox = Sandbox::smallest();
    let row = |n| {
        format!("{{\"id\": \"m{n}\", \"vars\": {{\"ticket\": \"t{n}\"}}, \"expected\": \"bug\"}}\n")
    };
    let rows: String = (0..more).map(row).collect();
    sandbox.write("fixtures/label.jsonl", &format!("{CASES}{rows}"));
    sandbox
}

/// Quarantines `c2` in the dataset.
fn quarantine(sandbox: &Sandbox) {
    let cases = sandbox.read("fixtures/label.jsonl");
    let marked = cases.replace(
        "\"expected\": \"bug\"}\n{\"id\": \"c3\"",
        "\"expected\": \"bug\", \"flaky\": \"quarantine\"}\n{\"id\": \"c3\"",
    );
    assert_ne!(cases, marked);
    sandbox.write("fixtures/label.jsonl", &marked);
}

#[test]
fn a_quarantined_case_is_out_of_the_gate_and_in_every_report() {
    let sandbox = project(97);
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "a.json"])
        .exits(0);
    quarantine(&sandbox);
    let ran = sandbox.gate(&["compare", "v1", "v2", "-o", "reports"]);
    ran.exits(0)
        .prints("1 of 100 cases is quarantined as flaky and in no rule: c2 (regression).")
        .says("quarantined  c2  equals: ");
    assert!(!ran.stderr.contains("lost "), "{}", ran.stderr);
    assert!(!ran.stdout.contains("Lost "), "{}", ran.stdout);
    let (before, after) = (sandbox.json("a.json"), sandbox.json("reports/gate.json"));
    let (before, after) = (&before["suites"][0], &after["suites"][0]);
    assert_ne!(before["dataset"]["digest"], after["dataset"]["digest"]);
    assert_eq!(before["suite_digest"], after["suite_digest"]);
    assert_eq!(before["rules"][0]["pairs"]["regressions"], 1);
    let pairs = &after["rules"][0]["pairs"];
    assert_eq!(
        (&pairs["n"], &pairs["regressions"], &pairs["missing"]),
        (&99.into(), &0.into(), &0.into())
    );
    assert_eq!(after["quarantined"], serde_json::json!(["c2"]));
    let case = &after["cases"][1];
    assert_eq!(
        (&case["transition"], &case["quarantined"]),
        (&"regression".into(), &true.into())
    );
    assert_eq!(after["cases"][0]["quarantined"], false);
    let arm = &after["arms"]["candidate"];
    assert_eq!(
        (&arm["trials"], &arm["passed"], &arm["failed"]),
        (&100.into(), &99.into(), &1.into())
    );
    assert_eq!(arm["pass_rate"], 1.0);
    let markdown = sandbox.read("reports/gate.md");
    assert!(
        markdown.contains("Quarantined") && markdown.contains("`c2`: regression"),
        "{markdown}"
    );
    assert!(!markdown.contains("lost case"), "{markdown}");
    let html = sandbox.read("reports/gate.html");
    assert!(html.contains("\"kind\":\"quarantined\"") && html.contains("value=\"quarantined\""));
    assert!(!html.contains("\"kind\":\"lost\""));
    let junit = sandbox.read("reports/gate.xml");
    assert!(
        junit.contains("<skipped message=\"quarantined as flaky, in no rule: passes on"),
        "{junit}"
    );
    assert!(
        junit.contains("name=\"gate.quarantined\" value=\"1\""),
        "{junit}"
    );
    sandbox
        .gate(&["report", "last", "--json", "b.json"])
        .exits(0);
    assert_eq!(sandbox.json("b.json")["suites"][0]["cases"], after["cases"]);
}

#[test]
fn a_suite_can_name_its_flaky_cases_and_wrong_names_are_all_found() {
    let sandbox = project(37);
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "a.json"])
        .exits(0);
    sandbox.write("evals/label.yaml", &format!("{SUITE}quarantine: [c2]\n"));
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "b.json"])
        .exits(0);
    let (before, after) = (sandbox.json("a.json"), sandbox.json("b.json"));
    let (before, after) = (&before["suites"][0], &after["suites"][0]);
    assert_eq!(before["dataset"]["digest"], after["dataset"]["digest"]);
    assert_ne!(before["suite_digest"], after["suite_digest"]);
    assert_eq!(after["quarantined"], serde_json::json!(["c2"]));
    sandbox
        .gate(&["report", "last", "--json", "c.json"])
        .exits(0);
    assert_eq!(
        sandbox.json("c.json")["suites"][0]["quarantined"],
        after["quarantined"]
    );

    let cases = sandbox.read("fixtures/label.jsonl");
    let must = cases.replacen(
        "\"expected\": \"bug\"",
        "\"expected\": \"bug\", \"must_pass\": true",
        1,
    );
    sandbox.write("fixtures/label.jsonl", &must);
    sandbox.write(
        "evals/label.yaml",
        &format!("{SUITE}quarantine: [c2, c9]\n"),
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("case `c2` must pass, and is quarantined as flaky")
        .says("label.jsonl:2:")
        .says("`quarantine` names case `c9`, which the dataset does not have")
        .says("label.yaml:7:18");
    sandbox.write(
        "evals/label.yaml",
        &format!("{SUITE}quarantine: [c3, c3]\n"),
    );
    sandbox
        .gate(&["lint"])
        .exits(2)
        .says("names case `c3` twice");
    sandbox.write("evals/label.yaml", SUITE);
    sandbox.write(
        "fixtures/label.jsonl",
        &cases.replacen("\"expected\": \"bug\"", "\"flaky\": \"ignore\"", 1),
    );
    sandbox
        .gate(&["lint"])
        .exits(2)
        .says("`flaky` can not be `ignore`");
}

#[test]
fn lint_warns_of_a_quarantine_that_empties_the_gate_and_nothing_passes() {
    let sandbox = project(37);
    let named = |count: usize| {
        let ids: Vec<String> = (0..count).map(|n| format!("m{n}")).collect();
        format!("{SUITE}quarantine: [{}]\n", ids.join(", "))
    };
    sandbox.write("evals/label.yaml", &named(2));
    let ran = sandbox.gate(&["lint"]);
    ran.exits(0);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("quarantine"));
    sandbox.write("evals/label.yaml", &named(3));
    sandbox
        .gate(&["lint"])
        .exits(0)
        .says("3 of 40 cases are quarantined: above 5 %");
    sandbox.write("evals/label.yaml", &named(9));
    sandbox
        .gate(&["lint"])
        .exits(0)
        .says("above 20 % nothing passes");
    let policy = format!("{}policy: {{ margin: 0.3 }}\n", named(9));
    sandbox.write("evals/label.yaml", &policy);
    sandbox
        .gate(&["compare", "v1", "v1"])
        .exits(4)
        .prints("9 of 40 cases are quarantined, too many to pass.");
}

#[test]
fn repeats_are_summed_up_in_every_report_and_flaky_cases_have_their_rate() {
    let sandbox = project(7);
    let rules = RULES.replace(
        "rules:\n",
        "rules:\n  - { when: { system: friendly, case: c1, repeat: 2 }, reply: no }\n",
    );
    sandbox.write("fixtures/label.mock.yaml", &rules);
    sandbox.write("evals/label.yaml", &format!("{SUITE}repeat: 3\n"));
    let ran = sandbox.gate(&["compare", "v1", "v2", "-o", "reports"]);
    ran.prints("Over 3 repeats:")
        .prints("v2 pass^3 80.0 %, pass@3 90.0 %.")
        .prints("Flaky: c1 (2 of 3 pass on v2).");
    let result = sandbox.json("reports/gate.json");
    let suite = &result["suites"][0];
    let reliable = &suite["arms"]["candidate"]["reliability"];
    assert_eq!(
        (&reliable["k"], &reliable["cases"]),
        (&3.into(), &10.into())
    );
    assert_eq!(suite["flaky"][0]["id"], "c1");
    assert_eq!(
        (&suite["flaky"][0]["passed"], &suite["flaky"][0]["finished"]),
        (&2.into(), &3.into())
    );
    for (file, words) in [
        ("reports/gate.md", "`c1`: 2 of 3 pass on v2"),
        ("reports/gate.html", "pass@3 90.0"),
        ("reports/gate.xml", "gate.pass_hat_k"),
    ] {
        assert!(sandbox.read(file).contains(words), "{file}");
    }
}
