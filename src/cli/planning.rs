//! Shows what `gate power` and `gate simulate` found, as text or JSON.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::args::{Global, PowerArgs, RiskArgs, SimulateArgs};
use super::exit::Exit;
use super::output;
use super::project::{caller_folder, global_layers, open};
use super::reports;
use crate::base::text;
use crate::command::CommandError;
use crate::command::power::{self, Design, Goal, Plan, Question, Repeats};
use crate::command::simulate::{self, Simulated};
use crate::stats::simulate as model;
use crate::store::fs;

/// Prints a text, or writes its JSON form where `--json` says; to stdout goes one of the two.
pub(super) fn show(
    global: &Global,
    json: Option<&String>,
    text: &str,
    value: &Value,
) -> Result<(), CommandError> {
    let failed = |what: &str, error: &dyn std::error::Error| {
        let cause = crate::command::error::chain(error.source().unwrap_or(error));
        let message = format!("failed to write {what}: {cause}");
        CommandError::infra("io", message, None)
    };
    let document = format!("{value:#}\n");
    let stdout = match json {
        Some(path) if path == "-" => document.as_str(),
        Some(path) => {
            let full = caller_folder(global)?.join(path);
            reports::check_target(path, &full)?;
            fs::write_with(&full, |out| out.write_all(document.as_bytes()))
                .map_err(|error| failed(path, &error))?;
            output::say(&format!("wrote {path}"));
            text
        }
        None => text,
    };
    output::data(|out| out.write_all(stdout.as_bytes())).map_err(|error| failed("stdout", &error))
}

pub(super) fn power(global: &Global, args: &PowerArgs) -> Result<Exit, CommandError> {
    let (design, known) = design(global, args)?;
    let goal = match (args.effect, args.cases.or(known)) {
        (Some(effect), _) => Goal::Effect(effect),
        (None, Some(cases)) => Goal::Cases(cases),
        (None, None) => {
            return Err(CommandError::usage(
                "neither cases nor an effect is given",
                "write --cases N for the least loss they find, or --effect F for the cases it needs",
            ));
        }
    };
    let repeats = args.repeats.map(|most| Repeats {
        most,
        icc: args.trial_icc.unwrap_or(0.0),
        case_price: args.case_price.unwrap_or(0.0),
    });
    let RiskArgs {
        alpha,
        margin,
        power,
    } = args.risk;
    let plan = power::power(Question {
        design,
        goal,
        clusters: args.cluster_size.zip(args.icc),
        repeats,
        alpha,
        margin,
        power,
    })?;
    show(
        global,
        args.json.as_ref(),
        &power_text(&plan),
        &power_json(&plan),
    )?;
    Ok(Exit::Ok)
}

fn design(global: &Global, args: &PowerArgs) -> Result<(Design, Option<u64>), CommandError> {
    if let Some(run) = &args.run {
        let project = open(global, global_layers(global), None)?;
        let learnt = power::of_run(&project, run)?;
        if let Some(note) = &learnt.note {
            output::say(&format!("note: {}", text::visible_line(note)));
        }
        return Ok((learnt.design, Some(learnt.cases)));
    }
    let design = match (args.rate, args.sd, args.churn) {
        (Some(rate), _, _) => Design::Unpaired { rate },
        (None, Some(sd), _) => Design::Graded { sd },
        (None, None, Some(churn)) => Design::Paired { churn },
        (None, None, None) => Design::default(),
    };
    Ok((design, None))
}

fn points(share: f64) -> String {
    format!("{:.1} points", 100.0 * share)
}

fn plans_text(plan: &Plan, shown: &mut String) {
    if plan.plans.is_empty() {
        return;
    }
    shown.push_str("\nFor the price of these cases with one trial each:\n  trials   cases   least loss found\n");
    for design in &plan.plans {
        // Writing to a `String` can not fail.
        let _ = writeln!(
            shown,
            "  {:>6} {:>7}   {}",
            design.trials,
            design.cases,
            points(design.mde)
        );
    }
}

fn power_text(plan: &Plan) -> String {
    let question = &plan.question;
    let cases = text::count(usize::try_from(plan.cases).unwrap_or(usize::MAX), "case");
    let arms = match question.design {
        Design::Unpaired { .. } => " in each arm",
        Design::Paired { .. } | Design::Graded { .. } => "",
    };
    let chance = 100.0 * question.power;
    let mut shown = match (question.goal, plan.mde) {
        (Goal::Cases(_), Some(mde)) => format!(
            "{cases}{arms} find a loss of {} or more in {chance:.0} of 100 runs; a smaller one more seldom.\n",
            points(mde)
        ),
        (Goal::Cases(_), None) => {
            format!("{cases}{arms} find no loss in {chance:.0} of 100 runs, however large.\n")
        }
        (Goal::Effect(effect), _) => format!(
            "A loss of {} needs {cases}{arms} to be found in {chance:.0} of 100 runs.\n",
            points(effect.abs())
        ),
    };
    // Writing to a `String` can not fail.
    if let Some(needed) = plan.noninferior {
        let _ = writeln!(
            shown,
            "An unchanged candidate passes within {} in {chance:.0} of 100 runs from {} on.",
            points(question.margin),
            text::count(usize::try_from(needed).unwrap_or(usize::MAX), "case")
        );
    }
    let spread = match question.design {
        Design::Paired { churn } => format!(
            "paired, {:.1} % of cases flip without a change",
            100.0 * churn
        ),
        Design::Unpaired { rate } => format!("unpaired, baseline rate {:.1} %", 100.0 * rate),
        Design::Graded { sd } => format!("paired scores, SD of the differences {sd:.4}"),
    };
    let _ = writeln!(
        shown,
        "Planned for {} ({spread}), one-sided alpha {}, power {}{}.",
        plan.method(),
        question.alpha,
        question.power,
        if question.clusters.is_some() {
            format!(", design effect {:.3}", plan.design_effect)
        } else {
            String::new()
        }
    );
    plans_text(plan, &mut shown);
    shown
}

fn power_json(plan: &Plan) -> Value {
    let question = &plan.question;
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("schema", json!("gate/power@1"));
    put("method", json!(plan.method()));
    match question.design {
        Design::Paired { churn } => put("churn", json!(churn)),
        Design::Unpaired { rate } => put("rate", json!(rate)),
        Design::Graded { sd } => put("sd", json!(sd)),
    };
    put(
        "asked",
        json!(match question.goal {
            Goal::Cases(_) => "mde",
            Goal::Effect(_) => "cases",
        }),
    );
    put("mde", json!(plan.mde));
    put("cases", json!(plan.cases));
    put("cases_exact", json!(plan.exact));
    put("noninferior_cases", json!(plan.noninferior));
    put("design_effect", json!(plan.design_effect));
    put("alpha", json!(question.alpha));
    put("margin", json!(question.margin));
    put("power", json!(question.power));
    put("repeats", json!(plan.plans));
    Value::Object(object)
}

pub(super) fn simulate(global: &Global, args: &SimulateArgs) -> Result<Exit, CommandError> {
    let RiskArgs { alpha, margin, .. } = args.risk;
    let question = simulate::Question {
        design: model::Design {
            cases: args.cases.unwrap_or(1),
            trials: args.trials.unwrap_or(1),
            rate: args.rate,
            drop: args.drop,
            correlation: args.correlation,
        },
        criteria: model::Criteria {
            alpha,
            margin,
            threshold: args.threshold,
        },
        draws: args.draws,
        seed: args.seed,
    };
    let simulated = match &args.suite {
        None => simulate::simulate(question)?,
        Some(suite) => {
            let mut layers = global_layers(global);
            layers.put("suite", vec![suite.clone()], crate::settings::Origin::Flag);
            let project = open(global, layers, None)?;
            simulate::simulate_suite(&project, question, args.policy_draws)?
        }
    };
    show(
        global,
        args.json.as_ref(),
        &simulate_text(&simulated),
        &simulate_json(&simulated),
    )?;
    Ok(Exit::Ok)
}

fn simulate_text(simulated: &Simulated) -> String {
    let design = &simulated.question.design;
    let tests = &simulated.tests;
    let change = if design.drop == 0.0 {
        "no change: what is blocked is a false alarm".to_owned()
    } else {
        format!("a true loss of {}", points(design.drop))
    };
    let mut shown = format!(
        "{} of {} x {}, baseline rate {:.1} %, correlation {}; {change}.\n\n",
        text::count(tests.draws, "simulated run"),
        text::count(design.cases as usize, "case"),
        text::count(design.trials as usize, "trial"),
        100.0 * design.rate,
        design.correlation,
    );
    // Writing to a `String` can not fail.
    for entry in &tests.rejections {
        let name = match entry.test {
            model::Test::FixedThreshold => {
                format!(
                    "more than {} lost",
                    points(simulated.question.criteria.threshold)
                )
            }
            test => test.as_str().to_owned(),
        };
        let share = entry.runs as f64 / tests.draws.max(1) as f64;
        let _ = writeln!(shown, "  {name:<26} blocks {:>5.1} %", 100.0 * share);
    }
    let of = |count: usize| 100.0 * count as f64 / tests.draws.max(1) as f64;
    let _ = writeln!(
        shown,
        "\nThe rule of the gate (alpha {}, margin {}): pass {:.1} %, fail {:.1} %, inconclusive {:.1} %",
        simulated.question.criteria.alpha,
        points(simulated.question.criteria.margin),
        of(tests.pass),
        of(tests.fail),
        of(tests.inconclusive)
    );
    if let Some(policy) = &simulated.policy {
        let runs = &policy.rehearsal;
        let of = |count: usize| 100.0 * runs.share(count);
        let _ = writeln!(
            shown,
            "The whole policy of {} ({}): pass {:.1} %, fail {:.1} %, inconclusive {:.1} %",
            text::visible_line(&policy.suite),
            text::count(runs.draws, "run"),
            of(runs.pass),
            of(runs.fail),
            of(runs.inconclusive)
        );
        for note in &policy.notes {
            let _ = writeln!(shown, "  note: {note}");
        }
    }
    shown
}

fn simulate_json(simulated: &Simulated) -> Value {
    let tests = &simulated.tests;
    let share = |count: usize| count as f64 / tests.draws.max(1) as f64;
    let rejection: Map<String, Value> = tests
        .rejections
        .iter()
        .map(|entry| (entry.test.as_str().to_owned(), json!(share(entry.runs))))
        .collect();
    let question = &simulated.question;
    let design = &question.design;
    let policy = simulated.policy.as_ref().map(|policy| {
        let runs = &policy.rehearsal;
        json!({
            "suite": policy.suite,
            "draws": runs.draws,
            "verdicts": {
                "pass": runs.share(runs.pass),
                "fail": runs.share(runs.fail),
                "inconclusive": runs.share(runs.inconclusive),
            },
            "notes": policy.notes,
        })
    });
    json!({
        "schema": "gate/simulate@1",
        "draws": tests.draws,
        "seed": question.seed,
        "cases": design.cases,
        "trials": design.trials,
        "rate": design.rate,
        "drop": design.drop,
        "correlation": design.correlation,
        "alpha": question.criteria.alpha,
        "margin": question.criteria.margin,
        "threshold": question.criteria.threshold,
        "rejection": rejection,
        "verdicts": {
            "pass": share(tests.pass),
            "fail": share(tests.fail),
            "inconclusive": share(tests.inconclusive),
        },
        "policy": policy,
    })
}
