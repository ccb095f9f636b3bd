//! Reading policies.

use super::*;
use crate::base::json;
use crate::verdict::{Mode, OnInconclusive, Preset, Require};

#[test]
fn presets_set_what_the_suite_does_not() {
    assert_eq!(policy("preset: smoke"), Policy::default());
    let promote = policy("preset: promote");
    assert_eq!(
        (promote.margin, promote.on_inconclusive),
        (0.05, OnInconclusive::Block)
    );
    let improve = policy("preset: improve\nmargin: 0.02");
    assert_eq!((improve.margin, improve.require), (0.02, Require::Better));
    assert_eq!(Policy::default().preset, Preset::Smoke);
    assert_eq!(Policy::default().segments.mode, Mode::Watch);
}

const WHOLE: &str = "
preset: promote
alpha: 0.01
power: 0.9
margin: 0.03
require: better
test: mcnemar-exact
on_inconclusive: warn
segments: { keys: [tier, locale], mode: gate, min_cases: 30 }
max_missing: 0.02
tolerate_within_margin: true
early_stop: obrien-fleming
min_pass_rate: 0.9
metrics:
  - { metric: score.polite, margin: 0.03 }
  - { metric: cost_usd, max_ratio: 1.10 }
  - { metric: latency_ms, max_ratio: 1.25, statistic: p95, mode: watch }
  - { metric: rate.truncated, margin: 0.02 }
";

#[test]
fn the_resolved_policy_decodes_to_itself() {
    for yaml in [WHOLE, "preset: smoke", "preset: improve"] {
        let policy = policy(yaml);
        let text = policy.to_json().to_string();
        let source = Source::new("resolved.json", &text);
        let node = json::parse(&source).unwrap();
        let mut diagnostics = Diagnostics::new();
        let mut reader = Reader {
            source,
            diagnostics: &mut diagnostics,
        };
        assert_eq!(Policy::decode(&mut reader, Some(&node)), Some(policy));
    }
    let names: Vec<String> = policy(WHOLE)
        .metrics
        .iter()
        .map(|rule| rule.metric.name())
        .collect();
    assert_eq!(
        names,
        ["cost_usd", "latency_ms", "rate.truncated", "score.polite"]
    );
    assert_eq!(policy(WHOLE).scorers().collect::<Vec<_>>(), ["polite"]);
}

#[test]
fn refuses_what_is_wrong_by_its_rule() {
    let refusals = [
        ("alhpa: 0.05", "unknown-key"),
        ("alpha: 0", "out-of-range"),
        ("alpha: 0.5", "out-of-range"),
        ("alpha: '0.05'", "wrong-type"),
        ("margin: 1", "out-of-range"),
        ("power: 0.01", "out-of-range"),
        ("max_missing: 2", "out-of-range"),
        ("min_pass_rate: 1", "out-of-range"),
        ("preset: fast", "unknown-word"),
        ("require: best", "unknown-word"),
        ("test: t", "unknown-word"),
        ("on_inconclusive: pass", "unknown-word"),
        ("tolerate_within_margin: 1", "wrong-type"),
        ("early_stop: never", "unknown-word"),
        ("require_calibration: { min_kappa: 2 }", "out-of-range"),
        ("require_calibration: { min_labels: 0 }", "out-of-range"),
        ("require_calibration: { max_age: 9 }", "unknown-key"),
        ("require_calibration: true", "wrong-type"),
        ("segments: { mode: gated }", "unknown-word"),
        ("segments: { key: tier }", "unknown-key"),
        ("segments: { keys: [a, a] }", "duplicate"),
        ("segments: { min_cases: 0 }", "out-of-range"),
        ("metrics: [{ metric: pass, margin: 0.1 }]", "unknown-word"),
        (
            "metrics: [{ metric: costs, max_ratio: 1.1 }]",
            "unknown-word",
        ),
        ("metrics: [{ metric: score., margin: 0.1 }]", "unknown-word"),
        (
            "metrics: [{ metric: rate.bad, margin: 0.1 }]",
            "unknown-word",
        ),
        ("metrics: [{ metric: cost_usd }]", "missing-key"),
        (
            "metrics: [{ metric: cost_usd, max_ratio: 1.1, margin: 0.1 }]",
            "unknown-key",
        ),
        (
            "metrics: [{ metric: score.a, margin: 0.1, statistic: p95 }]",
            "unknown-key",
        ),
        (
            "metrics: [{ metric: cost_usd, max_ratio: 0 }]",
            "out-of-range",
        ),
        (
            "metrics: [{ metric: cost_usd, max_ratio: 1.1 }, { metric: cost_usd, max_ratio: 2 }]",
            "duplicate",
        ),
    ];
    for (yaml, expected) in refusals {
        assert_eq!(read(yaml).unwrap_err(), expected, "{yaml}");
    }
}
