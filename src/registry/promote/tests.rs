//! A promotion needs evidence of exactly this version, as things stand now.

use std::collections::BTreeMap;

use super::*;
use crate::registry::evidence::{Answers, EvidenceVerdict};
use crate::registry::log::Log;
use crate::registry::settings::Protection;

const DAY: i64 = 86_400_000;

fn digest(text: &str) -> Digest {
    Digest::of_bytes(text.as_bytes())
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn stamp(by: &str, why: Option<&str>) -> Stamp {
    Stamp {
        by: by.to_owned(),
        at: Timestamp::from_millis(0),
        why: why.map(str::to_owned),
    }
}

/// v1 and v2 are in the log, v1 is `stable`; v2 is the candidate.
struct World {
    log: Log,
    settings: PromptSettings,
    suites: Vec<Requirement>,
    candidate: Present,
}

fn world() -> World {
    let mut log = Log::default();
    for (version, content) in [(1, "one"), (2, "two")] {
        let (hash, file) = (digest(content), digest(content));
        log.append(stamp("ann", None).draft(Action::Add {
            version,
            hash,
            file,
        }));
    }
    log.append(stamp("ann", Some("first")).draft(Action::Promote {
        version: 1,
        channel: Channel::stable(),
        from: None,
        hash: digest("one"),
        evidence: None,
    }));
    let judges = BTreeMap::from([("polite".to_owned(), digest("judge"))]);
    let suite = Requirement {
        suite: name("triage"),
        model: name("main"),
        model_id: "m-2026-01-01".to_owned(),
        has_other_models: false,
        lacks_rule: None,
        suite_digest: digest("suite"),
        dataset_digest: digest("data"),
        judges,
    };
    let candidate = Present {
        number: 2,
        hash: digest("two"),
        file: digest("two"),
    };
    World {
        log,
        settings: PromptSettings::default(),
        suites: vec![suite],
        candidate,
    }
}

fn evidence() -> EvidenceSummary {
    let world = world();
    let suite = &world.suites[0];
    EvidenceSummary {
        suite: suite.suite.clone(),
        model: suite.model.clone(),
        model_id: suite.model_id.clone(),
        run: "0198".to_owned(),
        verdict: EvidenceVerdict::Pass,
        complete: true,
        unfiltered: true,
        unruled: false,
        answers: Answers::Own,
        candidate: digest("two"),
        baseline: Some(digest("one")),
        suite_digest: suite.suite_digest,
        dataset_digest: suite.dataset_digest,
        judges: suite.judges.clone(),
        finished_at: Timestamp::from_millis(0),
        digest: digest("{}"),
        text: "{}".to_owned(),
    }
}

impl World {
    fn check(&self, evidence: &[EvidenceSummary], force: Force) -> Result<Promotion, Vec<String>> {
        self.check_for(&Channel::stable(), evidence, force)
    }

    fn check_for(
        &self,
        channel: &Channel,
        evidence: &[EvidenceSummary],
        force: Force,
    ) -> Result<Promotion, Vec<String>> {
        self.missing(channel, evidence, force)
            .map_err(|missing| missing.iter().map(Missing::to_string).collect())
    }

    fn missing(
        &self,
        channel: &Channel,
        evidence: &[EvidenceSummary],
        force: Force,
    ) -> Result<Promotion, Vec<Missing>> {
        let slug = Slug::new("triage").unwrap();
        let question = Question {
            slug: &slug,
            state: &State::of(&self.log),
            settings: &self.settings,
            candidate: self.candidate,
            channel,
            suites: &self.suites,
            force,
            now: Timestamp::from_millis(30 * DAY),
        };
        check_promotion(&question, evidence)
    }
}

#[test]
fn moves_stable_on_evidence_and_writes_it_down() {
    let promotion = world().check(&[evidence()], Force::No).unwrap();
    assert!(!promotion.is_forced());
    let change = promotion.change(stamp("bob", None)).unwrap();
    assert_eq!(change.expected, world().log.head());
    assert_eq!(change.evidence[0].path, "evidence/v2/triage.json");
    let [draft] = &change.drafts[..] else {
        panic!("{change:?}");
    };
    let Action::Promote {
        version: 2,
        from: Some(1),
        evidence: Some(list),
        ..
    } = &draft.action
    else {
        panic!("{draft:?}");
    };
    assert_eq!(list[0].digest, digest("{}"));
}

#[test]
fn says_exactly_what_is_wrong_with_the_evidence() {
    type Edit = fn(&mut EvidenceSummary);
    let table: [(Edit, &str); 13] = [
        (|e| e.candidate = digest("x"), "about another content"),
        (
            |e| e.baseline = Some(digest("two")),
            "compares with v2 (3fc4ccfe7458), and `stable` is v1 (",
        ),
        (
            |e| e.baseline = None,
            "compares with nothing, and `stable` is v1 (",
        ),
        (|e| e.verdict = EvidenceVerdict::Fail, "the verdict is fail"),
        (
            |e| e.verdict = EvidenceVerdict::Inconclusive,
            "the verdict is inconclusive",
        ),
        (|e| e.unruled = true, "no rule formed a verdict"),
        (
            |e| (e.unruled, e.verdict) = (true, EvidenceVerdict::Inconclusive),
            "no rule formed a verdict",
        ),
        (|e| e.complete = false, "not complete"),
        (|e| e.unfiltered = false, "filtered"),
        (|e| e.dataset_digest = digest("x"), "the dataset changed"),
        (|e| e.suite_digest = digest("x"), "the suite changed"),
        (
            |e| e.model_id = "m-2025".to_owned(),
            "the model was `m-2025`",
        ),
        (
            |e| {
                e.suite_digest = digest("x");
                e.judges.insert("polite".to_owned(), digest("x"));
            },
            "the judge of scorer `polite` changed",
        ),
    ];
    for (edit, message) in table {
        let mut evidence = evidence();
        edit(&mut evidence);
        let missing = world().check(&[evidence], Force::No).unwrap_err();
        assert_eq!(missing.len(), 1, "{missing:?}");
        assert!(missing[0].contains(message), "{missing:?}");
    }
    let absent = world().check(&[], Force::No).unwrap_err();
    assert_eq!(
        absent,
        ["suite `triage`, model `main`: there is no result for this version"]
    );
}

#[test]
fn evidence_grows_old_where_the_settings_say_so() {
    let mut world = world();
    world.settings.max_age_days = Some(31);
    assert!(world.check(&[evidence()], Force::No).is_ok());
    world.settings.max_age_days = Some(30);
    let missing = world.check(&[evidence()], Force::No).unwrap_err();
    assert!(
        missing[0].contains("30 days old, and holds for 30"),
        "{missing:?}"
    );
}

#[test]
fn takes_the_good_result_among_bad_ones_and_explains_by_the_nearest() {
    let mut other = evidence();
    other.candidate = digest("x");
    let mut failed = evidence();
    failed.verdict = EvidenceVerdict::Fail;
    assert!(
        world()
            .check(&[other.clone(), failed.clone(), evidence()], Force::No)
            .is_ok()
    );
    let missing = world().check(&[other, failed], Force::No).unwrap_err();
    assert_eq!(
        missing,
        ["suite `triage`, model `main`: the verdict is fail"]
    );
}

#[test]
fn a_failure_asks_for_a_new_version_and_a_withdrawn_one_names_its_way_back() {
    let mut failed = evidence();
    failed.verdict = EvidenceVerdict::Fail;
    let help = |world: &World, evidence: &[EvidenceSummary]| {
        let missing = world.missing(&Channel::stable(), evidence, Force::No);
        missing.unwrap_err()[0].command().unwrap().to_owned()
    };
    assert_eq!(
        help(&world(), &[failed.clone()]),
        "v2 failed (gate report 0198): a new version is needed, gate prompt add FILE --prompt triage"
    );
    // On other data the failure says nothing any more.
    failed.dataset_digest = digest("x");
    assert_eq!(
        help(&world(), &[failed]),
        "gate compare stable v2 --suite triage"
    );
    let mut world = world();
    world
        .log
        .append(stamp("ann", Some("wrong")).draft(Action::Status {
            version: 2,
            from: None,
            to: Status::Deprecated,
            hash: None,
        }));
    assert_eq!(
        help(&world, &[evidence()]),
        "gate prompt promote triage@v2 --force --why TEXT"
    );
    for (version, from) in [(2, 1), (1, 2)] {
        world.log.append(stamp("ann", None).draft(Action::Promote {
            version,
            channel: Channel::stable(),
            from: Some(from),
            hash: digest(if version == 1 { "one" } else { "two" }),
            evidence: Some(Vec::new()),
        }));
    }
    assert_eq!(
        help(&world, &[evidence()]),
        "gate prompt rollback triage --to v2"
    );
}

#[test]
fn every_suite_that_gates_and_every_model_needs_its_own() {
    let mut world = world();
    let mut second = world.suites[0].clone();
    second.suite = name("safety");
    let mut model = world.suites[0].clone();
    model.model = name("small");
    world.suites.extend([second, model]);
    assert_eq!(world.check(&[evidence()], Force::No).unwrap_err().len(), 2);
    world.settings.gates = Some(vec![name("safety"), name("gone")]);
    let missing = world.check(&[evidence()], Force::No).unwrap_err();
    assert_eq!(missing.len(), 2);
    assert!(missing[0].contains("suite `gone`"), "{missing:?}");
    world.settings.gates = None;
    world.suites.clear();
    let missing = world.check(&[evidence()], Force::No).unwrap_err();
    assert_eq!(
        missing,
        ["no suite tests prompt `triage`, so nothing can carry a promotion"]
    );
}

#[test]
fn without_a_stable_version_a_run_is_the_evidence() {
    let mut world = world();
    let entries = world.log.entries().iter().take(2).cloned();
    let drafts: Vec<_> = entries.map(|entry| entry.draft).collect();
    world.log = Log::default();
    for draft in drafts {
        world.log.append(draft);
    }
    let mut run = evidence();
    run.baseline = None;
    assert!(world.check(&[run], Force::No).is_ok());
    let missing = world.check(&[evidence()], Force::No).unwrap_err();
    assert!(
        missing[0].contains("there is no `stable` now"),
        "{missing:?}"
    );
}

#[test]
fn force_needs_a_reason_and_is_marked() {
    let promotion = world().check(&[], Force::Yes).unwrap();
    assert!(promotion.is_forced());
    assert_eq!(
        promotion.clone().change(stamp("bob", Some(" "))),
        Err(NoReason)
    );
    let change = promotion.change(stamp("bob", Some("outage"))).unwrap();
    let mut log = world().log;
    for draft in change.drafts {
        log.append(draft);
    }
    assert!(log.entries().last().unwrap().is_forced());
    // With good evidence force passes over nothing, and nothing is marked.
    assert!(
        !world()
            .check(&[evidence()], Force::Yes)
            .unwrap()
            .is_forced()
    );
}

#[test]
fn approvals_can_not_be_forced() {
    let mut world = world();
    world
        .settings
        .protected
        .insert(Channel::stable(), Protection { approvals: 2 });
    let approve = |by: &str| {
        stamp(by, None).draft(Action::Approve {
            version: 2,
            channel: Channel::stable(),
            hash: None,
        })
    };
    for by in ["ann", "bob", "bob", "Bob "] {
        world.log.append(approve(by));
    }
    for force in [Force::No, Force::Yes] {
        let missing = world.check(&[evidence()], force).unwrap_err();
        assert_eq!(
            missing,
            ["`stable` needs 2 approvals by others than the author, v2 has those of bob"]
        );
    }
    world.log.append(approve("eve"));
    assert!(world.check(&[evidence()], Force::No).is_ok());
}

#[test]
fn refuses_what_is_there_already_edited_withdrawn_or_latest() {
    let mut world = world();
    world.candidate.number = 1;
    let missing = world.check(&[], Force::Yes).unwrap_err();
    assert_eq!(missing.len(), 2, "{missing:?}");
    world.candidate = Present {
        number: 1,
        hash: digest("one"),
        file: digest("one"),
    };
    let there = world.check(&[], Force::No).unwrap_err();
    assert_eq!(there, ["`stable` points to v1 already"]);
    world.candidate = self::world().candidate;
    let latest = world
        .check_for(&Channel::latest(), &[], Force::Yes)
        .unwrap_err();
    assert!(latest[0].contains("moves by itself"), "{latest:?}");
    world
        .log
        .append(stamp("ann", Some("wrong")).draft(Action::Status {
            version: 2,
            from: None,
            to: Status::Deprecated,
            hash: None,
        }));
    let missing = world.check(&[evidence()], Force::No).unwrap_err();
    assert!(
        missing[0].contains("deprecated since") && missing[0].contains("wrong"),
        "{missing:?}"
    );
    assert!(world.check(&[evidence()], Force::Yes).unwrap().is_forced());
}

#[test]
fn other_channels_need_no_evidence_and_new_versions_are_recorded_first() {
    let mut world = world();
    let canary = Channel::new("canary").unwrap();
    world.candidate = Present {
        number: 3,
        hash: digest("three"),
        file: digest("three"),
    };
    let promotion = world.check_for(&canary, &[], Force::No).unwrap();
    let change = promotion.change(stamp("bob", None)).unwrap();
    let words: Vec<&str> = change
        .drafts
        .iter()
        .map(|draft| draft.action.word())
        .collect();
    assert_eq!(words, ["add", "promote"]);
}
