//! What `gate calibrate` shows of a judge that compares two answers.

use super::{Sheet, allowed, coefficient, plain, range};
use crate::analysis::preference::{PositionLeaning, PreferenceAgreement};
use crate::report::number;
use crate::stats::calibration::RateEstimate;

fn share(sheet: &mut Sheet, name: &str, rate: Option<RateEstimate>, note: &str) {
    match rate {
        Some(rate) => {
            let range = range(Some(rate.interval), number::percent);
            let note = format!("{range}; {note}");
            sheet.line(name, &number::percent(rate.rate), &note);
        }
        None => sheet.line(name, "n/a", note),
    }
}

pub(super) fn preferences(sheet: &mut Sheet, found: &PreferenceAgreement) {
    let [[a_a, a_b, a_tie], [b_a, b_b, b_tie], [.., tie_tie]] = found.table;
    let agreed = a_a + b_b + tie_tie;
    let value = found
        .agreement
        .map_or_else(|| "n/a".to_owned(), number::percent);
    let note = format!("{agreed} of {} pairs", found.examples);
    sheet.line("agreement", &value, &note);
    let range = range(found.kappa_ci, plain);
    sheet.line("Cohen's kappa", &coefficient(found.kappa), &range);
    sheet.line("Gwet's AC1", &coefficient(found.ac1), "");
    let of = "of first, second and tie";
    sheet.line("Krippendorff's α", &coefficient(found.alpha), of);
    let decided = found.decided;
    let note = format!("{} of the {decided} that people decide", a_a + b_b);
    share(sheet, "decided the same", found.same, &note);
    let note = format!("{} of them", a_b + b_a);
    share(sheet, "the opposite", found.opposite, &note);
    let note = format!("{} of them", a_tie + b_tie);
    share(sheet, "called a tie", found.tied, &note);
    let note = format!("{tie_tie} of the {} that people call a tie", found.ties);
    share(sheet, "ties kept", found.ties_kept, &note);
}

pub(super) fn position(sheet: &mut Sheet, found: &PositionLeaning) {
    let disagreed = found.first + found.second + found.one_order;
    let note = format!(
        "the two orders disagree on {disagreed} of {} pairs",
        found.pairs
    );
    share(sheet, "position bias", found.disagree, &note);
    let note = format!("{} pairs with the first chosen both times", found.first);
    share(sheet, "favours first", found.favours_first, &note);
    let note = format!("{} pairs with the second chosen both times", found.second);
    share(sheet, "favours second", found.favours_second, &note);
}

/// What the figures allow, in a sentence.
pub(super) fn meaning(found: &PreferenceAgreement) -> String {
    match found.kappa {
        None => "Kappa is not defined: all verdicts are the same. Label pairs of which the first \
                 answer is better, and pairs of which the second is."
            .to_owned(),
        Some(_) if found.decided == 0 => {
            "People call all pairs a tie: whether the judge finds the better answer is unknown."
                .to_owned()
        }
        Some(kappa) => allowed(kappa, found.examples),
    }
}
