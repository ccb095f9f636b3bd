//! What a run says of itself: its header, from all that was read.

use std::collections::BTreeMap;

use super::{Material, Wanted};
use crate::base::rng::fresh_bytes;
use crate::base::{Diagnostic, Diagnostics, Digest, RunId, Span};
use crate::chat::ModelSpec;
use crate::command::calibrate::known;
use crate::command::judges::ChosenJudge;
use crate::command::project::Project;
use crate::command::versions::Resolved;
use crate::dataset::Case;
use crate::plan::order::PlanIdentity;
use crate::plan::plan_digest;
use crate::record::header::{JudgeHeader, MemberHeader};
use crate::record::{Arm, ArmHeader, DatasetHeader, ModelHeader, RunHeader, ScorerHeader};
use crate::score::{Kind, ScorerSpec};
use crate::suite::digest;

pub(super) fn header(
    project: &Project,
    wanted: &Wanted<'_>,
    cases: &[Case],
    total: usize,
    (filter, sample): (Option<String>, Option<String>),
    material: &mut Material<'_>,
) -> RunHeader {
    let suite = wanted.suite;
    let notes = notes(wanted, &material.judges, &mut material.warnings);
    let judges = &material.judges;
    let mut referenced = material.referenced();
    referenced.calibrations = known::trusted(suite, &material.calibrations);
    let resolved = digest::resolved(suite, &referenced);
    let suite_digest = Digest::of_json(&resolved);
    let identity = PlanIdentity {
        suite: suite_digest,
        dataset: material.data.digest,
        selected: cases.iter().map(|case| &case.id).collect(),
        arms: wanted.arms.iter().map(arm_identity).collect(),
        model: digest::model(wanted.model, &referenced),
        seed: suite.seed,
        repeat: suite.repeat,
    };
    RunHeader {
        gate: crate::record::codec::FORMAT.to_owned(),
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        run_id: RunId::new(project.clock.now(), &fresh_bytes()),
        command: wanted.command.to_owned(),
        suite: suite.name.to_string(),
        title: title(wanted),
        suite_path: suite.path.clone(),
        prompt: suite.prompt.slug().to_string(),
        suite_digest,
        plan_digest: plan_digest(&identity),
        resolved,
        arms: wanted
            .arms
            .iter()
            .map(|(arm, resolved)| arm_header(*arm, resolved))
            .collect(),
        model: model_header(wanted.model),
        candidate_model: suite.candidate_model.as_ref().map(model_header),
        matrix: Vec::new(),
        scorers: suite
            .scorers
            .iter()
            .map(|scorer| scorer_header(scorer, judges))
            .collect(),
        calibrations: std::mem::take(&mut material.calibrations),
        dataset: DatasetHeader {
            path: suite.dataset.clone(),
            digest: material.data.digest,
            cases: total,
            selected: cases.len(),
        },
        seed: suite.seed,
        repeat: suite.repeat,
        filter,
        sample,
        shard: wanted.shard.map(|shard| shard.to_string()),
        offline: project.settings.offline,
        registry_head: wanted.arms.iter().find_map(|(_, resolved)| resolved.head),
        notes,
    }
}

fn model_header(model: &ModelSpec) -> ModelHeader {
    ModelHeader {
        name: model.name.to_string(),
        provider: model.provider.as_str().to_owned(),
        model: model.model.clone(),
    }
}

/// The suite's name as reports print it, with the model where there are several.
fn title(wanted: &Wanted<'_>) -> String {
    let suite = wanted.suite;
    if suite.models.len() > 1 {
        format!("{}@{}", suite.name, wanted.model.name)
    } else {
        suite.name.to_string()
    }
}

/// What a reader of the run should know, and the author of the suite be warned of.
fn notes(
    wanted: &Wanted<'_>,
    judges: &BTreeMap<String, ChosenJudge>,
    warnings: &mut Diagnostics,
) -> Vec<String> {
    let mut notes = Vec::new();
    for (name, _) in judges.iter().filter(|(_, judge)| judge.grades_itself) {
        let note = format!(
            "judge `{name}` asks the model under test, so the model grades itself: add a `judge_model`"
        );
        let warning = Diagnostic::warning("self-judge", note.clone());
        warnings.push(warning.at(&wanted.suite.source, Span::default()));
        notes.push(note);
    }
    let alone = wanted.arms.len() < 2;
    let left_out = wanted.suite.scorers.iter();
    for scorer in left_out.filter(|scorer| alone && scorer.is_pairwise()) {
        notes.push(format!(
            "scorer `{}` compares two versions: a run of one leaves it out",
            scorer.name
        ));
    }
    notes.extend(
        wanted.shard.map(|shard| {
            format!("shard {shard}: a part of the cases; `gate merge` joins all parts")
        }),
    );
    notes
}

/// What the plan knows of an arm: its content, and where its answers come from.
fn arm_identity((arm, resolved): &(Arm, Resolved)) -> (Arm, Digest, Option<String>) {
    let stored = resolved.stored.as_ref();
    let run = stored.map(|stored| stored.run.to_string());
    (*arm, resolved.prompt.hash, run)
}

fn arm_header(arm: Arm, resolved: &Resolved) -> ArmHeader {
    ArmHeader {
        arm,
        reference: resolved.reference.clone(),
        label: resolved.label.clone(),
        version: resolved.prompt.number,
        hash: resolved.prompt.hash,
        file: resolved.prompt.source.name.clone(),
        text: resolved.prompt.source.text.clone(),
    }
}

fn scorer_header(scorer: &ScorerSpec, judges: &BTreeMap<String, ChosenJudge>) -> ScorerHeader {
    let header = |name: &str| {
        judges.get(name).map(|judge| JudgeHeader {
            version: judge.version.clone(),
            hash: judge.judge.version().hash,
            model: judge.model.name.to_string(),
        })
    };
    let members = match &scorer.kind {
        Kind::Panel(panel) => panel.judges.as_slice(),
        Kind::Assertion(_) | Kind::Judge(_) | Kind::Exec(_) | Kind::Similar(_) => &[],
    };
    let members = members.iter().filter_map(|member| {
        Some(MemberHeader {
            name: member.name.to_string(),
            judge: header(&scorer.member(member.name.as_str()))?,
        })
    });
    ScorerHeader {
        name: scorer.name.to_string(),
        kind: scorer.type_name.clone(),
        gating: scorer.gating,
        judge: match scorer.kind {
            Kind::Judge(_) => header(scorer.name.as_str()),
            Kind::Assertion(_) | Kind::Panel(_) | Kind::Exec(_) | Kind::Similar(_) => None,
        },
        members: members.collect(),
    }
}
