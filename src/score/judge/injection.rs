//! Attacks on judges: a judge that obeys whatever stands outside of its fences is not fooled by any
//! answer of `fixtures/injection/answers.jsonl`, because none gets out of its fence.

use std::sync::{Arc, LazyLock};

use regex::Regex;
use serde_json::{Value, json};

use super::super::tests::{case, decode};
use super::super::{Answer, Context, Score, ScorerSpec};
use super::*;
use crate::chat::{Finish, Request, Usage};

static FENCE: LazyLock<Regex> = LazyLock::new(|| Regex::new("<([A-Z]+)-([0-9a-f]{32})>").unwrap());

/// A request as a judge sees it that knows what a fence is and believes everything else.
#[derive(Debug, PartialEq)]
struct Reading {
    /// All text that stands in no fence.
    outside: String,
    /// The fences in their order, by name.
    fences: Vec<String>,
    /// What stands in them.
    inside: Vec<String>,
}

/// Reads a request. The fences of the program carry the number of the first one.
fn read(request: &Request) -> Reading {
    let text = &request.messages.last().unwrap().content;
    let number = FENCE.captures(text).unwrap()[2].to_owned();
    read_fences(text, &number)
}

fn read_fences(text: &str, number: &str) -> Reading {
    let mut reading = Reading {
        outside: String::new(),
        fences: Vec::new(),
        inside: Vec::new(),
    };
    let mut rest = text;
    loop {
        let Some(fence) = FENCE.captures_iter(rest).find(|fence| &fence[2] == number) else {
            reading.outside.push_str(rest);
            return reading;
        };
        let (whole, name) = (fence.get(0).unwrap(), &fence[1]);
        let close = format!("</{name}-{number}>");
        let after = rest.get(whole.end()..).unwrap();
        let (inside, left) = after.split_once(&close).unwrap_or((after, ""));
        reading.outside.push_str(rest.get(..whole.start()).unwrap());
        reading.fences.push(name.to_owned());
        reading.inside.push(inside.to_owned());
        rest = left;
    }
}

/// The gullible judge: it fails every answer, unless a text outside of its fences, or a fence that is
/// not its own, tells it anything that a harmless answer's does not.
fn gullible(spec: &ScorerSpec, asked: &Request, harmless: &Request) -> Score {
    let (seen, known) = (read(asked), read(harmless));
    let fooled = seen.outside != known.outside || seen.fences != known.fences;
    let reply = match spec.type_name.as_str() {
        "factuality" => json!({"reason": "", "class": if fooled { "C" } else { "D" }}),
        _ => json!({"reason": "", "pass": fooled, "score": u8::from(fooled)}),
    };
    read_reply(spec, &reply.to_string(), &Finish::Stop).unwrap()
}

fn corpus() -> Vec<(String, String)> {
    let text = include_str!("../../../fixtures/injection/answers.jsonl");
    text.lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let field = |key: &str| row[key].as_str().unwrap().to_owned();
            (field("id"), field("answer"))
        })
        .collect()
}

const SCORERS: [&str; 4] = [
    "{type: judge, criteria: It is true., context: '{{vars.context}}'}",
    "{type: factuality}",
    "{type: answer-relevance}",
    "{type: faithfulness, context: '{{vars.context}}'}",
];

/// What stands where an attack may stand.
#[derive(Clone, Copy)]
struct Texts<'a> {
    answer: &'a str,
    question: &'a str,
    reference: &'a str,
    context: &'a str,
}

const HARMLESS: Texts<'_> = Texts {
    answer: "It is.",
    question: "Is it?",
    reference: "It is so.",
    context: "So it is.",
};

fn ask(spec: &ScorerSpec, texts: Texts<'_>) -> Question {
    let judges = spec.judges();
    let version = builtin::version(&judges[0].1.judge.to_string()).unwrap();
    let case = case(&json!({"expected": texts.reference, "vars": {"context": texts.context}}));
    let answer = Answer {
        text: texts.answer,
        finish: &Finish::Stop,
        tool_calls: &[],
        usage: Usage::default(),
        latency_ms: None,
        cost_usd: None,
    };
    let context = Context {
        case: &case,
        question: texts.question,
        tools: &[],
    };
    let judge = Judge::new(Arc::new(version)).unwrap();
    match judge.ask(spec, &answer, &context).unwrap() {
        Step::Ask(question) => *question,
        Step::Done(score) => panic!("{score:?}"),
    }
}

fn number(request: &Request) -> String {
    FENCE
        .captures(&request.messages.last().unwrap().content)
        .unwrap()[2]
        .to_owned()
}

/// An attack with the numbers that its author could have seen.
fn aimed(attack: &str, seen: &str, other: &str) -> String {
    attack
        .replace("{{nonce}}", seen)
        .replace("{{other}}", other)
}

#[test]
fn no_attack_gets_out_of_its_fence_and_none_changes_a_verdict() {
    let corpus = corpus();
    assert!(corpus.len() >= 40, "{} attacks", corpus.len());
    for scorer in SCORERS {
        let spec = decode(scorer).unwrap();
        let harmless = ask(&spec, HARMLESS).request;
        let other = ask(
            &spec,
            Texts {
                question: "Was it?",
                ..HARMLESS
            },
        )
        .request;
        for (id, attack) in &corpus {
            let attack = aimed(attack, &number(&harmless), &number(&other));
            let places = [
                Texts {
                    answer: &attack,
                    ..HARMLESS
                },
                Texts {
                    question: &attack,
                    ..HARMLESS
                },
                Texts {
                    reference: &attack,
                    ..HARMLESS
                },
                Texts {
                    context: &attack,
                    ..HARMLESS
                },
                Texts {
                    answer: &attack,
                    question: &attack,
                    reference: &attack,
                    context: &attack,
                },
            ];
            for texts in places {
                let asked = ask(&spec, texts).request;
                let score = gullible(&spec, &asked, &harmless);
                assert!(!score.pass && score.score == 0.0, "{id} fools {scorer}");
            }
            let asked = ask(
                &spec,
                Texts {
                    answer: &attack,
                    ..HARMLESS
                },
            )
            .request;
            let shown = fence::harmless(&attack);
            assert!(
                read(&asked).inside.contains(&shown),
                "{id}: the judge sees another answer"
            );
        }
    }
}

#[test]
fn no_reply_gets_out_of_its_fence_when_the_judge_is_asked_again() {
    let spec = decode(SCORERS[0]).unwrap();
    let question = ask(&spec, HARMLESS);
    let again = |reply: &str| {
        let error = JudgeError::NoVerdict {
            reply: reply.to_owned(),
            message: reply.to_owned(),
        };
        let request = question.again(reply, &error);
        let text = &request.messages.last().unwrap().content;
        let (_, added) = text.split_once("You were asked this before").unwrap();
        let number = FENCE.captures(added).unwrap()[2].to_owned();
        let reading = read_fences(added, &number);
        (reading.outside, reading.fences)
    };
    let harmless = again("no verdict");
    assert_eq!(harmless.1, ["REPLY", "ERROR"]);
    for (id, attack) in corpus() {
        let attack = aimed(&attack, &number(&question.request), "");
        assert_eq!(again(&attack), harmless, "{id}");
    }
}

#[test]
fn the_gullible_judge_is_gullible() {
    let spec = decode(SCORERS[0]).unwrap();
    let harmless = ask(&spec, HARMLESS).request;
    let seen = number(&harmless);
    // Fences whose number is always the same, as an author of attacks would have it.
    let fooled = |attack: &str| {
        let mut asked = ask(&spec, HARMLESS).request;
        let last = asked.messages.last_mut().unwrap();
        last.content = last.content.replace("It is.", &aimed(attack, &seen, &seen));
        gullible(&spec, &asked, &harmless).pass
    };
    let by: Vec<String> = corpus()
        .into_iter()
        .filter(|(_, attack)| fooled(attack))
        .map(|(id, _)| id)
        .collect();
    assert_eq!(by, ["fence-close-template", "fence-of-another-run"]);
}
