//! Cost and latency: a table of the arms, and how both are spread over the cases.

use std::fmt::Write as _;

use super::axis::Axis;
use crate::analysis::table::ArmCell;
use crate::record::Arm;
use crate::report::content::SuiteReport;
use crate::report::escape::html as safe;
use crate::report::number;
use crate::stats::resample::percentile;

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 74.0;
const BINS: usize = 36;
/// Values above this percentile stand in the last bin, so that one slow answer does not flatten all.
const SHOWN: f64 = 0.99;

/// An amount of which a histogram is drawn.
struct Amount {
    name: &'static str,
    of: fn(&ArmCell) -> Option<f64>,
    write: fn(f64) -> String,
}

const AMOUNTS: [Amount; 2] = [
    Amount {
        name: "Latency of a case",
        of: |cell| cell.latency_ms.get(),
        write: |value| number::millis(Some(value)),
    },
    Amount {
        name: "Cost of a case",
        of: |cell| cell.cost_usd.get(),
        write: |value| format!("{value:.5} USD"),
    },
];

/// The section.
pub fn render(suite: &SuiteReport<'_>) -> String {
    let mut html = "<section>\n<h2>Cost and latency</h2>\n".to_owned();
    arms(&mut html, suite);
    html.push_str("<div class=\"charts\">\n");
    for amount in &AMOUNTS {
        html.push_str(&figure(suite, amount));
    }
    html.push_str("</div>\n</section>\n");
    html
}

fn arms(html: &mut String, suite: &SuiteReport<'_>) {
    let heads = [
        "Answers",
        "Judges",
        "Input tokens",
        "Output tokens",
        "Latency p50",
        "p95",
        "Requests",
        "Retries",
        "From the cache",
    ];
    html.push_str("<div class=\"scroll\" role=\"region\" aria-label=\"Cost and latency of the arms\" tabindex=\"0\">\n<table>\n<thead><tr><th scope=\"col\">Arm</th>");
    // Writing to a `String` can not fail.
    for head in heads {
        let _ = write!(html, "<th scope=\"col\" class=\"n\">{head}</th>");
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for arm in &suite.arms {
        let cells = [
            number::usd(arm.cost_usd),
            number::usd(arm.judge_cost_usd),
            number::count(arm.usage.input_tokens),
            number::count(arm.usage.output_tokens),
            number::millis(arm.latency_ms.p50),
            number::millis(arm.latency_ms.p95),
            number::count(Some(arm.requests)),
            number::count(Some(arm.retries)),
            number::count(Some(arm.cache_hits)),
        ];
        let cells = cells
            .map(|cell| format!("<td class=\"n\">{}</td>", safe(&cell)))
            .concat();
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th>{cells}</tr>",
            safe(suite.label(arm.arm))
        );
    }
    let spent = number::usd(suite.spent_usd);
    let _ = writeln!(
        html,
        "</tbody>\n</table>\n</div>\n<p class=\"small\">Paid by this command: {spent}.</p>"
    );
}

/// The histograms of the arms, one above the other on one line; empty without values that differ.
fn figure(suite: &SuiteReport<'_>, amount: &Amount) -> String {
    let values = |arm: Arm| -> Vec<f64> {
        let rows = suite.table.rows.iter();
        rows.filter_map(|row| (amount.of)(row.arm(arm)?)).collect()
    };
    let arms: Vec<(Arm, Vec<f64>)> = suite.run.arms().map(|arm| (arm, values(arm))).collect();
    let all: Vec<f64> = arms
        .iter()
        .flat_map(|(_, values)| values)
        .copied()
        .collect();
    let least = all.iter().copied().reduce(f64::min);
    let (Some(least), Ok(most)) = (least, percentile(&all, SHOWN)) else {
        return String::new();
    };
    let Some(axis) = Axis::over([least, most], WIDTH).filter(|_| most > least) else {
        return String::new();
    };
    let mut html = format!("<figure>\n<figcaption>{}</figcaption>\n", amount.name);
    let counts: Vec<Vec<usize>> = arms
        .iter()
        .map(|(_, values)| bins(values, least, most))
        .collect();
    let highest = counts.iter().flatten().copied().max().unwrap_or(1).max(1);
    for ((arm, values), counts) in arms.iter().zip(&counts) {
        histogram(
            &mut html,
            suite.label(*arm),
            *arm,
            values,
            counts,
            &Drawing {
                amount,
                axis,
                least,
                most,
                highest,
            },
        );
    }
    html.push_str("</figure>\n");
    html
}

fn bins(values: &[f64], least: f64, most: f64) -> Vec<usize> {
    let mut counts = vec![0; BINS];
    for value in values {
        let place = (value - least) / (most - least) * BINS as f64;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and the number of bins"
        )]
        let place = place.clamp(0.0, (BINS - 1) as f64) as usize;
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
    }
    counts
}

struct Drawing<'a> {
    amount: &'a Amount,
    axis: Axis,
    least: f64,
    most: f64,
    highest: usize,
}

fn histogram(
    html: &mut String,
    label: &str,
    arm: Arm,
    values: &[f64],
    counts: &[usize],
    drawing: &Drawing<'_>,
) {
    let Drawing {
        amount,
        axis,
        least,
        most,
        highest,
    } = drawing;
    let middle = percentile(values, 0.5).unwrap_or(*least);
    let high = percentile(values, 0.95).unwrap_or(*least);
    let words = format!(
        "{}: median {}, 95th percentile {}",
        label,
        (amount.write)(middle),
        (amount.write)(high)
    );
    let base = HEIGHT - 20.0;
    let _ = write!(
        html,
        "<p class=\"small\"><span class=\"key {}\"></span>{}</p>\n<svg class=\"histogram {}\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}, {}\">",
        arm.as_str(),
        safe(&words),
        arm.as_str(),
        amount.name,
        safe(&words)
    );
    let edge = |bin: usize| axis.x(least + (most - least) * bin as f64 / BINS as f64);
    for (bin, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let (from, to) = (edge(bin), edge(bin + 1));
        let height = (*count as f64 / *highest as f64 * (base - 4.0)).max(1.0);
        let _ = write!(
            html,
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            base - height,
            (to - from - 1.0).max(0.5)
        );
    }
    let _ = write!(
        html,
        "<line class=\"base\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{base}\" y2=\"{base}\"/>"
    );
    let x = axis.x(middle);
    let _ = write!(
        html,
        "<line class=\"median\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"0\" y2=\"{base}\"/>"
    );
    for (value, anchor) in [(*least, "start"), (*most, "end")] {
        let _ = write!(
            html,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
            axis.x(value),
            HEIGHT - 5.0,
            safe(&(amount.write)(value))
        );
    }
    html.push_str("</svg>\n");
}
