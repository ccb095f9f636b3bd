//! The commands that look: overview, lint, report, prompt, cache, schema, completions.

use crate::sandbox::Sandbox;

#[test]
fn bare_gate_shows_the_project_and_is_not_green() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&[])
        .exits(2)
        .prints("label: no stable, latest v2")
        .prints("v1 against v2")
        .prints("never run");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    sandbox.gate(&[]).exits(2).prints("last: inconclusive");
}

#[test]
fn lint_says_what_the_suite_can_show() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["lint"])
        .exits(0)
        .prints("label: 3 cases:")
        .prints("0 errors");
    assert!(!sandbox.path(".gate").exists());
    sandbox
        .gate(&["lint", "--show-settings", "--suite", "label"])
        .exits(0)
        .prints("concurrency    32")
        .prints("flag");
}

#[test]
fn a_stored_run_is_reported_again_without_a_call() {
    let sandbox = Sandbox::smallest();
    let first = sandbox.gate(&["compare", "v1", "v2", "--json", "first.json"]);
    let again = sandbox.gate(&[
        "report",
        "last",
        "--json",
        "again.json",
        "--junit",
        "again.xml",
        "--markdown",
        "again.md",
    ]);
    again.exits(0);
    assert_eq!(first.stdout, again.stdout);
    assert_eq!(sandbox.read("first.json"), sandbox.read("again.json"));
    let id = sandbox.json("first.json")["suites"][0]["run_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let (beginning, _) = id.split_at(20);
    sandbox.gate(&["report", beginning]).exits(0);
}

#[test]
fn a_damaged_log_is_refused_and_a_torn_one_is_cut() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    let id = sandbox.json("out.json")["suites"][0]["run_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let log = format!(".gate/runs/{id}/events.jsonl");
    let whole = sandbox.read(&log);
    let (torn, _) = whole.split_at(whole.len() - 20);
    sandbox.write(&log, torn);
    sandbox.gate(&["report", "last"]).exits(3);
    sandbox.write(&log, &whole.replacen("\"passed\"", "\"failed\"", 1));
    sandbox
        .gate(&["report", "last"])
        .exits(3)
        .says("store_corrupt")
        .says("is damaged");
}

#[test]
fn prompts_are_listed_shown_and_compared() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["prompt", "list"])
        .exits(0)
        .prints("label: no stable, latest v2 (prompts)");
    sandbox
        .gate(&["prompt", "show", "label@v1"])
        .exits(0)
        .prints("Answer with one word")
        .says("sha256:f5d597cf");
    sandbox
        .gate(&["prompt", "show", "v2"])
        .exits(0)
        .prints("Be friendly");
    sandbox
        .gate(&["prompt", "show", "gate/rubric@v1"])
        .exits(0)
        .prints("gate: prompt/1");
    sandbox
        .gate(&["prompt", "diff", "v1", "v2"])
        .exits(0)
        .prints("{+Be friendly. +}");
    sandbox
        .gate(&["prompt", "show", "lable@v1"])
        .exits(2)
        .says("did you mean `label`?");
}

#[test]
fn the_cache_is_counted_and_pruned() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["cache", "stats"])
        .exits(0)
        .prints("0 answers");
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    sandbox
        .gate(&["compare", "v1", "v2", "--cache", "refresh"])
        .exits(0);
    sandbox
        .gate(&["cache", "stats"])
        .exits(0)
        .prints("6 answers")
        .prints("2 segments")
        .prints("6 stale");
    sandbox
        .gate(&["cache", "prune"])
        .exits(0)
        .prints("kept 6 answers, dropped 6");
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    assert_eq!(
        sandbox.json("out.json")["suites"][0]["arms"]["candidate"]["requests"],
        0
    );
    sandbox
        .gate(&["cache", "prune", "--max-size", "0"])
        .exits(0)
        .prints("kept 0 answers");
}

#[test]
fn a_damaged_cache_entry_is_a_miss_and_said() {
    let sandbox = Sandbox::smallest();
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    let folder = std::fs::read_dir(sandbox.path(".gate/cache")).unwrap();
    let segment = folder
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .unwrap();
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(
        &segment,
        text.replacen("\"text\":\"billing\"", "\"text\":\"refunds\"", 1),
    )
    .unwrap();
    let ran = sandbox.gate(&["compare", "v1", "v2", "--json", "out.json"]);
    ran.exits(0);
    assert!(
        ran.stdout.contains("damaged cache") || sandbox.read("out.json").contains("damaged cache"),
        "{}",
        ran.stdout
    );
    let suite = &sandbox.json("out.json")["suites"][0];
    let sent: u64 = ["baseline", "candidate"]
        .iter()
        .map(|arm| suite["arms"][arm]["requests"].as_u64().unwrap())
        .sum();
    assert_eq!(sent, 1);
}

#[test]
fn schemas_and_completions_are_printed() {
    let sandbox = Sandbox::empty();
    sandbox.gate(&["schema"]).exits(0).prints("suite");
    let printed = sandbox.gate(&["schema", "result"]);
    printed.exits(0);
    let schema: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert!(jsonschema::validator_for(&schema).is_ok());
    sandbox
        .gate(&["completions", "bash"])
        .exits(0)
        .prints("compare");
    sandbox
        .gate(&["--version"])
        .exits(0)
        .prints(env!("CARGO_PKG_VERSION"))
        .prints(if cfg!(feature = "tiktoken") {
            "+tiktoken"
        } else {
            "-tiktoken"
        });
    sandbox
        .gate(&["compare", "--help"])
        .exits(0)
        .prints("Examples:");
}

#[test]
fn a_run_that_is_not_there_is_answered_with_those_that_are() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["report", "9999"])
        .exits(2)
        .says("there is no run `9999`")
        .says("help: there is no run here yet: gate compare makes one");
    for _ in 0..4 {
        sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    }
    let runs = std::fs::read_dir(sandbox.path(".gate/runs")).unwrap();
    let mut ids: Vec<String> = runs
        .map(|run| run.unwrap().file_name().into_string().unwrap())
        .collect();
    ids.sort();
    let newest: Vec<String> = ids
        .iter()
        .rev()
        .take(3)
        .map(|id| format!("{id} (label)"))
        .collect();
    for command in [&["report", "9999"][..], &["show", "xyz", "c1"]] {
        sandbox
            .gate(command)
            .exits(2)
            .says(&format!("help: the newest runs are {}", newest.join(", ")));
    }
    sandbox
        .gate(&["show", "c1", "last"])
        .exits(2)
        .says("there is no run `c1`")
        .says("help: the run comes first: gate show last c1");
}

#[test]
fn a_report_whose_path_is_no_file_is_refused_before_anything_is_asked() {
    let sandbox = Sandbox::smallest();
    sandbox.write("file.txt", "x");
    for (path, because) in [
        (".", "`.` is a folder"),
        ("evals", "`evals` is a folder"),
        ("new/", "`new/` is a folder"),
        ("file.txt/x.html", "file.txt`, which is no folder"),
    ] {
        sandbox
            .gate(&["compare", "v1", "v2", "--html", path])
            .exits(3)
            .says(because)
            .says("gate: infra: io");
    }
    assert!(!sandbox.path(".gate/runs").exists(), "nothing was asked");
    assert!(!sandbox.path("new").exists());
    sandbox
        .gate(&["power", "--cases", "50", "--churn", "0.05", "--json", "."])
        .exits(3)
        .says("`.` is a folder");
    for folder in ["reports", "reports/", "reports//"] {
        sandbox
            .gate(&["compare", "v1", "v2", "--output", folder])
            .exits(0)
            .says("wrote reports/gate.xml");
    }
    sandbox
        .gate(&["report", "last", "--json", "reports"])
        .exits(3)
        .says("`reports` is a folder");
}
