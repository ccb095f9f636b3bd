//! The screens of ci-and-cli.md section 6, and hostile words on them.

use super::*;
use crate::report::sample;
use crate::verdict::{RuleResult, RuleVerdict};

fn screen(report: &Report<'_>, width: usize, detail: Detail) -> String {
    let screen = Screen {
        palette: Palette::plain(),
        width,
        detail,
    };
    sample::rendered(|into| write(report, screen, into))
}

#[test]
fn shows_a_fail_with_its_segment() {
    let sample = sample::hostile();
    let shown = screen(&sample.report(), 100, Detail::Normal);
    sample::assert_snapshot("terminal-fail", &shown);
}

#[test]
fn shows_what_is_undecided_under_warn_and_under_block() {
    for (name, blocks) in [("undecided-warn", false), ("undecided-block", true)] {
        let mut sample = sample::hostile();
        sample.decision = sample::undecided(blocks);
        sample::assert_snapshot(
            &format!("terminal-{name}"),
            &screen(&sample.report(), 100, Detail::Normal),
        );
    }
}

#[test]
fn shows_a_run_without_a_verdict_and_one_without_a_baseline() {
    let broken = sample::broken();
    sample::assert_snapshot(
        "terminal-error",
        &screen(&broken.report(), 80, Detail::Normal),
    );
    let single = sample::single();
    sample::assert_snapshot(
        "terminal-single",
        &screen(&single.report(), 80, Detail::Normal),
    );
}

#[test]
fn shows_each_of_several_suites() {
    let sample = sample::hostile();
    let report = sample::several(&sample);
    sample::assert_snapshot("terminal-several", &screen(&report, 100, Detail::Verbose));
}

#[test]
fn fits_a_narrow_screen() {
    let sample = sample::hostile();
    let shown = screen(&sample.report(), 60, Detail::Normal);
    sample::assert_snapshot("terminal-narrow", &shown);
    let longest = shown.lines().map(width).max();
    assert!(longest <= Some(60), "{longest:?}");
}

#[test]
fn at_eighty_columns_each_rule_has_its_verdict_beside_it() {
    let sample = sample::hostile();
    let shown = screen(&sample.report(), 80, Detail::Normal);
    sample::assert_snapshot("terminal-eighty", &shown);
    assert!(shown.lines().map(width).max() <= Some(80), "{shown}");
    let broken = shown
        .lines()
        .find(|line| line.starts_with("tier=enterprise"));
    assert!(broken.is_some_and(|line| line.ends_with("fail")), "{shown}");
}

#[test]
fn a_rule_without_any_number_has_no_empty_head() {
    let mut sample = sample::hostile();
    sample.decision.rules = vec![RuleResult {
        id: "pass-rate".into(),
        verdict: RuleVerdict::Skipped,
        gating: true,
        ..RuleResult::default()
    }];
    let shown = screen(&sample.report(), 100, Detail::Normal);
    assert!(shown.contains("\n\nall cases   no data\n"), "{shown}");
    assert!(!shown.contains("\n\n\n"), "{shown}");
}

#[test]
fn colour_adds_nothing_but_colour() {
    let sample = sample::hostile();
    let report = sample.report();
    let plain = screen(&report, 100, Detail::Verbose);
    let screen = Screen {
        palette: Palette::ansi(),
        width: 100,
        detail: Detail::Verbose,
    };
    let coloured = sample::rendered(|into| write(&report, screen, into));
    assert!(coloured.contains("\u{1b}["));
    let stripped = anstream::adapter::strip_str(&coloured).to_string();
    let trimmed = |text: &str| {
        text.lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    };
    assert_eq!(trimmed(&stripped), trimmed(&plain));
}

#[test]
fn hostile_words_stay_words() {
    let mut sample = sample::hostile();
    sample.decision.message = "::error::x \u{1b}]52;c;aGk=\u{7}\nnew line \u{202e}".into();
    sample.decision.notes = vec!["##[add-mask]x".into(), "::stop-commands::y".into()];
    sample.decision.rules[1].segment = Some("::warning::\u{9b}2J".into());
    let shown = screen(&sample.report(), 80, Detail::Verbose);
    assert!(!shown.contains(|c: char| c != '\n' && text::is_deceptive(c)));
    for line in shown.lines() {
        assert!(!line.trim_start().starts_with("::"), "{line}");
        assert!(!line.contains("##["), "{line}");
    }
}
