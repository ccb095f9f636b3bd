//! Numbers as people read them in a sentence.

use crate::base::text;

/// A share as points of a hundred, without the unit: `4`, `1.3`.
pub(super) fn points(share: f64) -> String {
    decimal(100.0 * share.abs(), 1)
}

/// A share as points with the unit: `1 point`, `1.3 points`.
pub(super) fn points_long(share: f64) -> String {
    let number = points(share);
    let unit = if number == "1" { "point" } else { "points" };
    format!("{number} {unit}")
}

/// A share as per cent: `94 %`, `91.4 %`.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", decimal(100.0 * share, 1))
}

/// A ratio: `1.1`, `1.25`.
pub(super) fn ratio(value: f64) -> String {
    decimal(value, 2)
}

/// What stands behind the name of a p-value: `= 0.011`, `< 0.0001`.
pub(super) fn p_value(p: f64) -> String {
    if p < 1e-4 {
        "< 0.0001".to_owned()
    } else if p < 1e-3 {
        format!("= {p:.4}")
    } else {
        format!("= {p:.3}")
    }
}

/// A number with at most so many decimals, none of them idle.
fn decimal(value: f64, decimals: usize) -> String {
    let written = format!("{value:.decimals$}");
    let short = if written.contains('.') {
        written.trim_end_matches('0').trim_end_matches('.')
    } else {
        &written
    };
    if short == "-0" {
        "0".to_owned()
    } else {
        short.to_owned()
    }
}

/// `1 case`, `200 cases`.
pub(super) fn count(number: u64, noun: &str) -> String {
    text::count(usize::try_from(number).unwrap_or(usize::MAX), noun)
}

/// A whole number, or `none`.
pub(super) fn number(number: u64) -> String {
    if number == 0 {
        "none".to_owned()
    } else {
        text::thousands(usize::try_from(number).unwrap_or(usize::MAX))
    }
}

/// How much of a group broke: `1 in 5`, `9 of 12`, `all 9`.
pub(super) fn share_of(part: u64, whole: u64) -> String {
    if part == whole {
        format!("all {whole}")
    } else if 2 * part >= whole || part < 2 {
        format!("{part} of {whole}")
    } else {
        format!("1 in {}", (whole as f64 / part as f64).round())
    }
}

/// A few names: `a`, `a and b`, `a, b, c and 4 more`.
pub(super) fn list(names: &[&str]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = names
        .iter()
        .take(SHOWN)
        .map(|name| text::shorten(&text::visible_line(name), 60).into_owned())
        .collect();
    let rest = names.len().saturating_sub(SHOWN);
    match (shown.split_last(), rest) {
        (None, _) => String::new(),
        (Some(_), 1..) => format!("{} and {rest} more", shown.join(", ")),
        (Some((last, [])), 0) => last.clone(),
        (Some((last, first)), 0) => format!("{} and {last}", first.join(", ")),
    }
}
