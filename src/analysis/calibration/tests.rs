//! The figures of a calibration on examples that can be reckoned by hand.

use super::*;
use crate::base::{CaseId, Digest};
use crate::dataset::label::Subject;

fn rating(pass: Option<bool>, score: Option<f64>) -> Rating {
    Rating {
        rater: None,
        pass,
        score,
        preferred: None,
    }
}

fn example(ratings: Vec<Rating>) -> Example {
    Example {
        id: CaseId::new("p"),
        line: 1,
        subject: Subject::Answer("x".to_owned()),
        question: None,
        reference: None,
        criteria: None,
        context: None,
        author: None,
        ratings,
    }
}

fn judged<'e>(example: &'e Example, said: &[(bool, f64)]) -> JudgedExample<'e> {
    let said: Vec<JudgeVerdict> = said
        .iter()
        .map(|(pass, score)| JudgeVerdict {
            pass: *pass,
            score: *score,
            preferred: None,
            position: None,
        })
        .collect();
    JudgedExample {
        example,
        item: CalibrationItem {
            id: "p".to_owned(),
            answer: Digest::of_bytes(b"x"),
            criteria: None,
            human: consensus(&example.ratings),
            judge: said[0],
        },
        length: 1.0,
        said,
        own: None,
    }
}

fn items(counts: [usize; 4]) -> Vec<CalibrationItem> {
    let kinds = [(true, true), (true, false), (false, true), (false, false)];
    let mut items = Vec::new();
    for ((human, judge), count) in kinds.into_iter().zip(counts) {
        let said = [(judge, f64::from(u8::from(judge)))];
        let example = example(vec![rating(Some(human), None)]);
        items.extend(std::iter::repeat_n(judged(&example, &said).item, count));
    }
    items
}

#[test]
fn the_table_of_worked_example_11() {
    let found = Agreement::of(&items([46, 4, 15, 35]), None);
    assert_eq!(found.examples, 100);
    assert_eq!(found.agreement, Some(0.81));
    assert!((found.sensitivity.unwrap().rate - 0.92).abs() < 1e-12);
    assert!((found.specificity.unwrap().rate - 0.7).abs() < 1e-12);
    let found = Agreement::of(&items([40, 6, 4, 50]), None);
    assert!((found.kappa.unwrap() - 0.798_061).abs() < 1e-6);
    assert!((found.ac1.unwrap() - 0.801_980).abs() < 1e-6);
}

#[test]
fn a_threshold_decides_for_the_judge_and_for_labels_without_a_pass() {
    let example = example(vec![rating(None, Some(0.5))]);
    let one = judged(&example, &[(false, 0.5)]).item;
    let strict = Agreement::of([&one], None);
    assert_eq!((strict.both_fail, strict.both_pass), (1, 0));
    let mild = Agreement::of([&one], Some(0.5));
    assert_eq!((mild.both_fail, mild.both_pass), (0, 1));
}

#[test]
fn the_majority_of_raters_is_the_reference_and_a_tie_is_none() {
    let (yes, no) = (
        rating(Some(true), Some(1.0)),
        rating(Some(false), Some(0.5)),
    );
    let two = consensus(&[yes.clone(), no.clone()]);
    assert_eq!((two.pass, two.score), (None, Some(0.75)));
    let three = consensus(&[yes.clone(), no, yes]);
    assert_eq!(three.pass, Some(true));
    let nobody = consensus(&[rating(None, Some(0.25))]);
    assert_eq!(nobody.pass, None);
}

#[test]
fn people_and_repeats_are_held_against_each_other() {
    let agreed = example(vec![rating(Some(true), None), rating(Some(true), None)]);
    let split = example(vec![rating(Some(true), None), rating(Some(false), None)]);
    let both = [
        judged(&agreed, &[(true, 1.0), (true, 0.75)]),
        judged(&split, &[(true, 1.0), (false, 0.0)]),
    ];
    let found = Figures::of(&both, None, 2);
    let people = found.people.unwrap();
    assert_eq!((people.examples, people.tied), (2, 1));
    assert_eq!(people.agreement, Some(0.5));
    let repeats = found.repeatability.unwrap();
    assert_eq!((repeats.examples, repeats.same), (2, Some(0.5)));
    assert_eq!(found.pass.unwrap().examples, 1);
    assert_eq!(found.self_preference, None);
}

#[test]
fn a_judge_that_likes_length_and_itself_is_found_out() {
    let examples: Vec<Example> = (0..40)
        .map(|n| {
            example(vec![rating(
                None,
                Some(if n % 2 == 0 { 0.5 } else { 0.25 }),
            )])
        })
        .collect();
    let judged: Vec<JudgedExample<'_>> = examples
        .iter()
        .enumerate()
        .map(|(n, example)| {
            let long = n >= 20;
            let mut one = judged(example, &[(long, if long { 1.0 } else { 0.25 })]);
            one.length = 10.0 + n as f64;
            one.own = Some(long);
            one
        })
        .collect();
    let found = Figures::of(&judged, None, 1);
    let excess = found.length.excess.unwrap();
    assert!(
        excess.value > 0.7 && excess.interval.unwrap().low > 0.4,
        "{excess:?}"
    );
    assert!(found.length.people.unwrap().value.abs() < 0.2);
    let own = found.self_preference.unwrap();
    assert_eq!((own.own, own.others), (20, 20));
    let excess = own.excess.unwrap();
    assert!((excess.value - 0.75).abs() < 1e-12 && excess.interval.unwrap().low > 0.5);
    let score = found.score.unwrap();
    assert!((score.leniency.unwrap() - 0.25).abs() < 1e-12);
}
