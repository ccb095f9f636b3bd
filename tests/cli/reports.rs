//! The files that machines read, made from hostile answers.

use std::io::Write as _;
use std::process::Command;

use crate::sandbox::Sandbox;

const HOSTILE: &str = "gate: mock/1\nrules:\n  - { when: { system: friendly, case: c2 }, reply: \"]]></failure><testcase name='forged'/> \\u001b[31m @team #1 ```\\n::error::x\\n\\ufffe <script>alert(1)</script> |\" }\n  - { reply: \"{{expected}}\" }\n";

fn hostile() -> Sandbox {
    let sandbox = Sandbox::smallest();
    sandbox.write("fixtures/label.mock.yaml", HOSTILE);
    sandbox
}

#[test]
fn without_a_run_the_last_one_is_reported_and_shown() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["report"])
        .exits(2)
        .says("there is no run here yet")
        .says("gate compare makes one");
    sandbox.gate(&["compare", "v1", "v1"]).exits(0);
    sandbox.gate(&["compare", "v1", "v2"]).exits(0);
    for arguments in [&["report"] as &[&str], &["report", "last"]] {
        sandbox
            .gate(arguments)
            .exits(0)
            .prints("v2 loses 1 that v1 gets right")
            .prints("\nLost  c2\n");
    }
    let named = sandbox.gate(&["show", "last", "c2"]);
    named.exits(0).prints("passes on v1, fails on v2");
    assert_eq!(sandbox.gate(&["show", "c2"]).stdout, named.stdout);
    for arguments in [&["show"] as &[&str], &["show", "last"]] {
        sandbox
            .gate(arguments)
            .exits(2)
            .says("no case is named")
            .says("the lost case: gate show c2");
    }
    sandbox.gate(&["show", "c9"]).exits(2).says("c1, c2, c3");
}

#[test]
fn lost_cases_stand_in_the_order_of_the_dataset() {
    let sandbox = Sandbox::smallest();
    let ids: Vec<String> = (0..30).map(|n| format!("k{:02}", (n * 7) % 30)).collect();
    let row = |id: &String| {
        format!("{{\"id\": \"{id}\", \"vars\": {{\"ticket\": \"t\"}}, \"expected\": \"bug\"}}\n")
    };
    sandbox.write(
        "fixtures/label.jsonl",
        &ids.iter().map(row).collect::<String>(),
    );
    let rules = sandbox.read("fixtures/label.mock.yaml");
    sandbox.write(
        "fixtures/label.mock.yaml",
        &rules.replace("case: c2", "case: k*"),
    );
    let ran = sandbox.gate(&["compare", "v1", "v2", "--no-gate", "-j", "7"]);
    let shown: String = ran
        .exits(0)
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let all = ids
        .iter()
        .take(20)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    assert!(
        shown.contains(&format!("Lost {all} and 10 more")),
        "{shown}"
    );
}

#[test]
fn a_hostile_answer_forges_no_test_case() {
    let sandbox = hostile();
    for profile in ["common", "strict"] {
        sandbox
            .gate(&[
                "compare",
                "v1",
                "v2",
                "--junit",
                "out.xml",
                "--junit-profile",
                profile,
            ])
            .exits(0);
        let xml = sandbox.read("out.xml");
        let mut reader = quick_xml::Reader::from_str(&xml);
        let (mut cases, mut failures) = (Vec::new(), 0);
        loop {
            match reader.read_event().expect("well-formed XML") {
                quick_xml::events::Event::Eof => break,
                quick_xml::events::Event::Start(element)
                | quick_xml::events::Event::Empty(element) => match element.name().as_ref() {
                    "testcase" => {
                        let name = element.try_get_attribute("name").unwrap().unwrap();
                        cases.push(name.value.to_string());
                    }
                    "failure" => failures += 1,
                    _ => {}
                },
                _ => {}
            }
        }
        for id in ["c1", "c2", "c3"] {
            assert_eq!(
                cases.iter().filter(|name| *name == id).count(),
                1,
                "{cases:?}"
            );
        }
        assert!(
            !cases.iter().any(|name| name.contains("forged")),
            "{cases:?}"
        );
        assert_eq!(failures, 1, "{xml}");
        assert!(!xml.contains('\u{1b}') && !xml.contains('\u{fffe}'));
    }
}

#[test]
fn the_strict_profile_is_valid_by_the_schema_of_jenkins() {
    let sandbox = hostile();
    sandbox
        .gate(&[
            "compare",
            "v1",
            "v2",
            "--junit",
            "out.xml",
            "--junit-profile",
            "strict",
        ])
        .exits(0);
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/junit/junit-10.xsd");
    let mut lint = Command::new("xmllint");
    let lint = lint.args(["--noout", "--schema", schema]);
    let Ok(output) = lint.arg(sandbox.path("out.xml")).output() else {
        let words = "SKIPPED: xmllint is not installed, the strict JUnit profile was not validated";
        writeln!(std::io::stderr(), "{words}").unwrap();
        return;
    };
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_result_document_fits_its_schema() {
    let sandbox = hostile();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "out.json"])
        .exits(0);
    let schema: serde_json::Value =
        serde_json::from_str(&sandbox.gate(&["schema", "result"]).stdout).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let result = sandbox.json("out.json");
    let errors: Vec<String> = validator
        .iter_errors(&result)
        .map(|error| format!("{} at {}", error, error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn no_stream_carries_what_an_answer_says_to_the_terminal() {
    let sandbox = hostile();
    let ran = sandbox.gate(&["compare", "v1", "v2", "-v"]);
    assert!(
        !ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'),
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
}

#[test]
fn in_github_actions_summary_outputs_and_annotations_are_written() {
    let mut sandbox = hostile();
    sandbox.set("GITHUB_ACTIONS", "true");
    for (variable, file) in [
        ("GITHUB_STEP_SUMMARY", "summary.md"),
        ("GITHUB_OUTPUT", "outputs.txt"),
    ] {
        sandbox.write(file, "");
        let path = sandbox.path(file).to_string_lossy().into_owned();
        sandbox.set(variable, &path);
    }
    let ran = sandbox.gate(&["compare", "v1", "v2", "--junit", "gate.xml"]);
    ran.exits(0);
    let outputs = sandbox.read("outputs.txt");
    assert!(
        outputs.contains("verdict")
            && outputs.contains("inconclusive")
            && outputs.contains("gate.xml"),
        "{outputs}"
    );
    let summary = sandbox.read("summary.md");
    assert!(
        !summary.contains("@team") && !summary.contains("<testcase name='forged'/> \u{1b}"),
        "{summary}"
    );
    assert!(
        ran.stdout
            .lines()
            .filter(|line| line.starts_with("::"))
            .all(|line| line.starts_with("::error ")
                || line.starts_with("::warning ")
                || line.starts_with("::notice ")),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_hostile_answer_is_no_markup_of_the_html_page() {
    let sandbox = hostile();
    let ran = sandbox.gate(&["compare", "v1", "v2", "--html", "out.html"]);
    ran.exits(0).says("wrote out.html");
    let page = sandbox.read("out.html");
    assert_eq!(
        page.matches("<script").count(),
        2,
        "its data and its own script"
    );
    assert!(
        !page.contains("<testcase") && !page.contains("alert(1)</"),
        "{page}"
    );
    assert!(!page.contains('\u{1b}'));
    let begins = page.find("id=\"data-0\">").unwrap() + "id=\"data-0\">".len();
    let data = page[begins..].split("</script>").next().unwrap();
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    let answer = data[2]["sides"][1][0]["text"].as_str().unwrap();
    assert!(answer.contains("<script>alert(1)</script> |"), "{answer}");
}

#[test]
fn a_stored_run_is_written_as_html_again_with_the_same_cases() {
    let sandbox = Sandbox::smallest();
    let data = |file: &str| {
        let page = sandbox.read(file);
        let begins = page.find("application/json").unwrap();
        page[begins..].split("</script>").next().unwrap().to_owned()
    };
    sandbox
        .gate(&["compare", "v1", "v2", "--html", "live.html"])
        .exits(0);
    sandbox
        .gate(&["report", "last", "--html", "stored.html"])
        .exits(0);
    assert_eq!(data("live.html"), data("stored.html"));
    sandbox
        .gate(&["run", "v2", "--no-gate", "--html", "run.html"])
        .exits(0);
    assert!(data("run.html").contains("\"kind\":\"lost\""));
    sandbox.write(
        "base.jsonl",
        "{\"id\":\"a\",\"pass\":true}\n{\"id\":\"b\",\"pass\":true}\n",
    );
    sandbox.write(
        "cand.jsonl",
        "{\"id\":\"a\",\"pass\":false}\n{\"id\":\"b\",\"pass\":true}\n",
    );
    let decided = sandbox.gate(&["decide", "base.jsonl", "cand.jsonl", "--html", "-"]);
    decided.exits(0).prints("<!doctype html>");
    assert!(decided.stdout.ends_with("</html>\n"), "{}", decided.stdout);
}

#[test]
fn reports_go_to_stdout_folders_and_devices() {
    let sandbox = Sandbox::smallest();
    let printed = sandbox.gate(&["compare", "v1", "v2", "--json", "-"]);
    printed.exits(0);
    let result: serde_json::Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(result["schema"], "gate/result@1");
    sandbox
        .gate(&["compare", "v1", "v2", "-o", "reports"])
        .exits(0);
    for file in ["gate.xml", "gate.json", "gate.md", "gate.html"] {
        assert!(sandbox.path("reports").join(file).exists(), "{file}");
    }
}

#[test]
fn jsonl_streams_the_log_of_the_run_and_nothing_else() {
    let mut sandbox = Sandbox::smallest();
    sandbox.set("GITHUB_ACTIONS", "true");
    let live = sandbox.gate(&["compare", "v1", "v2", "--format", "jsonl"]);
    live.exits(0).says("::warning ");
    let types: Vec<String> = live
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types.first().map(String::as_str), Some("run_started"));
    assert_eq!(types.last().map(String::as_str), Some("run_finished"));
    assert_eq!(
        types
            .iter()
            .filter(|kind| *kind == "trial_finished")
            .count(),
        6
    );
    let runs = std::fs::read_dir(sandbox.path(".gate/runs")).unwrap();
    let log = runs
        .map(|run| run.unwrap().path().join("events.jsonl"))
        .next()
        .unwrap();
    assert_eq!(live.stdout, std::fs::read_to_string(log).unwrap());
    let stored = sandbox.gate(&["report", "last", "-f", "jsonl"]);
    assert_eq!(live.stdout, stored.stdout);
    sandbox
        .gate(&["merge", "last", "-f", "jsonl"])
        .exits(2)
        .says("no events to stream");
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_stdout_ends_the_stream_and_nothing_else() {
    use std::process::Stdio;
    let sandbox = Sandbox::smallest();
    let mut command =
        sandbox.command(&["compare", "v1", "v2", "-f", "jsonl", "--json", "out.json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(
        ended.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    assert_eq!(sandbox.json("out.json")["suites"][0]["complete"], true);
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut command = sandbox.command(&["compare", "v1", "v2", "-f", "jsonl"]);
    let ended = command.stdout(full).output().unwrap();
    assert_eq!(
        ended.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

#[test]
fn under_no_gate_nothing_says_that_it_blocks() {
    let sandbox = Sandbox::smallest();
    let suite = format!("{}policy: {{ preset: promote }}\n", crate::sandbox::SUITE);
    sandbox.write("evals/label.yaml", &suite);
    sandbox
        .gate(&["compare", "v1", "v2"])
        .exits(4)
        .prints("it blocks");
    let free = sandbox.gate(&["compare", "v1", "v2", "--no-gate", "--markdown", "out.md"]);
    free.exits(0)
        .prints("does not block here (--no-gate, exit 0)");
    assert!(!sandbox.read("out.md").contains("it blocks"));
}

#[test]
fn with_repeats_next_names_what_got_worse_not_only_what_is_lost() {
    let sandbox = Sandbox::smallest();
    let rules = "gate: mock/1\nrules:\n  - { when: { system: friendly, case: c2, repeat: 2 }, reply: \"Bug!\" }\n  - { reply: \"{{expected}}\" }\n";
    sandbox.write("fixtures/label.mock.yaml", rules);
    let ran = sandbox.gate(&["compare", "v1", "v2", "--repeat", "3"]);
    ran.exits(0)
        .prints("read the case that got worse: gate show last c2");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_infra_error() {
    let sandbox = Sandbox::smallest();
    sandbox
        .gate(&["compare", "v1", "v2", "--json", "/dev/full"])
        .exits(3)
        .says("gate: infra: io");
}
