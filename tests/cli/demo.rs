//! The demonstration that ships: v8 loses a tier and is stopped, v9 mends it; and every number of
//! the result follows from its own cases, by a second implementation and by published values.

use serde_json::Value;

use crate::sandbox::Sandbox;

pub fn demo() -> Sandbox {
    let sandbox = Sandbox::empty();
    for folder in ["evals", "fixtures"] {
        copy(
            &std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &sandbox.path(folder),
        );
    }
    sandbox
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Counts of pairs by what became of them: both pass, regressions, fixes, both fail.
fn pairs<'c>(cases: impl Iterator<Item = &'c Value>) -> [u64; 4] {
    let mut counts = [0; 4];
    for case in cases {
        let passes = |arm: &str| case[arm]["trials"][0]["outcome"] == "passed";
        let kind = match (passes("baseline"), passes("candidate")) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        counts[kind] += 1;
    }
    counts
}

/// One-sided mid-p of McNemar's test by plain sums of binomial coefficients.
fn mid_p(regressions: u64, fixes: u64) -> f64 {
    let differing = regressions + fixes;
    let term = |k: u64| {
        (1..=k).fold(1.0, |product, i| {
            product * (differing + 1 - i) as f64 / i as f64
        }) / 2f64.powf(differing as f64)
    };
    (regressions + 1..=differing).map(term).sum::<f64>() + 0.5 * term(regressions)
}

/// The Wilson interval at 95 %.
fn wilson(successes: f64, n: f64) -> (f64, f64) {
    let z = 1.959_963_984_540_054_f64;
    let p = successes / n;
    let middle = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    ((middle - half) / scale, (middle + half) / scale)
}

#[track_caller]
fn close(found: &Value, expected: f64, tolerance: f64) {
    let found = found.as_f64().unwrap();
    assert!(
        (found - expected).abs() <= tolerance,
        "{found} is not {expected}"
    );
}

#[test]
fn v8_fails_for_the_tier_that_it_breaks_and_v9_passes() {
    let sandbox = demo();
    sandbox
        .gate(&[
            "compare",
            "v7",
            "v8",
            "--json",
            "v8.json",
            "--junit",
            "v8.xml",
            "--markdown",
            "v8.md",
        ])
        .exits(1)
        .prints(
            "FAIL  v8 is worse than v7: of 200 cases it loses 10 that v7 gets right, and wins 2.",
        )
        .prints("tier=enterprise")
        .says("gate: gate_failed: pass-rate");
    sandbox
        .gate(&["compare", "v7", "v9"])
        .exits(0)
        .prints("PASS  v9 is not worse than v7");
    sandbox
        .gate(&["compare", "v7", "v8", "--json", "again.json"])
        .exits(1);
    let again = sandbox.json("again.json");
    for arm in ["baseline", "candidate"] {
        assert_eq!(again["suites"][0]["arms"][arm]["requests"], 0);
    }
}

#[test]
fn every_number_follows_from_the_cases() {
    let sandbox = demo();
    sandbox
        .gate(&["compare", "v7", "v8", "--json", "out.json"])
        .exits(1);
    let result = sandbox.json("out.json");
    let suite = &result["suites"][0];
    let cases = suite["cases"].as_array().unwrap();
    for arm in ["baseline", "candidate"] {
        let passed = cases
            .iter()
            .filter(|case| case[arm]["trials"][0]["outcome"] == "passed")
            .count() as f64;
        let (low, high) = wilson(passed, cases.len() as f64);
        close(
            &suite["arms"][arm]["pass_rate"],
            passed / cases.len() as f64,
            1e-12,
        );
        close(&suite["arms"][arm]["ci"]["low"], low, 1e-9);
        close(&suite["arms"][arm]["ci"]["high"], high, 1e-9);
    }
    let mut seen = 0;
    for rule in suite["rules"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|rule| rule["metric"] == "pass" && rule["pairs"].is_object())
    {
        let segment = rule["segment"]
            .as_str()
            .map(|segment| segment.split_once('=').unwrap());
        let inside =
            |case: &&Value| segment.is_none_or(|(key, value)| case["segment"][key] == value);
        let [both_pass, regressions, fixes, both_fail] = pairs(cases.iter().filter(inside));
        let n = (both_pass + regressions + fixes + both_fail) as f64;
        for (key, count) in [
            ("both_pass", both_pass),
            ("regressions", regressions),
            ("fixes", fixes),
            ("both_fail", both_fail),
        ] {
            assert_eq!(rule["pairs"][key], count, "{} of {}", key, rule["id"]);
        }
        close(
            &rule["estimate"],
            (fixes as f64 - regressions as f64) / n,
            1e-12,
        );
        close(&rule["p_regression"], mid_p(regressions, fixes), 1e-9);
        close(&rule["p_improvement"], mid_p(fixes, regressions), 1e-9);
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn the_rule_over_all_cases_has_the_published_values() {
    let sandbox = demo();
    sandbox
        .gate(&["compare", "v7", "v8", "--json", "out.json"])
        .exits(1);
    let result = sandbox.json("out.json");
    let rules = result["suites"][0]["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["id"] == "pass-rate").unwrap();
    close(&rule["ci"]["low"], -0.073_270, 5e-7);
    close(&rule["ci"]["high"], -0.013_068, 5e-7);
    close(&rule["p_noninferior"], 0.289_122, 5e-7);
    close(&rule["mde"], 0.062_228, 5e-7);
    let test = |name: &str| {
        rule["tests"]
            .as_array()
            .unwrap()
            .iter()
            .find(|test| test["name"] == name)
            .unwrap()
    };
    close(&test("two-proportion-z")["statistic"], -1.474_420, 5e-7);
    close(&test("two-proportion-z")["p_two_sided"], 0.140_369, 5e-7);
    close(&test("mcnemar-exact")["p_two_sided"], 0.038_574, 5e-7);
    close(&test("mcnemar-score")["statistic"], -2.309_401, 5e-7);
}
