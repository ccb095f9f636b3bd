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

fn close(value: &Value, expected: f64) {
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
