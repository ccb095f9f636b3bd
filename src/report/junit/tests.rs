//! The file by the table of ci-and-cli.md section 2, by the strict schema, and under attack.

use std::process::Command;

use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::*;
use crate::report::sample::{self, Said, Sample};
use crate::verdict::Verdict;

fn file(report: &Report<'_>, options: Options) -> String {
    sample::rendered(|into| write(report, options, into))
}

fn strict() -> Options {
    Options {
        profile: Profile::Strict,
        cases: CaseMode::Default,
    }
}

/// An element as a reader sees it: name and attributes.
struct Seen {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Seen {
    fn of(tag: &BytesStart<'_>) -> Self {
        let attributes = tag.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            let key = attribute.key.as_ref().to_owned();
            let value = attribute.value.to_string();
            (
                key,
                quick_xml::escape::unescape(&value).unwrap().into_owned(),
            )
        });
        let name = tag.name().as_ref().to_owned();
        Self {
            name,
            attributes: attributes.collect(),
        }
    }

    fn get(&self, key: &str) -> &str {
        let found = self.attributes.iter().find(|(name, _)| name == key);
        found.map_or("", |(_, value)| value.as_str())
    }
}

/// The elements of a file, which has to be well-formed.
fn elements(text: &str) -> Vec<Seen> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let mut seen = Vec::new();
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) | Event::Empty(tag) => seen.push(Seen::of(&tag)),
            Event::Eof => return seen,
            Event::CData(_) | Event::Comment(_) | Event::DocType(_) | Event::PI(_) => {
                panic!("nothing writes this")
            }
            Event::End(_) | Event::Text(_) | Event::Decl(_) | Event::GeneralRef(_) => {}
        }
    }
}

/// Checks what every reader relies on: true counts, unique names, no empty name or suite.
fn assert_readable(text: &str) -> Vec<Seen> {
    let seen = elements(text);
    let count = |name: &str| seen.iter().filter(|element| element.name == name).count();
    let root = &seen[0];
    assert_eq!(root.name, "testsuites");
    assert_eq!(root.get("tests"), count("testcase").to_string());
    assert_eq!(root.get("failures"), count("failure").to_string());
    assert_eq!(root.get("errors"), count("error").to_string());
    let mut names = std::collections::HashSet::new();
    for case in seen.iter().filter(|element| element.name == "testcase") {
        let (class, name) = (case.get("classname"), case.get("name"));
        assert!(!class.is_empty() && !name.is_empty());
        assert!(
            names.insert((class.to_owned(), name.to_owned())),
            "{name} twice"
        );
        let decimals = case.get("time").split_once('.').unwrap().1;
        assert_eq!(decimals.len(), 3);
    }
    for suite in seen.iter().filter(|element| element.name == "testsuite") {
        assert_ne!(suite.get("tests"), "0");
        assert!(suite.get("name").starts_with("gate/"));
    }
    for element in &seen {
        let message = element.get("message");
        assert!(message.chars().count() <= 300 && !message.contains('\n'));
    }
    seen
}

fn types<'a>(seen: &'a [Seen], name: &str) -> Vec<&'a str> {
    let named = seen.iter().filter(|element| element.name == name);
    named.map(|element| element.get("type")).collect()
}

#[test]
fn writes_a_hostile_run_for_common_readers() {
    let sample = sample::hostile();
    let text = file(&sample.report(), Options::default());
    let seen = assert_readable(&text);
    let failures = types(&seen, "failure");
    assert_eq!(
        failures,
        [
            "pass-rate",
            "pass-rate[tier=enterprise]",
            "regression",
            "regression"
        ]
    );
    assert_eq!(types(&seen, "error"), ["timeout"]);
    assert_eq!(types(&seen, "skipped").len(), 3);
    sample::assert_snapshot("junit-hostile", &text);
}

#[test]
fn writes_the_strict_profile_of_several_suites() {
    let sample = sample::hostile();
    let text = file(&sample::several(&sample), strict());
    let seen = assert_readable(&text);
    for key in ["file", "line"] {
        assert!(seen.iter().all(|element| element.get(key).is_empty()));
    }
    assert_eq!(seen[0].get("skipped"), "");
    sample::assert_snapshot("junit-strict-several", &text);
}

#[test]
fn known_failures_fail_only_when_asked() {
    let sample = sample::hostile();
    let asked = Options {
        cases: CaseMode::Strict,
        ..Options::default()
    };
    let seen = assert_readable(&file(&sample.report(), asked));
    assert!(types(&seen, "failure").contains(&"known_failure"));
    let seen = assert_readable(&file(&sample.report(), Options::default()));
    let skipped = seen
        .iter()
        .find(|element| element.get("type") == "known_failure");
    assert_eq!(
        skipped.map(|element| element.get("message")),
        Some("fails on v7 as well")
    );
}

#[test]
fn a_pass_shows_lost_cases_as_passed_when_asked() {
    let mut sample = sample::hostile();
    sample.decision.verdict = Verdict::Pass;
    sample.decision.rules.truncate(0);
    let asked = Options {
        cases: CaseMode::Verdict,
        ..Options::default()
    };
    let seen = assert_readable(&file(&sample.report(), asked));
    assert!(types(&seen, "failure").is_empty());
    assert_eq!(types(&seen, "system-out").len(), 2);
    let usual = assert_readable(&file(&sample.report(), Options::default()));
    assert_eq!(types(&usual, "failure").len(), 2);
}

#[test]
fn repeats_share_a_test_case_and_show_those_that_were_lost() {
    let sample = sample::repeated();
    let text = file(&sample.report(), strict());
    let seen = assert_readable(&text);
    assert_eq!(types(&seen, "flakyFailure"), ["flaky"]);
    assert_eq!(types(&seen, "skipped"), ["pass-rate", "stopped"]);
}

#[test]
fn an_undecided_rule_blocks_where_the_policy_says_so() {
    for (blocks, failures) in [(false, vec![]), (true, vec!["inconclusive"])] {
        let mut sample = sample::repeated();
        sample.decision = sample::undecided(blocks);
        let seen = assert_readable(&file(&sample.report(), Options::default()));
        assert_eq!(types(&seen, "failure"), failures);
    }
}

#[test]
fn a_run_without_a_verdict_is_an_error_of_the_case_run() {
    let sample = sample::broken();
    let text = file(&sample.report(), Options::default());
    let seen = assert_readable(&text);
    assert_eq!(types(&seen, "error"), ["infra", "timeout", "timeout"]);
    sample::assert_snapshot("junit-error", &text);
}

#[test]
fn a_run_without_a_baseline_has_assertions() {
    let sample = sample::single();
    let text = file(&sample.report(), Options::default());
    let seen = assert_readable(&text);
    assert_eq!(types(&seen, "failure"), ["inconclusive", "assertion"]);
    sample::assert_snapshot("junit-single", &text);
}

#[test]
fn a_report_without_suites_has_one_case() {
    let sample = sample::hostile();
    let mut report = sample.report();
    report.suites.clear();
    report.verdict = Verdict::Skipped;
    assert_eq!(
        types(&assert_readable(&file(&report, strict())), "skipped").len(),
        1
    );
}

#[test]
fn leaves_out_passed_cases_then_bodies_then_cases_for_size() {
    let sample = sample::hostile();
    let report = sample.report();
    let mut sizes = vec![u64::MAX];
    for level in Level::ALL {
        let mut bytes = Vec::new();
        File::new(&report, Options::default(), level)
            .write(&mut bytes)
            .unwrap();
        sizes.push(bytes.len() as u64);
        let limit = bytes.len() as u64;
        let limited =
            sample::rendered(|into| write_within(&report, Options::default(), limit, into));
        assert_eq!(limited.as_bytes(), bytes);
        let seen = assert_readable(&limited);
        let note = seen
            .iter()
            .find(|element| element.get("name") == "gate.left_out");
        assert_eq!(note.map(|element| element.get("value")), level.note());
    }
    assert!(sizes.is_sorted_by(|a, b| a > b), "{sizes:?}");
}

#[test]
fn cuts_a_long_answer_in_its_middle() {
    let mut sample = sample::hostile();
    for reply in sample.texts.replies.values_mut() {
        reply.reply = "<".repeat(200_000);
    }
    let text = file(&sample.report(), Options::default());
    assert_readable(&text);
    assert!(text.contains("bytes cut"));
    assert!(text.len() < 1_000_000);
}

/// What the strict schema says of a file; `None` where `xmllint` is not installed.
fn lint(text: &str) -> Option<Result<(), String>> {
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/junit/junit-10.xsd");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.xml");
    std::fs::write(&path, text).unwrap();
    let mut lint = Command::new("xmllint");
    let Ok(lint) = lint
        .args(["--noout", "--schema", schema])
        .arg(path)
        .output()
    else {
        let words = "SKIPPED: xmllint is not installed, the strict JUnit profile was not validated";
        writeln!(io::stderr(), "{words}").unwrap();
        return None;
    };
    let said = String::from_utf8_lossy(&lint.stderr).into_owned();
    Some(if lint.status.success() {
        Ok(())
    } else {
        Err(said)
    })
}

#[test]
fn the_strict_profile_is_valid_by_the_schema() {
    let broken = sample::broken();
    for sample in [
        sample::hostile(),
        sample::repeated(),
        sample::single(),
        broken,
    ] {
        let found = lint(&file(&sample::several(&sample), strict()));
        assert_eq!(found.unwrap_or(Ok(())), Ok(()));
    }
}

#[test]
fn the_schema_refuses_what_the_strict_profile_leaves_out() {
    let valid = file(&sample::hostile().report(), strict());
    for (element, attribute) in [
        ("<testcase ", "file=\"cases.jsonl\""),
        ("<testcase ", "line=\"1\""),
        ("<testsuites ", "skipped=\"0\""),
    ] {
        assert!(valid.contains(element));
        let broken = valid.replacen(element, &format!("{element}{attribute} "), 1);
        let Some(found) = lint(&broken) else { return };
        let said = found.unwrap_err();
        let name = attribute.split('=').next().unwrap();
        assert!(
            said.contains(&format!("attribute '{name}' is not allowed")),
            "{said}"
        );
    }
    let common = file(&sample::hostile().report(), Options::default());
    assert!(lint(&common).is_none_or(|found| found.is_err()));
}

fn with_reply(reply: &str) -> Sample {
    let mut sample = sample::hostile();
    for attempt in sample.texts.replies.values_mut() {
        reply.clone_into(&mut attempt.reply);
    }
    for result in sample.texts.results.values_mut() {
        for score in &mut result.scores {
            reply.clone_into(&mut score.reason);
        }
    }
    sample
}

/// A run of cases with these ids and segments.
fn with_ids(ids: &[(String, String)]) -> Sample {
    let mut sample = sample::hostile();
    let mut cases: Vec<_> = sample.run.cases.to_vec();
    for (case, (id, tier)) in cases.iter_mut().zip(ids) {
        case.id = crate::base::CaseId::new(id);
        let tier = (std::sync::Arc::from("tier"), Box::from(tier.as_str()));
        case.segment = crate::base::Fields::new(vec![tier]);
    }
    let header = sample.run.header.clone();
    let said = [Said::Right("a"), Said::Wrong("b")].repeat(cases.len());
    (sample.run, sample.texts) = sample::fold(header, cases, &said);
    sample
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_answer_forges_an_element(
        reply in prop_oneof![
            any::<String>(),
            "(]]>|</failure>|<testcase name=\"x\"/>|<!--|&#0;|\u{1b}\\[1m|\u{fffe}|\0|\r|\"|'){0,12}",
        ],
    ) {
        let sample = with_reply(&reply);
        let seen = assert_readable(&file(&sample.report(), Options::default()));
        let cases = seen.iter().filter(|element| element.name == "testcase").count();
        prop_assert_eq!(cases, 4 + 6);
    }

    #[test]
    fn any_ids_and_segments_give_unique_names(
        ids in prop::collection::vec(("[a\0\u{1} \n]{0,2}", any::<String>()), 6),
    ) {
        let sample = with_ids(&ids);
        let seen = assert_readable(&file(&sample.report(), strict()));
        let cases = seen.iter().filter(|element| element.name == "testcase").count();
        prop_assert_eq!(cases, 4 + 6);
    }
}
