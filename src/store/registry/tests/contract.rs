//! What every backend must do, each test run on each.

use super::model::{Draw, Model, step, try_step};
use super::*;
use crate::store::registry::Whole;

/// Runs each function as a test on each backend.
macro_rules! on_each_backend {
    ($($name:ident),* $(,)?) => {
        mod folder {
            $(#[test]
            fn $name() {
                let (_guard, registry) = super::project();
                super::$name(&registry);
            })*
        }

        #[cfg(feature = "postgres")]
        mod postgres {
            use crate::store::registry::postgres::server;

            $(#[test]
            fn $name() {
                if let Some(database) = server::database() {
                    super::$name(&database.registry("postgres"));
                }
            })*
        }
    };
}

on_each_backend!(
    random_operations_give_the_state_of_a_simple_model,
    random_operations_at_once_give_the_state_that_their_log_says,
    of_two_promotions_at_once_one_wins_and_the_other_is_told,
    twins_are_refused_with_the_number_of_the_other,
    a_prompt_that_is_not_there_has_nothing,
    an_old_decision_changes_nothing,
    a_copy_is_the_same_line_by_line,
    a_tenants_layer_is_a_version_of_its_own,
    evidence_is_kept_and_goes_nowhere_else,
);

/// How many random operations: a few by default, as many as are asked for.
#[expect(
    clippy::disallowed_methods,
    reason = "a test of many operations is asked for by the environment"
)]
fn operations() -> u64 {
    let wanted = std::env::var("GATE_TEST_OPERATIONS").ok();
    wanted.map_or(1_000, |wanted| wanted.parse().unwrap())
}

fn random_operations_give_the_state_of_a_simple_model(registry: &dyn Backend) {
    let rounds = operations() / 50;
    for round in 0..rounds {
        let slug = slug(&format!("team/prompt-{round}"));
        let mut model = Model::default();
        let mut draw = Draw(round * 1_000_000);
        for _ in 0..50 {
            step(registry, &slug, &mut model, &mut draw);
        }
        let findings = verify(registry, &slug, None).unwrap();
        assert!(findings.is_empty(), "{findings:?}");
    }
    let slugs = registry.slugs().unwrap();
    assert_eq!(u64::try_from(slugs.len()).unwrap(), rounds);
}

fn random_operations_at_once_give_the_state_that_their_log_says(registry: &dyn Backend) {
    const ACTORS: u64 = 4;
    let slug = slug("crowded");
    let done: usize = std::thread::scope(|scope| {
        let actors: Vec<_> = (0..ACTORS)
            .map(|actor| {
                let slug = &slug;
                scope.spawn(move || {
                    let mut draw = Draw(actor * 1_000_000);
                    let steps = operations() / 10 / ACTORS;
                    let done = (0..steps).filter(|_| try_step(registry, slug, &mut draw));
                    done.count()
                })
            })
            .collect();
        actors.into_iter().map(|actor| actor.join().unwrap()).sum()
    });
    let log = registry.log(&slug).unwrap();
    assert!(done > 0);
    assert_eq!(log.entries().len(), done);
    let mut model = Model::default();
    for entry in log.entries() {
        model.apply(&entry.draft.action);
    }
    model.check(registry, &slug);
    assert!(verify(registry, &slug, None).unwrap().is_empty());
}

fn of_two_promotions_at_once_one_wins_and_the_other_is_told(registry: &dyn Backend) {
    let slug = slug("p");
    for content in ["one", "two", "three"] {
        add_version(registry, &slug, content).unwrap();
    }
    for round in 0..20 {
        let pair = if round % 2 == 0 { [1, 2] } else { [3, 3] };
        let changes = pair.map(|version| promotion(registry, &slug, version).unwrap());
        let results = std::thread::scope(|scope| {
            let slug = &slug;
            let threads = changes
                .each_ref()
                .map(|decided| scope.spawn(move || registry.commit(slug, decided)));
            threads.map(|thread| thread.join().unwrap())
        });
        let told: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        let [RegistryError::Overtaken { last, .. }] = &told[..] else {
            panic!("{told:?}");
        };
        let action = last.as_ref().map(|entry| &entry.draft.action);
        assert!(matches!(action, Some(Action::Promote { .. })));
        assert!(told[0].to_string().contains("by ann"), "{}", told[0]);
    }
    assert!(verify(registry, &slug, None).unwrap().is_empty());
}

fn twins_are_refused_with_the_number_of_the_other(registry: &dyn Backend) {
    let slug = slug("p");
    add_version(registry, &slug, "one").unwrap();
    let twin = add_version(registry, &slug, "one").unwrap_err();
    assert!(twin.contains("v1 has the same hash"), "{twin}");
}

fn a_prompt_that_is_not_there_has_nothing(registry: &dyn Backend) {
    let slug = slug("nowhere");
    assert!(!registry.has(&slug).unwrap());
    assert!(registry.versions(&slug).unwrap().is_empty());
    assert!(registry.log(&slug).unwrap().entries().is_empty());
    assert!(registry.evidence(&slug).unwrap().is_empty());
    assert!(registry.settings_text(&slug).unwrap().is_none());
    let missing = find(registry, &slug, &"stable".parse().unwrap());
    assert!(matches!(missing, Err(RegistryError::Resolve(_))));
}

fn an_old_decision_changes_nothing(registry: &dyn Backend) {
    let slug = slug("p");
    add_version(registry, &slug, "one").unwrap();
    let old = promotion(registry, &slug, 1).unwrap();
    add_version(registry, &slug, "two").unwrap();
    let before = registry.log_text(&slug).unwrap().text.clone();
    let refused = registry.commit(&slug, &old);
    assert!(matches!(refused, Err(RegistryError::Overtaken { .. })));
    assert_eq!(registry.log_text(&slug).unwrap().text, before);
}

fn a_copy_is_the_same_line_by_line(registry: &dyn Backend) {
    let (_guard, other) = project();
    let slug = slug("p");
    for content in ["one", "two"] {
        add_version(registry, &slug, content).unwrap();
    }
    let mut change = promotion(registry, &slug, 1).unwrap();
    change.evidence = vec![evidence_copy("evidence/v1/suite.json")];
    registry.commit(&slug, &change).unwrap();
    let mut whole = Whole::read(registry, &slug).unwrap();
    whole.settings = Some("gate: registry/1\nowners: [ann]\n".to_owned());
    other.import(&slug, &whole).unwrap();
    let same = |there: &dyn Backend, back: &dyn Backend| {
        let (there, back) = (
            there.log_text(&slug).unwrap(),
            back.log_text(&slug).unwrap(),
        );
        assert_eq!(there.text, back.text);
    };
    same(registry, &other);
    assert!(verify(&other, &slug, None).unwrap().is_empty());
    // What came after follows, and once more changes nothing.
    let change = promotion(&other, &slug, 2).unwrap();
    other.commit(&slug, &change).unwrap();
    for _ in 0..2 {
        registry
            .import(&slug, &Whole::read(&other, &slug).unwrap())
            .unwrap();
        same(registry, &other);
    }
    assert!(verify(registry, &slug, None).unwrap().is_empty());
    assert_eq!(
        registry.evidence(&slug).unwrap(),
        other.evidence(&slug).unwrap()
    );
    assert_eq!(registry.evidence(&slug).unwrap().len(), 1);
    let found = find(registry, &slug, &"stable".parse().unwrap()).unwrap();
    assert_eq!(found.version.file.number, 2);
    let settings = registry.settings_text(&slug).unwrap().unwrap();
    assert!(settings.text.contains("owners: [ann]"));
    // Another history is not written over.
    let change = promotion(registry, &slug, 1).unwrap();
    registry.commit(&slug, &change).unwrap();
    let other_way = registry.import(&slug, &Whole::read(&other, &slug).unwrap());
    assert!(matches!(other_way, Err(RegistryError::OtherHistory { .. })));
}

fn a_tenants_layer_is_a_version_of_its_own(registry: &dyn Backend) {
    let base = slug("p");
    let text = "gate: prompt/1\ndescription: a test\nmessages:\n  - { role: system, block: tone, open: true, content: Be kind. }\n";
    add_text(registry, &base, text).unwrap();
    let tenant = base.of_tenant(&Name::new("acme").unwrap());
    let layer = "gate: prompt/1\ndescription: a layer\nextends: v1\nblocks:\n  tone: { append: Say Sir. }\n";
    assert_eq!(add_text(registry, &tenant, layer), Ok(1));
    let found = find(registry, &tenant, &"latest".parse().unwrap()).unwrap();
    let merged = decode(registry, &tenant, &found.version, &mut Diagnostics::new()).unwrap();
    assert_eq!(found.recorded.unwrap().hash, merged.hash);
    assert!(
        merged.messages[0]
            .content
            .to_source()
            .contains("Be kind.\nSay Sir.")
    );
    let change = promotion(registry, &tenant, 1).unwrap();
    registry.commit(&tenant, &change).unwrap();
    assert!(verify(registry, &tenant, None).unwrap().is_empty());
    assert_eq!(State::of(&registry.log(&base).unwrap()).stable(), None);
    let names: Vec<String> = registry
        .slugs()
        .unwrap()
        .iter()
        .map(Slug::to_string)
        .collect();
    assert_eq!(names, ["p", "p#acme"]);
    assert_eq!(
        registry.tenants(&base).unwrap(),
        [Name::new("acme").unwrap()]
    );
}

fn evidence_is_kept_and_goes_nowhere_else(registry: &dyn Backend) {
    let slug = slug("p");
    add_version(registry, &slug, "one").unwrap();
    let mut change = promotion(registry, &slug, 1).unwrap();
    for bad in [
        "evidence/../../x.json",
        "log.jsonl",
        "/tmp/x",
        "evidence/../log.jsonl",
    ] {
        change.evidence = vec![evidence_copy(bad)];
        assert!(registry.commit(&slug, &change).is_err(), "{bad}");
    }
    change.evidence = vec![evidence_copy("evidence/v1/suite.json")];
    registry.commit(&slug, &change).unwrap();
    let kept = registry.evidence(&slug).unwrap();
    assert_eq!(kept["evidence/v1/suite.json"], Digest::of_bytes(b"{}"));
    assert!(verify(registry, &slug, None).unwrap().is_empty());
}

fn evidence_copy(path: &str) -> crate::registry::change::EvidenceCopy {
    crate::registry::change::EvidenceCopy {
        path: path.to_owned(),
        text: "{}".to_owned(),
    }
}
