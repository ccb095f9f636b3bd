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
