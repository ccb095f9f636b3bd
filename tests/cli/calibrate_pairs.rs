//! `gate calibrate` for judges that compare two answers, for members of a panel and for `g-eval`.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::calibrate::{REQUIRED, close, compare, labels, project, rule};
use super::sandbox::Sandbox;

const DUEL: &str = "gate: prompt/1
variables:
  first: { type: string, max_length: 200 }
  second: { type: string, max_length: 200 }
  criteria: { type: string, max_length: 200 }
messages:
  - { role: system, content: \"Which is kinder?\" }
  - { role: user, content: \"{{criteria}} {{first}} {{second}}\" }
";

/// A judge that chooses what says `fine` over what does not, the first of two that say `fond`, in one
/// order alone where the first says `odd`, and nothing on `broken`; all else is a tie.
const RULES: &str = "gate: mock/1
rules:
  - { when: { json: true, user: broken }, reply: \"I would rather not say.\" }
  - { when: { json: true, user: '<FIRST-[^>]*>(fond|odd)' }, reply: '{\"reason\": \"r\", \"better\": \"first\"}' }
  - { when: { json: true, user: '<FIRST-[^>]*>fine' }, reply: '{\"reason\": \"r\", \"better\": \"first\"}' }
  - { when: { json: true, user: '<SECOND-[^>]*>fine' }, reply: '{\"reason\": \"r\", \"better\": \"second\"}' }
  - { when: { json: true }, reply: '{\"reason\": \"r\", \"better\": \"tie\"}' }
  - { when: { system: friendly }, reply: \"fine, {{vars.q}}\" }
  - { reply: \"poor, {{vars.q}}\" }
";

const SCORER: &str = "{ name: duel, type: pairwise, judge: judges/duel@v1, criteria: It is kind. }";
const RECORD: &str = "prompts/judges/duel/calibration/v1@grader.json";
const COMMAND: [&str; 5] = [
    "calibrate",
    "judges/duel@v1",
    "--labels",
    "labels.jsonl",
    "--json=out.json",
];

/// A project whose scorer is `scorer`, with a judge that compares.
fn contest(policy: &str, scorer: &str) -> Sandbox {
    let sandbox = project(policy);
    sandbox.write("prompts/judges/duel/v1.yaml", DUEL);
    sandbox.write("fixtures/mock.yaml", RULES);
    let suite = sandbox.read("evals/mail.yaml").replace(
        "{ name: polite, type: judge, judge: judges/polite@v1 }",
        scorer,
    );
    sandbox.write("evals/mail.yaml", &suite);
    sandbox
}

/// Labelled pairs: so many of two answers that begin in these ways, of which people prefer one.
fn pairs(kinds: &[(usize, [&str; 2], &str)]) -> String {
    let mut rows = String::new();
    let mut number = 0;
    for (count, [first, second], preferred) in kinds {
        for _ in 0..*count {
            number += 1;
            let row = json!({
                "id": format!("p-{number}"),
                "answers": [format!("{first} {number}"), format!("{second}, number {number}")],
                "criteria": "It is kind.",
                "preferred": preferred,
            });
            let _ = writeln!(rows, "{row}");
        }
    }
    rows
}

#[test]
fn a_judge_that_always_prefers_the_first_is_all_position_bias_and_ties() {
    let sandbox = contest("", SCORER);
    let both = ["fond", "fond"];
    sandbox.write("labels.jsonl", &pairs(&[(12, both, "a"), (8, both, "b")]));
    let ran = sandbox.gate(&COMMAND);
    ran.exits(0)
        .prints("position bias")
        .prints("the two orders disagree on 20 of 20 pairs")
        .prints("20 pairs with the first chosen both times");
    let out = sandbox.json("out.json");
    let figures = &out["models"][0]["figures"];
    assert_eq!(figures["pass"], Value::Null);
    close(&figures["position"]["disagree"]["rate"], 1.0);
    close(&figures["position"]["favours_first"]["rate"], 1.0);
    close(&figures["position"]["favours_second"]["rate"], 0.0);
    // Wilson's lower bound of 20 of 20: 20 / (20 + 1.96^2).
    close(
        &figures["position"]["disagree"]["interval"]["low"],
        0.838_874,
    );
    let preference = &figures["preference"];
    assert_eq!(
        preference["table"],
        json!([[0, 0, 12], [0, 0, 8], [0, 0, 0]])
    );
    close(&preference["tied"]["rate"], 1.0);
    close(&preference["same"]["rate"], 0.0);
    close(&preference["kappa"], 0.0);
    let record = sandbox.json(RECORD);
    assert_eq!(record["items"][0]["judge"]["preferred"], "tie");
    assert_eq!(record["items"][0]["judge"]["position"], "first");
}

#[test]
fn agreement_is_of_three_classes_and_each_pair_is_asked_in_both_orders() {
    let sandbox = contest("", SCORER);
    let (first, second, neither) = (["fine", "poor"], ["poor", "fine"], ["poor", "poor"]);
    sandbox.write(
        "labels.jsonl",
        &pairs(&[
            (20, first, "a"),
            (2, second, "a"),
            (8, neither, "a"),
            (3, first, "b"),
            (15, second, "b"),
            (2, neither, "b"),
            (1, first, "tie"),
            (1, second, "tie"),
            (7, neither, "tie"),
            // With the first answer first it is chosen, in the other order there is a tie.
            (1, ["odd", "poor"], "tie"),
        ]),
    );
    let ran = sandbox.gate(&COMMAND);
    ran.exits(0)
        .says(&format!("wrote {RECORD}"))
        .prints("120 requests")
        .prints("35 of the 50 that people decide");
    let out = sandbox.json("out.json");
    let figures = &out["models"][0]["figures"];
    let preference = &figures["preference"];
    assert_eq!(
        preference["table"],
        json!([[20, 2, 8], [3, 15, 2], [1, 1, 8]])
    );
    // Chance by the margins is 0.35.
    close(&preference["kappa"], (43.0 / 60.0 - 0.35) / 0.65);
    close(&preference["same"]["rate"], 0.7);
    close(&preference["opposite"]["rate"], 0.1);
    close(&preference["tied"]["rate"], 0.2);
    close(&preference["ties_kept"]["rate"], 0.8);
    assert_eq!(figures["position"]["one_order"], 1);
    close(&figures["position"]["disagree"]["rate"], 1.0 / 60.0);
    let record = sandbox.json(RECORD);
    assert_eq!(record["schema"], "gate/calibration@1");
    assert_eq!(record["labels"]["examples"], 60);
    assert_eq!(record["criteria"][0]["examples"], 60);
    let item = &record["items"][20];
    assert_eq!(item["human"]["preferred"], "a");
    assert_eq!(item["judge"]["preferred"], "b");
    assert_eq!(item["judge"]["position"], "neither");
    assert!(
        !sandbox.read(RECORD).contains("fine"),
        "answers do not belong into the record"
    );
    let again = sandbox.gate(&COMMAND);
    again.exits(0).prints("0 requests, 120 from the cache");
}

#[test]
fn raters_and_repeats_of_pairs_are_held_against_each_other() {
    let sandbox = contest("", SCORER);
    let mut rows = String::new();
    for n in 0..20 {
        let (answers, better) = if n % 2 == 0 {
            (["fine", "poor"], "a")
        } else {
            (["poor", "fine"], "b")
        };
        for rater in ["ann", "bob"] {
            let said = if n == 3 && rater == "bob" {
                "tie"
            } else {
                better
            };
            let row = json!({"id": format!("p{n}"), "answers": answers, "criteria": "It is kind.",
                "preferred": said, "rater": rater});
            let _ = writeln!(rows, "{row}");
        }
    }
    sandbox.write("labels.jsonl", &rows);
    let mut command = COMMAND.to_vec();
    command.extend(["--repeat", "3"]);
    sandbox.gate(&command).exits(0).prints("of preferences");
    let figures = &sandbox.json("out.json")["models"][0]["figures"];
    assert_eq!(figures["people"]["raters"], 2);
    assert_eq!(figures["people"]["tied"], 1);
    close(&figures["people"]["agreement"], 0.95);
    assert_eq!(figures["preference"]["examples"], 19);
    close(&figures["preference"]["kappa"], 1.0);
    assert_eq!(figures["repeatability"]["runs"], 3);
    assert_eq!(figures["repeatability"]["examples"], 20);
    assert_eq!(figures["repeatability"]["same"], 1.0);
}

#[test]
fn labels_that_do_not_fit_a_judge_that_compares_are_named_and_nothing_is_asked() {
    let sandbox = contest("", SCORER);
    sandbox.write(
        "labels.jsonl",
        "{\"id\": \"a\", \"answer\": \"fine\", \"criteria\": \"k\", \"pass\": true}\n\
         {\"id\": \"b\", \"answers\": [\"x\", \"y\"], \"preferred\": \"b\"}\n\
         {\"id\": \"c\", \"answers\": [\"x\", \"y\"], \"criteria\": \"k\", \"preferred\": \"c\"}\n\
         {\"id\": \"d\", \"answers\": [\"x\", \"y\"], \"criteria\": \"k\", \"preferred\": \"a\", \"author\": \"m\"}\n",
    );
    let ran = sandbox.gate(&COMMAND);
    ran.exits(2)
        .says("labels.jsonl:1:1")
        .says("`a` has one answer, and the judge compares two")
        .says("`b` has no `criteria`, which the judge requires")
        .says("labels.jsonl:3:")
        .says("`d` has `author`, and two answers");
    sandbox.write("labels.jsonl", &pairs(&[(2, ["fine", "poor"], "a")]));
    let mut command = COMMAND.to_vec();
    command.extend(["--threshold", "0.5"]);
    sandbox.gate(&command).exits(2).says("knows no threshold");
    assert!(!sandbox.path(RECORD).exists());
    assert!(!sandbox.path(".gate/calibrate").exists());
}

#[test]
fn a_pair_without_a_verdict_is_an_error_and_never_a_tie() {
    let sandbox = contest("", SCORER);
    let (first, broken) = (["fine", "poor"], ["broken", "poor"]);
    sandbox.write(
        "labels.jsonl",
        &pairs(&[(39, first, "a"), (1, broken, "a")]),
    );
    sandbox.gate(&COMMAND).exits(0).prints("errors");
    let out = sandbox.json("out.json");
    assert_eq!(out["models"][0]["errored"], 1);
    assert_eq!(out["models"][0]["figures"]["preference"]["examples"], 39);
    assert_eq!(out["models"][0]["figures"]["position"]["pairs"], 39);
    let sandbox = contest("", SCORER);
    sandbox.write("labels.jsonl", &pairs(&[(2, broken, "a")]));
    let ran = sandbox.gate(&COMMAND);
    ran.exits(3).says("gave no verdict on 2 of 2 questions");
    assert!(!sandbox.path(RECORD).exists());
}

#[test]
fn a_judge_that_compares_gates_once_it_agrees_with_people() {
    let sandbox = contest(REQUIRED, SCORER);
    let reason = |result: &Value| {
        let calibration = rule(result, "calibration:duel");
        calibration["reason"].as_str().unwrap().to_owned()
    };
    let (code, result) = compare(&sandbox, ["v1", "v2"]);
    assert_eq!(
        (code, &result["verdict"]),
        (4, &Value::from("inconclusive"))
    );
    assert!(reason(&result).contains("gate calibrate judges/duel@v1 --labels FILE"));

    let both = ["fond", "fond"];
    sandbox.write("labels.jsonl", &pairs(&[(30, both, "a"), (30, both, "b")]));
    sandbox.gate(&COMMAND).exits(0);
    let (code, result) = compare(&sandbox, ["v1", "v2"]);
    assert_eq!(code, 4, "a judge that knows places alone may not gate");
    assert!(reason(&result).contains("kappa with people is 0.00, 0.6 is asked for"));

    let (first, second, neither) = (["fine", "poor"], ["poor", "fine"], ["poor", "poor"]);
    sandbox.write(
        "labels.jsonl",
        &pairs(&[
            (20, first, "a"),
            (20, second, "b"),
            (15, neither, "tie"),
            (5, neither, "a"),
        ]),
    );
    sandbox.gate(&COMMAND).exits(0);
    let (code, result) = compare(&sandbox, ["v1", "v2"]);
    assert_eq!((code, &result["verdict"]), (0, &Value::from("pass")));
    assert_eq!(rule(&result, "calibration:duel")["verdict"], "pass");
    assert!(reason(&result).contains("on 60 labelled examples"));
    let suite = &result["suites"][0];
    let known = &suite["calibrations"][0];
    assert_eq!(known["record"], RECORD);
    assert_eq!(known["labels"], 60);
    close(&known["sensitivity"], 40.0 / 45.0);
    close(&known["specificity"], 1.0);
    assert_eq!(
        suite["corrected"].as_array().map_or(0, Vec::len),
        0,
        "a comparison has no pass rate of one arm to correct"
    );
    let (code, result) = compare(&sandbox, ["v2", "v1"]);
    assert_eq!((code, &result["verdict"]), (1, &Value::from("fail")));
}

#[test]
fn the_judge_of_the_program_that_compares_is_calibrated_without_a_suite_that_asks_it() {
    let sandbox = project("");
    sandbox.write("fixtures/mock.yaml", RULES);
    sandbox.write(
        "labels.jsonl",
        &pairs(&[(3, ["fine", "poor"], "a"), (3, ["poor", "fine"], "b")]),
    );
    let mut command = COMMAND.to_vec();
    command.extend(["--model", "grader"]);
    if let Some(judge) = command.get_mut(1) {
        *judge = "gate/pairwise@v1";
    }
    sandbox.gate(&command).exits(0);
    let record = sandbox.json("prompts/gate/pairwise/calibration/v1@grader.json");
    close(&record["figures"]["preference"]["kappa"], 1.0);
}

#[test]
fn each_member_of_a_panel_needs_a_calibration_of_its_own() {
    let panel = "{ name: jury, type: panel, judges: [\
        { type: judge, name: strict, judge: judges/polite@v1 }, \
        { type: judge, name: mild, judge: judges/mild@v1 }, \
        { type: judge, name: third, judge: judges/mild@v1 }] }";
    let sandbox = contest(REQUIRED, panel);
    sandbox.write("fixtures/mock.yaml", super::calibrate::RULES);
    let mild = super::calibrate::JUDGE.replace("polite?", "mild?");
    sandbox.write("prompts/judges/mild/v1.yaml", &mild);
    sandbox.write("labels.jsonl", &labels([50, 0, 0, 50]));
    let calibrate = |judge: &str| {
        let ran = sandbox.gate(&["calibrate", judge, "--labels", "labels.jsonl"]);
        ran.exits(0);
    };
    let verdicts = |result: &Value| -> Vec<Value> {
        let members = ["strict", "mild", "third"];
        members
            .map(|name| rule(result, &format!("calibration:jury/{name}"))["verdict"].clone())
            .to_vec()
    };
    calibrate("judges/polite@v1");
    let (code, result) = compare(&sandbox, ["v1", "v2"]);
    assert_eq!(
        code, 4,
        "one calibrated member does not vouch for the others"
    );
    assert_eq!(verdicts(&result), ["pass", "inconclusive", "inconclusive"]);
    calibrate("judges/mild@v1");
    let (code, result) = compare(&sandbox, ["v1", "v2"]);
    assert_eq!(verdicts(&result), ["pass", "pass", "pass"]);
    assert_eq!(code, 0);
}

#[test]
fn g_eval_is_calibrated_as_the_suite_asks_it() {
    let scorer = "{ name: grade, type: g-eval, criteria: It is kind., steps: [Look for kindness.], \
                  samples: 2, threshold: 0.5 }";
    let sandbox = contest(REQUIRED, scorer);
    // Without the suite's step the judge would say nothing that can be read.
    sandbox.write(
        "fixtures/mock.yaml",
        "gate: mock/1
rules:
  - { when: { json: true, user: '(?s)Look for kindness.*<ANSWER-[^>]*>fine' }, reply: '{\"score\": 4, \"reason\": \"r\"}' }
  - { when: { json: true, user: '(?s)Look for kindness' }, reply: '{\"score\": 2, \"reason\": \"r\"}' }
  - { when: { json: true }, reply: \"no\" }
  - { when: { system: friendly }, reply: \"fine, {{vars.q}}\" }
  - { reply: \"poor, {{vars.q}}\" }
",
    );
    let mut rows = String::new();
    for line in labels([30, 2, 2, 26]).lines() {
        let row = line.replace("\"pass\"", "\"criteria\": \"It is kind.\", \"pass\"");
        let _ = writeln!(rows, "{row}");
    }
    sandbox.write("labels.jsonl", &rows);
    let ran = sandbox.gate(&[
        "calibrate",
        "gate/g-eval@v1",
        "--labels",
        "labels.jsonl",
        "--threshold",
        "0.5",
        "--json=out.json",
    ]);
    ran.exits(0).prints("passes 30 of the 32");
    let out = sandbox.json("out.json");
    assert_eq!(out["models"][0]["requests"], 120, "two samples of each");
    let record = sandbox.json("prompts/gate/g-eval/calibration/v1@grader.json");
    close(&record["items"][0]["judge"]["score"], 0.75);
    let (code, result) = compare(&sandbox, ["v1", "v2"]);
    assert_eq!(rule(&result, "calibration:grade")["verdict"], "pass");
    assert_eq!((code, &result["verdict"]), (0, &Value::from("pass")));
}
