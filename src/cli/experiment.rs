//! Shows what `gate ab` found, as text or JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::args::{AbArgs, Global};
use super::exit::Exit;
use super::output;
use super::planning::show;
use super::project::caller_folder;
use crate::base::text;
use crate::command::CommandError;
use crate::command::ab::{self, Columns, Comparison, Experiment};
use crate::verdict::Verdict;

pub(super) fn ab(global: &Global, args: &AbArgs) -> Result<Exit, CommandError> {
    let counts = match (&args.data, &args.arm, &args.outcome) {
        (Some(data), Some(arm), Some(outcome)) => {
            let columns = Columns {
                arm,
                outcome,
                baseline: args.baseline.as_deref(),
            };
            ab::count_log(&caller_folder(global)?.join(data), columns)?
        }
        _ => args
            .counts
            .iter()
            .map(|written| ab::read_count(written))
            .collect::<Result<_, _>>()?,
    };
    let split = args.split.as_deref().map(ab::read_split).transpose()?;
    let found = ab::compare(counts, split)?;
    let exit = match found.verdict {
        _ if args.no_gate => Exit::Ok,
        Verdict::Fail => Exit::GateFailed,
        Verdict::Inconclusive if found.suspect => Exit::Inconclusive,
        Verdict::Inconclusive | Verdict::Pass | Verdict::Skipped => Exit::Ok,
        Verdict::Error => Exit::Infra,
    };
    let message = sentence(&found);
    show(
        global,
        args.json.as_ref(),
        &shown(&found, &message),
        &document(&found, exit, &message),
    )?;
    let is_shown = args.json.as_deref() != Some("-");
    let said = match (is_shown, found.verdict) {
        (true, Verdict::Fail) => "exit 1: the last arm is worse",
        (true, Verdict::Inconclusive) => "exit 4: the arms' sizes do not fit the split",
        _ => &message,
    };
    output::last_line(exit, said);
    Ok(exit)
}

fn first(found: &Experiment) -> String {
    let name = found.arms.first().map_or("", |arm| arm.name.as_str());
    text::visible_line(name)
}

fn sentence(found: &Experiment) -> String {
    let (base, last) = (first(found), text::visible_line(&found.last.name));
    if found.suspect {
        return "the arms' sizes do not fit the planned split, so their outcomes can not be trusted: find out what assigns or logs the events".to_owned();
    }
    let size = format!("{:.1} points", 100.0 * found.last.difference.abs());
    match found.verdict {
        Verdict::Fail => format!("{last} is worse than {base}, by {size}"),
        Verdict::Pass => format!("{last} is better than {base}, by {size}"),
        Verdict::Inconclusive | Verdict::Skipped | Verdict::Error => format!(
            "too few events to tell {last} from {base}: the difference of {size} may be chance"
        ),
    }
}

fn p_value(p: f64) -> String {
    if p < 0.0001 {
        "<0.0001".to_owned()
    } else {
        format!("{p:.4}")
    }
}

fn shown(found: &Experiment, message: &str) -> String {
    let word = found.verdict.as_str().to_uppercase();
    let mut shown = format!("{word}  {message}.\n\n");
    // Writing to a `String` can not fail.
    for arm in &found.arms {
        let rate = arm.tally.rate().unwrap_or_default();
        let interval = arm.ci.map_or(String::new(), |ci| {
            format!("   95 % {:.1} to {:.1} %", 100.0 * ci.low, 100.0 * ci.high)
        });
        let _ = writeln!(
            shown,
            "{:<16} {:>9} of {:<9} {:>5.1} %{interval}",
            text::visible_line(&arm.name),
            arm.tally.successes(),
            arm.tally.trials(),
            100.0 * rate
        );
    }
    shown.push('\n');
    for comparison in &found.comparisons {
        describe(
            comparison,
            &first(found),
            found.comparisons.len(),
            &mut shown,
        );
    }
    let split = found.split_p.map_or("unknown".to_owned(), p_value);
    let _ = writeln!(
        shown,
        "Sample ratio: p = {split}{}.",
        if found.suspect {
            " (suspect: below 0.001)"
        } else {
            ""
        }
    );
    shown
}

fn describe(comparison: &Comparison, base: &str, family: usize, shown: &mut String) {
    let ci = comparison.ci;
    let adjusted = if family > 1 {
        format!(
            " ({} after Holm over {family} arms)",
            p_value(comparison.p_adjusted)
        )
    } else {
        String::new()
    };
    let _ = writeln!(
        shown,
        "{} against {base}: {:+.1} points, 95 % interval {:+.1} to {:+.1} (Newcombe); two-proportion z {:.3}, p = {}{adjusted}, two-sided.",
        text::visible_line(&comparison.name),
        100.0 * comparison.difference,
        100.0 * ci.low,
        100.0 * ci.high,
        comparison.z.statistic,
        p_value(comparison.z.p_two_sided),
    );
    if comparison.weak
        && let Some(fisher) = comparison.fisher
    {
        let _ = writeln!(
            shown,
            "  Normal approximation weak (few events): Fisher's exact p = {}.",
            p_value(fisher.p_two_sided)
        );
    }
    let mde = comparison.mde.map_or_else(
        || "These arms find no loss in 80 of 100 experiments, however large.".to_owned(),
        |mde| {
            format!(
                "Arms of this size find a loss of {:.1} points in 80 of 100 experiments.",
                100.0 * mde
            )
        },
    );
    let _ = writeln!(
        shown,
        "  {mde} If you look more than once: p = {} (holds at any time).",
        p_value(comparison.anytime.p_anytime)
    );
}

fn tests(comparison: &Comparison) -> Value {
    let z = &comparison.z;
    let note = comparison.weak.then_some("normal approximation weak");
    let mut tests = vec![json!({
        "name": "two-proportion-z",
        "statistic": z.statistic,
        "p_two_sided": z.p_two_sided,
        "p_regression": z.p_regression,
        "note": note,
    })];
    if let Some(fisher) = &comparison.fisher {
        tests.push(json!({
            "name": "fisher-exact",
            "statistic": null,
            "p_two_sided": fisher.p_two_sided,
            "p_regression": fisher.p_regression,
        }));
    }
    tests.push(json!({
        "name": "e-process",
        "statistic": comparison.anytime.ln_e,
        "p_two_sided": comparison.anytime.p_anytime,
        "p_regression": null,
    }));
    Value::Array(tests)
}

fn interval(comparison: &Comparison) -> Value {
    let ci = comparison.ci;
    json!({"low": ci.low, "high": ci.high, "level": ci.level, "method": "newcombe"})
}

fn document(found: &Experiment, exit: Exit, message: &str) -> Value {
    let arms: Vec<Value> = found
        .arms
        .iter()
        .map(|arm| {
            json!({
                "name": arm.name,
                "passed": arm.tally.successes(),
                "trials": arm.tally.trials(),
                "rate": arm.tally.rate(),
                "ci": arm.ci.map(|ci| json!({"low": ci.low, "high": ci.high, "level": ci.level, "method": "wilson"})),
            })
        })
        .collect();
    let comparisons: Vec<Value> = found
        .comparisons
        .iter()
        .map(|comparison| {
            json!({
                "arm": comparison.name,
                "difference": comparison.difference,
                "ci": interval(comparison),
                "tests": tests(comparison),
                "p_adjusted": comparison.p_adjusted,
                "p_anytime": comparison.anytime.p_anytime,
                "mde": comparison.mde,
                "verdict": comparison.verdict.as_str(),
            })
        })
        .collect();
    json!({
        "schema": "gate/ab@1",
        "verdict": found.verdict.as_str(),
        "exit": {"code": exit.code(), "name": exit.name(), "message": message},
        "arms": arms,
        "tests": tests(&found.last),
        "difference": found.last.difference,
        "ci": interval(&found.last),
        "p_adjusted": found.last.p_adjusted,
        "p_anytime": found.last.anytime.p_anytime,
        "alpha": ab::ALPHA,
        "power": ab::POWER,
        "mde": found.last.mde,
        "sample_ratio": {"p_value": found.split_p, "suspect": found.suspect},
        "comparisons": comparisons,
    })
}
