//! How well a judge that compares two answers agrees with people on which is better, and whether the
//! place of an answer decides for it. Three classes: the first answer `a`, the second `b`, or a tie.

use serde::Serialize;

use super::calibration::{Agreement, LEVEL};
use crate::dataset::label::{Preference, Rating};
use crate::record::calibration::CalibrationItem;
use crate::score::judge::Position;
use crate::stats::Interval;
use crate::stats::agreement::{
    Confusion, Scale, Weights, cohen_kappa, gwet_ac1, kappa_interval, krippendorff_alpha,
};
use crate::stats::calibration::RateEstimate;
use crate::stats::proportion::wilson_interval;

/// The classes in the order of tables.
const CLASSES: [Preference; 3] = [Preference::A, Preference::B, Preference::Tie];

/// Agreement on which of two answers is better.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PreferenceAgreement {
    /// Pairs with a verdict of both.
    pub examples: u64,
    /// Their number by people's choice (row) and the judge's (column), each `a`, `b`, tie.
    pub table: [[u64; 3]; 3],
    /// Share of pairs on which both say the same.
    pub agreement: Option<f64>,
    /// Cohen's κ of the three classes.
    pub kappa: Option<f64>,
    /// Its interval.
    pub kappa_ci: Option<Interval>,
    /// Gwet's AC1.
    pub ac1: Option<f64>,
    /// Krippendorff's α, nominal.
    pub alpha: Option<f64>,
    /// Pairs that people decided for one of the answers.
    pub decided: u64,
    /// Share of them that the judge decides the same way.
    pub same: Option<RateEstimate>,
    /// Share of them that it decides the other way.
    pub opposite: Option<RateEstimate>,
    /// Share of them that it calls a tie.
    pub tied: Option<RateEstimate>,
    /// Pairs that people call a tie.
    pub ties: u64,
    /// Share of them that the judge calls a tie too.
    pub ties_kept: Option<RateEstimate>,
}

/// How the place of an answer goes with the choice of a judge that is asked in both orders.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PositionLeaning {
    /// Pairs that were judged in both orders.
    pub pairs: u64,
    /// Those of them in which the first answer was chosen both times.
    pub first: u64,
    /// Those of them in which the second answer was chosen both times.
    pub second: u64,
    /// Those of them that one order decides and the other calls a tie.
    pub one_order: u64,
    /// Share of pairs whose two orders disagree, in any of these ways.
    pub disagree: Option<RateEstimate>,
    /// Share of pairs in which the first place won both times.
    pub favours_first: Option<RateEstimate>,
    /// Share of pairs in which the second place won both times.
    pub favours_second: Option<RateEstimate>,
}

/// What a policy and a report ask of a judge's agreement, whatever it judges.
#[derive(Debug, Clone, PartialEq)]
pub struct AgreementSummary {
    /// Examples with a verdict of both.
    pub examples: u64,
    /// Cohen's κ.
    pub kappa: Option<f64>,
    /// Its interval.
    pub kappa_ci: Option<Interval>,
    /// Gwet's AC1.
    pub ac1: Option<f64>,
    /// Share of what people pass that the judge passes; of pairs that people decided, share that the
    /// judge decides the same way.
    pub sensitivity: Option<f64>,
    /// Share of what people fail that the judge fails; of pairs that people call a tie, share that
    /// the judge calls one.
    pub specificity: Option<f64>,
}

impl AgreementSummary {
    /// The agreement on some examples, on passes under a threshold or on preferences.
    #[must_use]
    pub fn of(items: &[CalibrationItem], threshold: Option<f64>) -> Self {
        let rate = |estimate: Option<RateEstimate>| estimate.map(|estimate| estimate.rate);
        if items.iter().any(compares) {
            let found = PreferenceAgreement::of(items);
            return Self {
                examples: found.examples,
                kappa: found.kappa,
                kappa_ci: found.kappa_ci,
                ac1: found.ac1,
                sensitivity: rate(found.same),
                specificity: rate(found.ties_kept),
            };
        }
        let found = Agreement::of(items, threshold);
        Self {
            examples: found.examples,
            kappa: found.kappa,
            kappa_ci: found.kappa_ci,
            ac1: found.ac1,
            sensitivity: rate(found.sensitivity),
            specificity: rate(found.specificity),
        }
    }
}

/// Whether an example is one of two answers.
#[must_use]
pub fn compares(item: &CalibrationItem) -> bool {
    item.judge.preferred.is_some()
}

/// A choice as a number: from the first answer to the second.
#[must_use]
pub fn number(preferred: Preference) -> f64 {
    match preferred {
        Preference::A => 0.0,
        Preference::Tie => 0.5,
        Preference::B => 1.0,
    }
}

/// What more than half of the raters prefer.
#[must_use]
pub fn majority(ratings: &[Rating]) -> Option<Preference> {
    let said = || ratings.iter().filter_map(|rating| rating.preferred);
    let votes = said().count();
    let more_than_half =
        |class: &&Preference| 2 * said().filter(|one| one == *class).count() > votes;
    CLASSES.iter().find(more_than_half).copied()
}

impl PreferenceAgreement {
    /// The agreement on some pairs of answers.
    #[must_use]
    pub fn of<'i>(items: impl IntoIterator<Item = &'i CalibrationItem>) -> Self {
        let pairs: Vec<(Preference, Preference)> = items
            .into_iter()
            .filter_map(|item| Some((item.human.preferred?, item.judge.preferred?)))
            .collect();
        let count = |wanted| pairs.iter().filter(|pair| **pair == wanted).count() as u64;
        let table = CLASSES.map(|human| CLASSES.map(|judge| count((human, judge))));
        let rows: Vec<Vec<u64>> = table.iter().map(|row| row.to_vec()).collect();
        let confusion = Confusion::from_rows(&rows).ok();
        let confusion = confusion.as_ref();
        let units: Vec<Vec<f64>> = pairs
            .iter()
            .map(|(human, judge)| vec![number(*human), number(*judge)])
            .collect();
        let [
            [a_a, a_b, a_tie],
            [b_a, b_b, b_tie],
            [tie_a, tie_b, tie_tie],
        ] = table;
        let (examples, ties) = (pairs.len() as u64, tie_a + tie_b + tie_tie);
        let decided = examples - ties;
        Self {
            examples,
            table,
            agreement: (examples > 0).then(|| (a_a + b_b + tie_tie) as f64 / examples as f64),
            kappa: confusion.and_then(|table| cohen_kappa(table, Weights::None)),
            kappa_ci: confusion.and_then(|table| kappa_interval(table, LEVEL).ok().flatten()),
            ac1: confusion.and_then(gwet_ac1),
            alpha: krippendorff_alpha(&units, Scale::Nominal).ok().flatten(),
            decided,
            same: share(a_a + b_b, decided),
            opposite: share(a_b + b_a, decided),
            tied: share(a_tie + b_tie, decided),
            ties,
            ties_kept: share(tie_tie, ties),
        }
    }
}

impl PositionLeaning {
    /// The leaning over some pairs of answers; those that were not put before the judge do not count.
    #[must_use]
    pub fn of<'i>(items: impl IntoIterator<Item = &'i CalibrationItem>) -> Self {
        let chosen: Vec<Position> = items
            .into_iter()
            .filter_map(|item| item.judge.position)
            .collect();
        let count = |wanted| chosen.iter().filter(|one| **one == wanted).count() as u64;
        let (first, second) = (count(Position::First), count(Position::Second));
        let one_order = count(Position::OneOrder);
        let pairs = chosen.len() as u64;
        Self {
            pairs,
            first,
            second,
            one_order,
            disagree: share(first + second + one_order, pairs),
            favours_first: share(first, pairs),
            favours_second: share(second, pairs),
        }
    }
}

/// A share with Wilson's interval; `None` of nothing.
fn share(some: u64, all: u64) -> Option<RateEstimate> {
    let interval = wilson_interval(some as f64, all as f64, LEVEL).ok()?;
    (all > 0).then(|| RateEstimate {
        rate: some as f64 / all as f64,
        interval,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;
    use crate::record::calibration::{HumanVerdict, JudgeVerdict};

    fn item(human: Option<Preference>, judge: Preference, position: Position) -> CalibrationItem {
        CalibrationItem {
            id: "p".to_owned(),
            answer: Digest::of_bytes(b"x"),
            criteria: None,
            human: HumanVerdict {
                pass: None,
                score: None,
                preferred: human,
            },
            judge: JudgeVerdict {
                pass: number(judge) >= 0.5,
                score: number(judge),
                preferred: Some(judge),
                position: Some(position),
            },
        }
    }

    fn rate(share: Option<RateEstimate>) -> Option<f64> {
        share.map(|share| share.rate)
    }

    /// The pairs of a table by people's choice and the judge's.
    fn items(table: [[usize; 3]; 3]) -> Vec<CalibrationItem> {
        let mut items = Vec::new();
        for (human, row) in CLASSES.into_iter().zip(table) {
            for (judge, count) in CLASSES.into_iter().zip(row) {
                let one = item(Some(human), judge, Position::Neither);
                items.extend(std::iter::repeat_n(one, count));
            }
        }
        items
    }

    #[test]
    fn three_classes_are_held_against_each_other() {
        let found = PreferenceAgreement::of(&items([[20, 2, 8], [3, 15, 2], [1, 1, 8]]));
        assert_eq!((found.examples, found.decided, found.ties), (60, 50, 10));
        assert_eq!(found.agreement, Some(43.0 / 60.0));
        // Chance by the margins: (30 * 24 + 20 * 18 + 10 * 18) / 60^2 = 0.35.
        let kappa = (43.0 / 60.0 - 0.35) / 0.65;
        assert!((found.kappa.unwrap() - kappa).abs() < 1e-12);

        assert_eq!(rate(found.same), Some(0.7));
        assert_eq!(rate(found.opposite), Some(0.1));
        assert_eq!(rate(found.tied), Some(0.2));
        assert_eq!(rate(found.ties_kept), Some(0.8));
        let interval = found.same.unwrap().interval;
        assert!(interval.low < 0.7 && interval.high > 0.7);
    }

    #[test]
    fn the_sides_of_people_and_judge_are_not_mixed_up() {
        let found = PreferenceAgreement::of(&items([[0, 5, 0], [0, 0, 7], [0, 0, 0]]));
        assert_eq!(found.table, [[0, 5, 0], [0, 0, 7], [0, 0, 0]]);
        assert_eq!(rate(found.opposite), Some(5.0 / 12.0));
        assert_eq!(rate(found.tied), Some(7.0 / 12.0));
        assert_eq!(found.ties_kept, None, "nobody called a pair a tie");
    }

    #[test]
    fn a_pair_without_a_majority_or_a_question_does_not_count() {
        let open = item(None, Preference::A, Position::First);
        let mut unasked = item(Some(Preference::B), Preference::B, Position::Neither);
        unasked.judge.position = None;
        let both = [open, unasked];
        let found = PreferenceAgreement::of(&both);
        assert_eq!((found.examples, found.kappa), (1, None));
        let leaning = PositionLeaning::of(&both);
        assert_eq!((leaning.pairs, leaning.first), (1, 1));
        assert_eq!(PositionLeaning::of(&[]).disagree, None);
    }

    #[test]
    fn orders_that_disagree_are_counted_by_kind() {
        use Position::{First, Neither, OneOrder, Second};
        let kinds = [
            First, First, First, Second, OneOrder, OneOrder, Neither, Neither,
        ];
        let pairs = kinds.map(|kind| item(None, Preference::Tie, kind));
        let found = PositionLeaning::of(&pairs);
        assert_eq!((found.first, found.second, found.one_order), (3, 1, 2));
        assert_eq!(rate(found.disagree), Some(0.75));
        assert_eq!(rate(found.favours_first), Some(0.375));
        assert_eq!(rate(found.favours_second), Some(0.125));
    }

    #[test]
    fn more_than_half_of_the_raters_decide() {
        use Preference::{A, B, Tie};
        let ratings = |said: &[Preference]| -> Vec<Rating> {
            let rating = |preferred: &Preference| Rating {
                rater: None,
                pass: None,
                score: None,
                preferred: Some(*preferred),
            };
            said.iter().map(rating).collect()
        };
        assert_eq!(majority(&ratings(&[A, A, Tie])), Some(A));
        assert_eq!(majority(&ratings(&[A, B])), None);
        assert_eq!(majority(&ratings(&[A, B, Tie])), None);
        assert_eq!(majority(&ratings(&[Tie])), Some(Tie));
        assert_eq!(majority(&[]), None);
    }

    #[test]
    fn a_summary_takes_the_figures_that_fit_the_items() {
        let found = AgreementSummary::of(&items([[20, 2, 8], [3, 15, 2], [1, 1, 8]]), Some(0.9));
        assert_eq!(found.examples, 60);
        assert_eq!(
            (found.sensitivity, found.specificity),
            (Some(0.7), Some(0.8))
        );
    }
}
