use super::*;
use crate::report::sample::{self, Sample, rendered};

fn page_of(sample: &Sample) -> String {
    rendered(|out| write(&sample.report(), out))
}

/// What stands between a beginning and an end, each time.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    let parts = text.split(begin).skip(1);
    parts.map(|part| part.split(end).next().unwrap()).collect()
}

fn data(page: &str) -> serde_json::Value {
    let blocks = between(page, "id=\"data-0\">", "</script>");
    serde_json::from_str(blocks[0]).unwrap()
}

#[test]
fn says_verdict_and_sentence_first_without_a_script() {
    let page = page_of(&sample::hostile());
    let head = between(&page, "<header", "</header>")[0];
    assert!(
        head.contains("FAIL") && head.contains("<h1>v8 is worse than v7: of 200 cases"),
        "{head}"
    );
    assert!(head.contains("gate show last ent-004"), "{head}");
    let first = page.find("<header").unwrap();
    assert!(first < page.find("<table").unwrap() && first < page.find("application/json").unwrap());
}

#[test]
fn nothing_in_an_answer_is_markup() {
    for sample in [
        sample::hostile(),
        sample::repeated(),
        sample::single(),
        sample::broken(),
    ] {
        let page = page_of(&sample);
        assert_eq!(page.matches("<script").count(), 2, "{page}");
        assert_eq!(page.matches("</script").count(), 2);
        assert!(
            !page.contains("<testcase") && !page.contains("alert(1)</"),
            "{page}"
        );
        assert!(!page.contains(['\u{1b}', '\u{202e}', '\u{9b}', '\0']));
        assert!(!page.contains("src=") && !page.contains("http:") && !page.contains("https:"));
    }
}

#[test]
fn keeps_answers_letter_for_letter_in_its_data() {
    let page = page_of(&sample::hostile());
    let data = data(&page);
    let texts: Vec<&str> = data.as_array().unwrap()[1..]
        .iter()
        .filter_map(|case| case["sides"][1][0]["text"].as_str())
        .collect();
    assert!(texts.contains(&sample::XML), "{texts:?}");
    assert_eq!(data[0]["arms"], serde_json::json!(["v7", "v8"]));
    let kinds: Vec<&str> = data.as_array().unwrap()[1..]
        .iter()
        .map(|case| case["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["kept", "lost", "lost", "fixed", "known", "missing"]);
}

#[test]
fn its_policy_names_the_digests_of_its_own_style_and_script() {
    let page = page_of(&sample::hostile());
    let policy = between(&page, "Content-Security-Policy\" content=\"", "\">")[0];
    let hash = |text: &str| BASE64.encode(Digest::of_bytes(text.as_bytes()).as_bytes());
    let style = between(&page, "<style>", "</style>")[0];
    let script = between(&page, "<script>", "</script>")[0];
    assert!(policy.starts_with("default-src 'none'; "), "{policy}");
    assert!(
        policy.contains(&format!("style-src 'sha256-{}'", hash(style))),
        "{policy}"
    );
    assert!(
        policy.contains(&format!("script-src 'sha256-{}'", hash(script))),
        "{policy}"
    );
    assert!(!page.contains(" style=") && !page.contains(" onclick="));
}

#[test]
fn leaves_texts_out_from_the_least_to_the_most_telling() {
    let sample = sample::hostile();
    let report = sample.report();
    let whole = rendered(|out| write(&report, out)).len() as u64;
    let small = rendered(|out| write_within(&report, whole - 1, out));
    assert!(small.len() as u64 <= whole, "{} {whole}", small.len());
    let least = rendered(|out| write_within(&report, 10, out));
    let data = data(&least);
    assert!(data[2]["sides"][1][0]["text"].is_null(), "{data}");
    assert_eq!(data.as_array().unwrap().len(), 7);
}

#[test]
fn draws_every_interval_against_what_is_allowed() {
    let page = page_of(&sample::hostile());
    assert_eq!(
        page.matches("class=\"ci\"").count(),
        4,
        "all cases and three segments"
    );
    assert_eq!(page.matches("class=\"bound\"").count(), 4);
    let single = page_of(&sample::single());
    assert!(
        single.contains("The candidate alone") && single.contains("class=\"bound\""),
        "{single}"
    );
}

#[test]
fn writes_several_suites_with_those_that_did_not_run() {
    let sample = sample::hostile();
    let report = sample::several(&sample);
    let page = rendered(|out| write(&report, out));
    for words in [
        "OPENAI_API_KEY is not set.",
        "the two versions have equal content",
        "gate definition changed",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(page.matches("<section class=\"suite\">").count(), 3);
}

#[test]
fn every_sample_is_balanced_html() {
    for sample in [
        sample::hostile(),
        sample::repeated(),
        sample::single(),
        sample::broken(),
    ] {
        let page = page_of(&sample);
        for tag in [
            "section", "table", "tr", "td", "th", "div", "dl", "p", "ul", "li", "svg", "details",
            "form", "span",
        ] {
            let opened = page.matches(&format!("<{tag} ")).count()
                + page.matches(&format!("<{tag}>")).count();
            assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
