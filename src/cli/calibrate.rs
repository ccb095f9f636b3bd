//! Runs `gate calibrate` and shows what it found, as text or JSON.

mod pairs;

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::args::{CalibrateArgs, Global};
use super::exit::Exit;
use super::gate::with_hooks;
use super::output;
use super::planning::show;
use super::project::{caller_folder, global_layers, how_layers, open, suite_layers};
use crate::analysis::calibration::{Agreement, Figures, LengthBias, PASS_SCORE, Repeatability};
use crate::base::text;
use crate::command::CommandError;
use crate::command::calibrate::{self, Calibrated, Calibration, Options};
use crate::command::run::Hooks;
use crate::report::escape::{terminal_line, workflow_lines};
use crate::report::number;
use crate::runner::Interrupt;
use crate::stats::Interval;
use crate::stats::association::Measured;

pub(super) fn calibrate(global: &Global, args: &CalibrateArgs) -> Result<Exit, CommandError> {
    if args
        .threshold
        .is_some_and(|least| !(0.0..=1.0).contains(&least))
    {
        return Err(CommandError::usage(
            "--threshold is not between 0 and 1",
            "write the scorer's threshold, such as --threshold 0.75",
        ));
    }
    let mut layers = global_layers(global);
    suite_layers(&mut layers, &args.suites);
    how_layers(&mut layers, &args.how);
    let project = open(global, layers, Some(&args.how.permissions))?;
    let folder = caller_folder(global)?;
    let options = Options {
        judge: args.judge.clone(),
        labels: args.labels.clone(),
        models: args.model.clone(),
        repeat: args.repeat,
        threshold: args.threshold,
    };
    let found = with_hooks(&project, async |hooks: &mut Hooks<'_>| {
        Box::pin(calibrate::calibrate(&project, &folder, &options, hooks)).await
    })?;
    let exit = match found.interrupt {
        None => Exit::Ok,
        Some(Interrupt::Interrupted) => Exit::Interrupted,
        Some(Interrupt::Terminated) => Exit::Terminated,
    };
    for model in &found.models {
        output::say(&format!("wrote {}", text::visible_line(&model.path)));
        if let Some(replaced) = &model.replaced {
            output::say(&format!("note: {replaced}"));
        }
    }
    show(
        global,
        args.json.as_ref(),
        &shown(&found),
        &document(&found, exit),
    )?;
    if found.interrupt.is_some() {
        output::last_line(exit, "interrupted before every example was judged");
    }
    Ok(exit)
}

/// A table of figures under construction.
struct Sheet(String);

impl Sheet {
    fn line(&mut self, what: &str, value: &str, note: &str) {
        let line = format!("{what:<18} {value:<9} {note}");
        // Writing to a `String` can not fail.
        let _ = writeln!(self.0, "{}", terminal_line(line.trim_end()));
    }
}

fn shown(found: &Calibration) -> String {
    let mut sheet = Sheet(String::new());
    for (index, model) in found.models.iter().enumerate() {
        if index > 0 {
            sheet.0.push('\n');
        }
        describe(&mut sheet, found, model);
    }
    workflow_lines(&sheet.0).into_owned()
}

fn describe(sheet: &mut Sheet, found: &Calibration, model: &Calibrated) {
    let record = &model.record;
    let examples = usize::try_from(found.labels.examples).unwrap_or(usize::MAX);
    let title = format!(
        "{} on {}, held against {} of {}",
        found.judge,
        record.model.model,
        text::count(examples, "labelled example"),
        found.path,
    );
    let _ = writeln!(sheet.0, "{}\n", terminal_line(&title));
    if let Some(pass) = &model.figures.pass {
        passes(sheet, pass);
    }
    if let Some(preference) = &model.figures.preference {
        pairs::preferences(sheet, preference);
    }
    if let Some(position) = &model.figures.position {
        pairs::position(sheet, position);
    }
    scores(sheet, &model.figures);
    people(sheet, &model.figures);
    let pairs = model.figures.preference.is_some();
    length(sheet, &model.figures.length, pairs);
    steadiness(sheet, model.figures.repeatability.as_ref());
    own_answers(sheet, &model.figures);
    if record.errored > 0 {
        let note = "examples without a verdict: left out, never counted as wrong";
        sheet.line("errors", &record.errored.to_string(), note);
    }
    if !record.criteria.is_empty() {
        let note = "different criteria; the record counts for scorers with one of them";
        sheet.line("criteria", &record.criteria.len().to_string(), note);
    }
    let served = record.model.served.join(", ");
    sheet.line(
        "model served",
        if served.is_empty() {
            number::UNKNOWN
        } else {
            &served
        },
        "",
    );
    let paid = format!(
        "{} requests, {} from the cache",
        model.requests, model.cache_hits
    );
    sheet.line("paid", &number::usd(Some(model.spent_usd)), &paid);
    sheet.line("record", &model.path, "");
    sheet.line("", &model.digest.to_string(), "");
    let figures = &model.figures;
    let of_passes = figures.pass.as_ref().map(meaning);
    let of_pairs = || figures.preference.as_ref().map(pairs::meaning);
    let meaning = of_passes.or_else(of_pairs).unwrap_or_default();
    let _ = writeln!(sheet.0, "\n{}", terminal_line(&meaning));
}

fn coefficient(value: Option<f64>) -> String {
    value.map_or_else(
        || "n/a".to_owned(),
        |value| number::signed(value, 2).replace('+', ""),
    )
}

fn range(interval: Option<Interval>, form: impl Fn(f64) -> String) -> String {
    interval.map_or_else(String::new, |interval| {
        let level = number::level(interval.level);
        format!("{level} {} to {}", form(interval.low), form(interval.high))
    })
}

fn plain(value: f64) -> String {
    coefficient(Some(value))
}

fn passes(sheet: &mut Sheet, pass: &Agreement) {
    let agreed = pass.both_pass + pass.both_fail;
    let share = pass
        .agreement
        .map_or_else(|| "n/a".to_owned(), number::percent);
    sheet.line(
        "agreement",
        &share,
        &format!("{agreed} of {} verdicts", pass.examples),
    );
    sheet.line(
        "Cohen's kappa",
        &coefficient(pass.kappa),
        &range(pass.kappa_ci, plain),
    );
    sheet.line("Gwet's AC1", &coefficient(pass.ac1), "");
    sheet.line("Krippendorff's α", &coefficient(pass.alpha), "of passes");
    let rates = [
        (
            "sensitivity",
            pass.sensitivity,
            pass.both_pass,
            pass.false_fail,
            "passes",
            "pass",
        ),
        (
            "specificity",
            pass.specificity,
            pass.both_fail,
            pass.false_pass,
            "fails",
            "fail",
        ),
    ];
    for (name, rate, right, wrong, verb, people) in rates {
        let of = right + wrong;
        let note = format!("{verb} {right} of the {of} that people {people}");
        match rate {
            Some(rate) => {
                let range = range(Some(rate.interval), number::percent);
                sheet.line(
                    name,
                    &number::percent(rate.rate),
                    &format!("{range}; {note}"),
                );
            }
            None => sheet.line(name, "n/a", &note),
        }
    }
}

fn scores(sheet: &mut Sheet, figures: &Figures) {
    let Some(score) = &figures.score else {
        return;
    };
    let note = format!(
        "ordinal; kappa {} (quadratic weights), mean {} against people",
        coefficient(score.kappa_quadratic),
        score
            .leniency
            .map_or_else(|| "n/a".to_owned(), |by| number::signed(by, 2)),
    );
    sheet.line("α of scores", &coefficient(score.alpha), &note);
}

fn people(sheet: &mut Sheet, figures: &Figures) {
    let Some(people) = &figures.people else {
        return;
    };
    let tied = match people.tied {
        0 => String::new(),
        tied => format!("; {tied} without a majority do not count"),
    };
    let agreement = people.agreement.map_or_else(String::new, |share| {
        format!("; two of them agree on {}", number::percent(share))
    });
    let note = format!(
        "of {}, over {} examples{agreement}{tied}",
        if figures.preference.is_some() {
            "preferences"
        } else {
            "passes"
        },
        people.examples
    );
    let (alpha, note) = match people.alpha.or(people.score_alpha) {
        alpha if people.alpha.is_some() => (alpha, note),
        alpha => (
            alpha,
            format!("of scores, over {} examples", people.examples),
        ),
    };
    sheet.line(
        "people among them",
        &format!("α {}", coefficient(alpha)),
        &note,
    );
}

fn rho(measured: Option<Measured>) -> (String, String) {
    let value = measured.map_or_else(|| "n/a".to_owned(), |m| number::signed(m.value, 2));
    let range = range(measured.and_then(|m| m.interval), |value| {
        number::signed(value, 2)
    });
    (value, range)
}

/// Whether an interval leaves zero out, in words.
fn leaning(measured: Option<Measured>, above: &str, below: &str) -> String {
    match measured.and_then(|measured| measured.interval) {
        Some(interval) if interval.low > 0.0 => format!("; {above}"),
        Some(interval) if interval.high < 0.0 => format!("; {below}"),
        Some(_) => "; no leaning shown".to_owned(),
        None => String::new(),
    }
}

fn length(sheet: &mut Sheet, length: &LengthBias, pairs: bool) {
    let (value, range) = rho(length.excess);
    let of = rho(length.judge).0;
    let word = leaning(
        length.excess,
        "the judge favours long answers",
        "the judge favours short answers",
    );
    let against = if pairs {
        "the difference in length"
    } else {
        "length"
    };
    let note =
        format!("{range}; Spearman, judge less people against {against} (judge alone {of}){word}");
    sheet.line("length bias ρ", &value, note.trim_start_matches("; "));
}

fn steadiness(sheet: &mut Sheet, repeats: Option<&Repeatability>) {
    let Some(repeats) = repeats else {
        return;
    };
    let same = repeats
        .same
        .map_or_else(|| "n/a".to_owned(), number::percent);
    let note = format!(
        "of {} examples get the same verdict in all {} runs; α {}",
        repeats.examples,
        repeats.runs,
        coefficient(repeats.alpha)
    );
    sheet.line("repeatability", &same, &note);
}

fn own_answers(sheet: &mut Sheet, figures: &Figures) {
    let Some(own) = &figures.self_preference else {
        return;
    };
    let (value, range) = rho(own.excess);
    let word = leaning(
        own.excess,
        "the judge favours its own answers",
        "the judge favours others' answers",
    );
    let note = format!(
        "{range}; beyond people, {} own and {} others' answers{word}",
        own.own, own.others
    );
    sheet.line("self-preference", &value, note.trim_start_matches("; "));
}

/// What the figures allow, in a sentence.
fn meaning(pass: &Agreement) -> String {
    let Some(kappa) = pass.kappa else {
        return format!(
            "Kappa is not defined: all verdicts are the same, or no label says pass or fail. Label examples \
             that pass and examples that fail (a score alone passes from {PASS_SCORE})."
        );
    };
    if pass.sensitivity.is_none() || pass.specificity.is_none() {
        return "People pass or fail all examples: the judge's errors on the other kind are unknown.".to_owned();
    }
    allowed(kappa, pass.examples)
}

/// The policy under which a judge of such agreement may gate.
fn allowed(kappa: f64, examples: u64) -> String {
    format!(
        "A policy that asks for it lets this judge gate: require_calibration: {{ min_kappa: {:.1}, min_labels: {examples}, max_age_days: 90 }}",
        (kappa.max(0.0) * 10.0).floor() / 10.0,
    )
}

fn document(found: &Calibration, exit: Exit) -> Value {
    let models: Vec<Value> = found
        .models
        .iter()
        .map(|model| {
            json!({
                "model": model.record.model,
                "date": model.record.date,
                "hash": model.record.judge.hash,
                "repeat": model.record.repeat,
                "threshold": model.record.threshold,
                "errored": model.record.errored,
                "criteria": model.record.criteria,
                "figures": model.figures,
                "record": {"path": model.path, "digest": model.digest},
                "spent_usd": model.spent_usd,
                "requests": model.requests,
                "cache_hits": model.cache_hits,
            })
        })
        .collect();
    json!({
        "schema": "gate/calibrated@1",
        "judge": found.judge,
        "labels": {"path": found.path, "digest": found.labels.digest, "rows": found.labels.rows,
                   "examples": found.labels.examples, "raters": found.labels.raters},
        "exit": {"code": exit.code(), "name": exit.name()},
        "complete": found.interrupt.is_none(),
        "models": models,
    })
}
