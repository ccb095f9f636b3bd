//! Summary and comment of hand-made runs, their budgets, and hostile text in them.

use super::*;
use crate::report::comment::{Comment, Mode};
use crate::report::sample::{self, Said};

fn text(report: &Report<'_>, place: &Place) -> String {
    sample::rendered(|into| write(report, place, into))
}

fn comment() -> Place {
    Place::Comment {
        id: "main -->x".into(),
    }
}

#[test]
fn summarises_a_hostile_run() {
    let sample = sample::hostile();
    let summary = text(&sample.report(), &Place::Summary);
    sample::assert_snapshot("markdown-hostile", &summary);
}

#[test]
fn summarises_runs_without_a_baseline_and_without_a_verdict() {
    let single = sample::single();
    sample::assert_snapshot("markdown-single", &text(&single.report(), &Place::Summary));
    let broken = sample::broken();
    sample::assert_snapshot("markdown-error", &text(&broken.report(), &Place::Summary));
}

#[test]
fn comments_on_several_suites_behind_its_marker() {
    let sample = sample::hostile();
    let comment = text(&sample::several(&sample), &comment());
    assert!(comment.starts_with("<!-- gate:comment:main____x -->\n**Fail: v8 is worse than v7.**"));
    sample::assert_snapshot("markdown-several", &comment);
}

#[test]
fn shrinks_to_one_line() {
    let sample = sample::hostile();
    assert_eq!(
        headline(&sample.report()),
        "**Fail: v8 is worse than v7.** Of 200 cases it loses 10 that v7 gets right, and wins 2."
    );
}

#[test]
fn cuts_whole_sections_from_the_end_and_says_so() {
    let mut sample = sample::hostile();
    for reply in sample.texts.replies.values_mut() {
        reply.reply = "@\u{e4}`".repeat(600_000);
    }
    let suite = sample.suite();
    let mut report = sample.report();
    report.suites = std::iter::repeat_with(|| sample.suite()).take(60).collect();
    drop(suite);
    for (place, limit) in [(Place::Summary, SUMMARY_BYTES), (comment(), COMMENT_CHARS)] {
        let text = text(&report, &place);
        let size = if place == Place::Summary {
            text.len()
        } else {
            text.chars().count()
        };
        assert!(size <= limit, "{size}");
        assert!(text.contains("left out here for length"));
        assert_eq!(
            text.matches("<details>").count(),
            text.matches("</details>").count()
        );
    }
}

#[test]
fn shows_the_ten_worst_of_ten_thousand_lost_cases_within_its_limits() {
    let mut sample = sample::hostile();
    let case = sample.run.cases[0].clone();
    let cases = (0..10_000).map(|number| {
        let id = crate::base::CaseId::new(&format!("case-{number}"));
        crate::dataset::Case {
            id,
            must_pass: number == 33,
            ..case.clone()
        }
    });
    let cases: Vec<_> = cases.collect();
    let mut header = sample.run.header.clone();
    header.dataset.selected = cases.len();
    let said = [Said::Right("billing"), Said::Wrong("bug")].repeat(cases.len());
    (sample.run, sample.texts) = sample::fold(header, cases, &said);
    let text = text(&sample.report(), &Place::Summary);
    assert!(text.contains("#### 10,000 lost cases, the 10 worst"));
    assert_eq!(text.matches("<code>case-").count(), 10);
    assert!(text.find("case-33") < text.find("case-0<"));
    assert!(text.len() <= SUMMARY_BYTES);
    let comment = Comment::of(&sample.report(), "gate", Mode::Auto);
    assert!(comment.body.chars().count() <= COMMENT_CHARS);
    assert!(comment.body.contains("#### 10,000 lost cases"));
}

#[test]
fn hostile_text_stays_inside_its_fence_or_loses_its_meaning() {
    let sample = sample::hostile();
    let summary = text(&sample::several(&sample), &Place::Summary);
    let mut fence: Option<String> = None;
    for line in summary.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        if let Some(open) = &fence {
            if *open == ticks && line == ticks {
                fence = None;
            }
        } else if ticks.len() >= 3 && line.ends_with("text") {
            fence = Some(ticks);
        } else {
            for bad in [
                "@team",
                "@all",
                "<script",
                "<b>",
                "<testcase",
                "![",
                "](",
                "\u{1b}",
            ] {
                assert!(!line.contains(bad), "{bad} in {line}");
            }
        }
    }
    assert_eq!(fence, None);
}
