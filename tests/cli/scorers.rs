//! Scorers as a user meets them: those that only some builds have, and programs that misbehave.

use crate::sandbox::{SUITE, Sandbox};

/// The smallest project, with this list of scorers.
fn project(scorers: &str) -> Sandbox {
    let sandbox = Sandbox::smallest();
    let (head, _) = SUITE.split_once("scorers:").unwrap();
    sandbox.write("evals/label.yaml", &format!("{head}scorers: {scorers}\n"));
    sandbox
}

#[cfg(not(feature = "javascript"))]
#[test]
fn a_scorer_of_a_feature_that_the_build_lacks_is_named_with_it() {
    let ran = project("[{ type: javascript, value: \"true\" }]").gate(&["lint"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let wanted = "scorer `javascript` needs the cargo feature `javascript`, which this build lacks";
    assert!(ran.stderr.contains(wanted), "{}", ran.stderr);
    assert!(ran.stderr.contains("evals/label.yaml:6:"), "{}", ran.stderr);
}

#[cfg(feature = "javascript")]
#[test]
fn a_program_decides_and_one_that_does_not_end_is_an_error_of_the_trial() {
    let sandbox = project("[{ type: javascript, value: \"output === context.expected\" }]");
    let ran = sandbox.gate(&["run", "v2", "--no-gate", "--json", "r.json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let arm = &sandbox.json("r.json")["suites"][0]["arms"]["candidate"];
    assert_eq!((&arm["passed"], &arm["failed"]), (&2.into(), &1.into()));

    let sandbox = project("[{ type: javascript, value: \"while (true) {} return true\" }]");
    let ran = sandbox.gate(&["run", "v1", "--no-gate", "--json", "r.json"]);
    let arm = &sandbox.json("r.json")["suites"][0]["arms"]["candidate"];
    assert_eq!(arm["errored"], 3, "{}{}", ran.stdout, ran.stderr);
    assert_eq!(arm["failed"], 0);

    let ran = project("[{ type: javascript, value: \"output ===\" }]").gate(&["lint"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.stderr.contains("not a JavaScript program: SyntaxError"),
        "{}",
        ran.stderr
    );
}

/// A command that passes what is expected, and misbehaves on some answers.
#[cfg(unix)]
const CHECK: &str = r#"#!/bin/sh
while read -r line; do
  id=$(printf '%s' "$line" | sed 's/.*"id":"\([^"]*\)".*/\1/')
  case "$line" in
    *'"output":"billing"'*) echo "{\"id\": \"$id\", \"pass\": true, \"score\": 0.75, \"reason\": \"fine\"}" ;;
    *'"output":"bug"'*) echo "{\"id\": \"$id\", \"error\": \"no opinion\"}" ;;
    *) echo "{\"id\": \"$id\", \"pass\": false}" ;;
  esac
done
"#;

#[cfg(unix)]
#[test]
fn a_command_scores_only_where_the_owner_allows_it_and_its_faults_are_errors() {
    let sandbox = project("[{ type: exec, command: [sh, check.sh] }]");
    sandbox.write("check.sh", CHECK);
    sandbox.gate(&["lint"]).exits(0);
    let run = ["run", "v1", "--no-gate", "--json", "r.json"];
    let ran = sandbox.gate(&run);
    ran.exits(2)
        .says("scorer `exec` runs a command")
        .says("--allow-exec");
    assert!(!sandbox.path("r.json").exists(), "nothing ran");
    let allowed = [&run[..], &["--allow-exec"]].concat();
    sandbox.gate(&allowed);
    let result = sandbox.json("r.json");
    let arm = &result["suites"][0]["arms"]["candidate"];
    let counts = ["passed", "failed", "errored"].map(|key| arm[key].clone());
    assert_eq!(counts, [1, 1, 1].map(serde_json::Value::from), "{arm}");
    let cases = result["suites"][0]["cases"].as_array().unwrap();
    let score = &cases[0]["candidate"]["trials"][0]["scores"][0];
    assert_eq!(
        (&score["score"], &score["reason"]),
        (&0.75.into(), &"fine".into())
    );
    let error = cases[1]["candidate"]["trials"][0]["error"]["message"].as_str();
    assert!(error.unwrap().contains("no opinion"), "{error:?}");
    let offline = [&allowed[..], &["--offline"]].concat();
    sandbox.gate(&offline);
    let result = sandbox.json("r.json");
    assert_eq!(result["suites"][0]["arms"]["candidate"]["skipped"], 3);
}

#[cfg(unix)]
#[test]
fn a_command_that_ends_or_talks_nonsense_makes_no_answer_wrong() {
    for command in [
        "[\"true\"]",
        "[echo, nonsense]",
        "[sh, -c, \"echo '{\\\"id\\\": \\\"99\\\", \\\"pass\\\": true}'; cat\"]",
        "[./no-such-program]",
    ] {
        let sandbox = project(&format!("[{{ type: exec, command: {command} }}]"));
        let ran = sandbox.gate(&["run", "v1", "--no-gate", "--allow-exec", "--json", "r.json"]);
        let arm = &sandbox.json("r.json")["suites"][0]["arms"]["candidate"];
        assert_eq!(arm["errored"], 3, "{command}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(arm["failed"], 0, "{command}");
    }
}
