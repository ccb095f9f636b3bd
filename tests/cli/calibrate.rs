//! `gate calibrate`: labels in, figures and a record beside the judge out.

use std::fmt::Write as _;

use serde_json::Value;

use super::sandbox::Sandbox;

pub const JUDGE: &str = "gate: prompt/1
variables:
  question: { type: string, max_length: 2000, required: false }
  answer: { type: string, max_length: 2000 }
messages:
  - { role: system, content: \"Is the answer polite?\" }
  - { role: user, content: \"{{question}} {{answer}}\" }
";

/// A judge that passes what says `fine`, fails what says `poor`, and gives no verdict on `broken`.
pub const RULES: &str = "gate: mock/1
rules:
  - { when: { json: true, user: broken }, reply: \"I would rather not say.\" }
  - { when: { json: true, user: fine }, reply: '{\"reason\": \"polite\", \"pass\": true, \"score\": 0.75}' }
  - { when: { json: true }, reply: '{\"reason\": \"rude\", \"pass\": false, \"score\": 0.25}' }
  - { when: { system: friendly }, reply: \"fine, {{vars.q}}\" }
  - { reply: \"poor, {{vars.q}}\" }
";

/// A project with a judge, a suite that asks it, and no labels.
pub fn project(policy: &str) -> Sandbox {
    let sandbox = Sandbox::empty();
    sandbox.write("prompts/judges/polite/v1.yaml", JUDGE);
    sandbox.write("fixtures/mock.yaml", RULES);
    sandbox.write(
        "evals/mail.yaml",
        &format!(
            "gate: suite/1
prompt: mail
dataset: ../fixtures/mail.jsonl
models: [{{ name: main, provider: mock, rules: ../fixtures/mock.yaml }}]
judge_models: [{{ name: grader, provider: mock, rules: ../fixtures/mock.yaml }}]
scorers: [{{ name: polite, type: judge, judge: judges/polite@v1 }}]
{policy}"
        ),
    );
    for (number, word) in [(1, "plain"), (2, "friendly")] {
        sandbox.write(
            &format!("prompts/mail/v{number}.yaml"),
            &format!("gate: prompt/1\nvariables: {{ q: {{ type: string, max_length: 99 }} }}\nmessages: [{{ role: system, content: {word} }}, {{ role: user, content: \"{{{{q}}}}\" }}]\n"),
        );
    }
    let mut cases = String::new();
    for n in 0..60 {
        let _ = writeln!(
            cases,
            "{{\"id\": \"c{n}\", \"vars\": {{\"q\": \"question {n}\"}}}}"
        );
    }
    sandbox.write("fixtures/mail.jsonl", &cases);
    sandbox
}

/// Labels by what people say and what the mock will: passed both ways, failed by the judge alone,
/// passed by it alone, failed both ways.
pub fn labels(counts: [usize; 4]) -> String {
    let kinds = [
        (true, "fine"),
        (true, "poor"),
        (false, "fine"),
        (false, "poor"),
    ];
    let mut rows = String::new();
    let mut number = 0;
    for ((pass, word), count) in kinds.into_iter().zip(counts) {
        for _ in 0..count {
            number += 1;
            let _ = writeln!(
                rows,
                "{{\"id\": \"p-{number}\", \"answer\": \"{word} {}\", \"pass\": {pass}}}",
                "x".repeat(number % 7)
            );
        }
    }
    rows
}

pub fn close(value: &Value, expected: f64) {
    let found = value.as_f64().unwrap_or(f64::NAN);
    assert!((found - expected).abs() < 1e-6, "{found} is not {expected}");
}

const RECORD: &str = "prompts/judges/polite/calibration/v1@grader.json";
const COMMAND: [&str; 5] = [
    "calibrate",
    "judges/polite@v1",
    "--labels",
    "labels.jsonl",
    "--json=out.json",
];

#[test]
fn writes_figures_and_a_record_beside_the_judge() {
    let sandbox = project("");
    sandbox.write("labels.jsonl", &labels([46, 4, 15, 35]));
    let ran = sandbox.gate(&COMMAND);
    ran.exits(0)
        .says(&format!("wrote {RECORD}"))
        .prints("passes 46 of the 50");
    assert!(!ran.stderr.contains("lost"), "{}", ran.stderr);
    let out = sandbox.json("out.json");
    assert_eq!(out["schema"], "gate/calibrated@1");
    let pass = &out["models"][0]["figures"]["pass"];
    // Worked examples 2 and 11 of the statistics: sensitivity 46/50, specificity 35/50.
    close(&pass["sensitivity"]["rate"], 0.92);
    close(&pass["sensitivity"]["interval"]["low"], 0.811_618);
    close(&pass["specificity"]["rate"], 0.7);
    close(&pass["kappa"], 0.62);
    let record = sandbox.json(RECORD);
    assert_eq!(record["schema"], "gate/calibration@1");
    assert_eq!(record["judge"]["version"], 1);
    assert_eq!(record["labels"]["examples"], 100);
    assert_eq!(record["items"].as_array().map(Vec::len), Some(100));
    assert_eq!(record["labels"]["digest"], out["labels"]["digest"]);
    assert!(
        !sandbox.read(RECORD).contains("fine"),
        "answers do not belong into the record"
    );
    assert!(
        !sandbox.path(".gate/runs").exists(),
        "a calibration is no run to report"
    );
    let again = sandbox.gate(&COMMAND);
    again.exits(0).prints("0 requests, 100 from the cache");
}

#[test]
fn all_wrong_labels_are_named_and_nothing_is_asked_or_written() {
    let sandbox = project("");
    sandbox.write(
        "labels.jsonl",
        "{\"id\": \"a\", \"answer\": \"fine\", \"pass\": true}\n{\"id\": \"b\", \"answer\": \"fine\"}\n{\"id\": \"c\", \"answer\": \"fine\", \"score\": 0.7}\n{\"id\": \"d\", \"answer\": \"x\", \"pass\": true, \"criteria\": \"kind\"}\n{\"id\": \"e\", \"answers\": [\"x\", \"y\"], \"preferred\": \"a\"}\nnot json\n",
    );
    let ran = sandbox.gate(&COMMAND);
    ran.exits(2)
        .says("labels.jsonl:2:1")
        .says("neither `pass` nor `score`")
        .says("labels.jsonl:3:")
        .says("one of 0, 0.25, 0.5, 0.75, 1")
        .says("labels.jsonl:4:1")
        .says("`d` has `criteria`, which the judge does not take")
        .says("`e` has two answers")
        .says("labels.jsonl:6:");
    assert!(!sandbox.path(RECORD).exists());
    assert!(
        !sandbox.path(".gate/calibrate").exists(),
        "nothing was asked"
    );
}

#[test]
fn a_judge_without_verdicts_is_no_calibration() {
    let sandbox = project("");
    let mut rows = labels([20, 0, 0, 20]);
    rows.push_str("{\"id\": \"x\", \"answer\": \"broken\", \"pass\": false}\n");
    sandbox.write("labels.jsonl", &rows);
    let ran = sandbox.gate(&COMMAND);
    ran.exits(0).prints("errors");
    let out = sandbox.json("out.json");
    assert_eq!(
        out["models"][0]["errored"], 1,
        "an error is never counted as wrong"
    );
    assert_eq!(out["models"][0]["figures"]["pass"]["agreement"], 1.0);

    let sandbox = project("");
    sandbox.write(
        "labels.jsonl",
        "{\"id\": \"x\", \"answer\": \"broken\", \"pass\": false}\n",
    );
    let ran = sandbox.gate(&COMMAND);
    ran.exits(3).says("gave no verdict on 1 of 1 question");
    assert!(!sandbox.path(RECORD).exists());
}

#[test]
fn offline_without_stored_verdicts_measures_nothing() {
    let sandbox = project("");
    sandbox.write("labels.jsonl", &labels([2, 0, 0, 2]));
    let model = "openai:gpt-4o-mini-2024-07-18";
    let ran = sandbox.gate(&[
        "calibrate",
        "judges/polite@v1",
        "--labels",
        "labels.jsonl",
        "--model",
        model,
        "--offline",
    ]);
    ran.exits(3).says("not in the cache");
    let ran = sandbox.gate(&[
        "calibrate",
        "judges/polite@v1",
        "--labels",
        "labels.jsonl",
        "--model",
        model,
    ]);
    ran.exits(3).says("OPENAI_API_KEY is not set");
}

#[test]
fn repeats_raters_and_two_models_are_held_against_each_other() {
    let sandbox = project("");
    let mut rows = String::new();
    for n in 0..40 {
        let (word, pass) = if n % 2 == 0 {
            ("fine", true)
        } else {
            ("poor", false)
        };
        let author = if n < 20 { "grader" } else { "main" };
        for rater in ["ann", "bob"] {
            let said = pass != (n == 3 && rater == "bob");
            let _ = writeln!(
                rows,
                "{{\"id\": \"p{n}\", \"answer\": \"{word}\", \"pass\": {said}, \"rater\": \"{rater}\", \"author\": \"{author}\"}}"
            );
        }
    }
    sandbox.write("labels.jsonl", &rows);
    let mut command = COMMAND.to_vec();
    command.extend(["--repeat", "3", "--model", "grader", "--model", "main"]);
    sandbox.gate(&command).exits(0);
    let out = sandbox.json("out.json");
    assert_eq!(out["models"].as_array().map(Vec::len), Some(2));
    for model in out["models"].as_array().unwrap() {
        let figures = &model["figures"];
        assert_eq!(figures["people"]["raters"], 2);
        assert_eq!(figures["people"]["tied"], 1);
        assert_eq!(figures["pass"]["examples"], 39, "a tie is no reference");
        assert_eq!(figures["repeatability"]["same"], 1.0);
        assert_eq!(
            figures["self_preference"]["own"],
            20 - u64::from(model["model"]["model"] == "grader")
        );
    }
    assert!(
        sandbox
            .path("prompts/judges/polite/calibration/v1@main.json")
            .exists()
    );
}

#[test]
fn a_judge_of_the_program_has_its_record_in_the_registry() {
    let sandbox = project("");
    sandbox.write(
        "labels.jsonl",
        "{\"id\": \"a\", \"answer\": \"fine\", \"pass\": true}\n",
    );
    let rubric = |labels: &str| {
        sandbox.write("labels.jsonl", labels);
        sandbox.gate(&[
            "calibrate",
            "gate/rubric@v1",
            "--labels",
            "labels.jsonl",
            "--model",
            "grader",
        ])
    };
    rubric("{\"id\": \"a\", \"answer\": \"fine\", \"pass\": true}\n")
        .exits(2)
        .says("`a` has no `criteria`, which the judge requires");
    let with = |id: &str, word: &str, pass: bool| {
        format!(
            "{{\"id\": \"{id}\", \"answer\": \"{word}\", \"criteria\": \"It is kind. {{{{x}}}}\", \"pass\": {pass}}}\n"
        )
    };
    rubric(&(with("a", "fine", true) + &with("b", "poor", false))).exits(0);
    let record = sandbox.json("prompts/gate/rubric/calibration/v1@grader.json");
    assert_eq!(record["criteria"][0]["text"], "It is kind. {{x}}");
    assert_eq!(record["criteria"][0]["examples"], 2);
}

#[test]
fn what_can_not_be_calibrated_is_said() {
    let sandbox = project("");
    sandbox.write("labels.jsonl", &labels([1, 0, 0, 1]));
    let calibrate = |judge: &str, more: &[&str]| {
        let mut command = vec!["calibrate", judge, "--labels", "labels.jsonl"];
        command.extend(more);
        sandbox.gate(&command)
    };
    calibrate("judges/polite", &[])
        .exits(2)
        .says("names no version");
    calibrate("judges/polite@v9", &[]).exits(2).says("v9");
    calibrate("mail@v1", &["--model", "grader"])
        .exits(2)
        .says("can not judge");
    calibrate("gate/rubric@v1", &[])
        .exits(2)
        .says("its model is not known");
    calibrate("judges/polite@v1", &["--model", "nobody"])
        .exits(2)
        .says("no suite has a model");
    calibrate("judges/polite@v1", &["--model", "nobody:x"])
        .exits(2)
        .says("--model nobody:x");
    calibrate("judges/polite@v1", &["--threshold", "7"])
        .exits(2)
        .says("between 0 and 1");
    calibrate(
        "judges/polite@v1",
        &["--model", "grader", "--model", "grader"],
    )
    .exits(2)
    .says("twice");
    let ran = sandbox.gate(&["calibrate", "judges/polite@v1", "--labels", "none.jsonl"]);
    ran.exits(2).says("none.jsonl");
}

pub const REQUIRED: &str =
    "policy: { preset: promote, require_calibration: { min_kappa: 0.6, min_labels: 50 } }";

pub fn compare(sandbox: &Sandbox, pair: [&str; 2]) -> (i32, Value) {
    let ran = sandbox.gate(&["compare", pair[0], pair[1], "--json", "r.json"]);
    (ran.code, sandbox.json("r.json"))
}

pub fn rule<'r>(result: &'r Value, id: &str) -> &'r Value {
    let rules = result["suites"][0]["rules"].as_array().unwrap();
    rules.iter().find(|rule| rule["id"] == id).unwrap()
}

#[test]
fn a_judge_without_calibration_neither_passes_nor_fails_a_candidate() {
    let sandbox = project(REQUIRED);
    // v2 answers `fine` and passes everywhere, v1 fails everywhere.
    for pair in [["v1", "v2"], ["v2", "v1"]] {
        let (code, result) = compare(&sandbox, pair);
        assert_eq!(
            (code, &result["verdict"]),
            (4, &Value::from("inconclusive"))
        );
        let calibration = rule(&result, "calibration:polite");
        assert_eq!(calibration["verdict"], "inconclusive");
        let reason = calibration["reason"].as_str().unwrap();
        assert!(
            reason.contains("gate calibrate judges/polite@v1 --labels FILE"),
            "{reason}"
        );
        assert!(reason.contains(RECORD), "{reason}");
        let rate = rule(&result, "pass-rate");
        assert_ne!(
            rate["verdict"], "fail",
            "the metric is reported, and does not decide"
        );
        assert_eq!(rate["pairs"]["n"], 60);
    }
    let lint = sandbox.gate(&["lint"]);
    assert_eq!(lint.code, 0, "{}", lint.stderr);
    let said = lint.stdout + &lint.stderr;
    assert!(said.contains("uncalibrated-judge"));
    assert!(said.contains("evals/mail.yaml:6:19"), "{said}");
}

#[test]
fn a_calibrated_judge_gates_and_its_error_is_carried_into_the_report() {
    let sandbox = project(REQUIRED);
    sandbox.write("labels.jsonl", &labels([46, 4, 5, 45]));
    sandbox.gate(&COMMAND).exits(0);
    let (code, result) = compare(&sandbox, ["v1", "v2"]);
    assert_eq!((code, &result["verdict"]), (0, &Value::from("pass")));
    assert_eq!(rule(&result, "calibration:polite")["verdict"], "pass");
    let suite = &result["suites"][0];
    let known = &suite["calibrations"][0];
    assert_eq!(known["record"], RECORD);
    let record = sandbox.read(RECORD);
    assert!(known["digest"].as_str().unwrap().starts_with("sha256:"));
    close(&known["sensitivity"], 0.92);
    // Every answer of v2 passes: (1 + 0.9 - 1)/(0.92 + 0.9 - 1) is above 1 and is cut.
    let corrected = &suite["corrected"];
    assert_eq!(corrected[1]["arm"], "candidate");
    close(&corrected[1]["pass_rate"], 1.0);
    close(&corrected[1]["corrected"], 1.0);
    assert_eq!(corrected[1]["method"], "rogan-gladen");
    let (code, result) = compare(&sandbox, ["v2", "v1"]);
    assert_eq!((code, &result["verdict"]), (1, &Value::from("fail")));
    let shown = sandbox.gate(&["report", "last", "--no-gate", "--markdown", "r.md"]);
    shown.exits(0).prints("as judged");
    assert!(sandbox.read("r.md").contains("as judged"));
    let digest = suite["suite_digest"].clone();

    // Another record is another gate.
    sandbox.write(
        RECORD,
        &record.replacen("\"errored\": 0", "\"errored\": 1", 1),
    );
    let (_, edited) = compare(&sandbox, ["v1", "v2"]);
    assert_ne!(edited["suites"][0]["suite_digest"], digest);
    assert_eq!(result["suites"][0]["suite_digest"], digest);
}

#[test]
fn a_weak_stale_or_foreign_calibration_does_not_count() {
    let sandbox = project(REQUIRED);
    let reason = |sandbox: &Sandbox| {
        let (code, result) = compare(sandbox, ["v1", "v2"]);
        assert_eq!(code, 4);
        rule(&result, "calibration:polite")["reason"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    sandbox.write("labels.jsonl", &labels([10, 0, 0, 10]));
    sandbox.gate(&COMMAND).exits(0);
    assert!(reason(&sandbox).contains("20 labelled examples, 50 are asked for"));
    sandbox.write("labels.jsonl", &labels([30, 20, 20, 30]));
    sandbox.gate(&COMMAND).exits(0);
    assert!(reason(&sandbox).contains("kappa with people is 0.20, 0.6 is asked for"));
    sandbox.write("labels.jsonl", &labels([50, 0, 0, 50]));
    sandbox.gate(&COMMAND).exits(0);
    let good = sandbox.read(RECORD);
    let date = sandbox.json(RECORD)["date"].as_str().unwrap().to_owned();
    sandbox.write(RECORD, &good.replace(&date, "2020-01-01T00:00:00Z"));
    assert!(reason(&sandbox).contains("days old, 90 are allowed"));
    sandbox.write(
        RECORD,
        &good.replacen("\"kappa\": 1.0", "\"kappa\": 0.1", 1),
    );
    assert_eq!(
        compare(&sandbox, ["v1", "v2"]).0,
        0,
        "figures beside the verdicts are not believed"
    );
    sandbox.write(RECORD, &good);
    let judge = JUDGE.replace("polite?", "kind?");
    sandbox.write("prompts/judges/polite/v1.yaml", &judge);
    assert!(reason(&sandbox).contains("of other content"));
    sandbox.write("prompts/judges/polite/v1.yaml", JUDGE);
    sandbox.write(
        RECORD,
        &good.replace("gate/calibration@1", "gate/calibration@9"),
    );
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(2)
        .says("gate/calibration@9")
        .says(&format!("{RECORD}:2"));
}

#[test]
fn what_other_scorers_find_fails_whatever_the_judge_is_like() {
    let sandbox = project(REQUIRED);
    let suite = sandbox.read("evals/mail.yaml");
    sandbox.write(
        "evals/mail.yaml",
        &suite.replace("scorers: [", "scorers: [{ type: contains, value: fine }, "),
    );
    let (code, result) = compare(&sandbox, ["v2", "v1"]);
    assert_eq!((code, &result["verdict"]), (1, &Value::from("fail")));
    assert_eq!(rule(&result, "pass-rate")["verdict"], "fail");
    assert_eq!(
        rule(&result, "calibration:polite")["verdict"],
        "inconclusive"
    );
}

#[test]
fn only_labels_with_the_scorers_criteria_count() {
    let sandbox = project(REQUIRED);
    let suite = sandbox.read("evals/mail.yaml");
    sandbox.write(
        "evals/mail.yaml",
        &suite.replace("judge: judges/polite@v1", "criteria: It is kind."),
    );
    let label = |criteria: &str| {
        let mut rows = String::new();
        for n in 0..60 {
            let (word, pass) = if n % 2 == 0 {
                ("fine", true)
            } else {
                ("poor", false)
            };
            let _ = writeln!(
                rows,
                "{{\"id\": \"p{n}\", \"answer\": \"{word}\", \"criteria\": \"{criteria}\", \"pass\": {pass}}}"
            );
        }
        sandbox.write("labels.jsonl", &rows);
        let calibrate = ["calibrate", "gate/rubric@v1", "--labels", "labels.jsonl"];
        sandbox.gate(&calibrate).exits(0);
    };
    label("It is short.");
    let (code, result) = compare(&sandbox, ["v1", "v2"]);
    assert_eq!(code, 4);
    let reason = rule(&result, "calibration:polite")["reason"]
        .as_str()
        .unwrap();
    assert!(reason.contains("no label carries its criteria"), "{reason}");
    label("It is kind.");
    assert_eq!(compare(&sandbox, ["v1", "v2"]).0, 0);
}

#[test]
fn labels_of_the_very_answers_correct_by_the_powered_mean() {
    let sandbox = project("");
    let mut rows = String::new();
    for n in 0..20 {
        let pass = n % 4 != 0;
        let _ = writeln!(
            rows,
            "{{\"id\": \"c{n}\", \"answer\": \"fine, question {n}\", \"pass\": {pass}}}"
        );
    }
    sandbox.write("labels.jsonl", &rows);
    sandbox.gate(&COMMAND).exits(0);
    let (_, result) = compare(&sandbox, ["v1", "v2"]);
    let corrected = &result["suites"][0]["corrected"];
    let candidate = corrected
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["arm"] == "candidate");
    let candidate = candidate.unwrap();
    assert_eq!(candidate["method"], "ppi++");
    assert_eq!(candidate["labels"], 20);
    close(&candidate["pass_rate"], 1.0);
    // The judge passes all, people three in four.
    close(&candidate["corrected"], 0.75);
}

#[test]
fn a_record_of_more_labels_is_not_replaced_in_silence() {
    let sandbox = project("");
    sandbox.write("labels.jsonl", &labels([46, 4, 15, 35]));
    let ran = sandbox.gate(&COMMAND);
    ran.exits(0);
    assert!(!ran.stderr.contains("replaced"), "{}", ran.stderr);
    sandbox.write("labels.jsonl", &labels([20, 0, 0, 20]));
    sandbox
        .gate(&COMMAND)
        .exits(0)
        .says("a record of 100 labels, kappa 0.62 was replaced by one of 40, kappa 1.00");
}
