//! Two answers to one case compared in both orders: a side wins only where both orders agree, all
//! else is a tie. An order that decides by itself is the judge's position bias (Zheng et al. 2023,
//! arXiv:2306.05685, section 3.4).

use serde::{Deserialize, Serialize};

use super::super::answer::{MAX_REASON, Part, Score};
use super::form::Preference;
use crate::base::text;

/// The names of the two orders, by the answer that stands first.
pub const ORDERS: [&str; 2] = ["baseline-first", "candidate-first"];

/// A judge's preferences in both orders, with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Duel {
    /// With the baseline's answer first.
    pub baseline_first: (Preference, String),
    /// With the candidate's answer first.
    pub candidate_first: (Preference, String),
}

/// The place that a judge chose in both orders, whichever answer stood there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Position {
    /// Both times the first.
    First,
    /// Both times the second.
    Second,
    /// None: the orders disagree, but one of them saw a tie.
    OneOrder,
    /// None: the orders agree.
    Neither,
}

impl Position {
    /// The words in files.
    pub const WORDS: &'static [(&'static str, Self)] = &[
        ("first", Self::First),
        ("second", Self::Second),
        ("one-order", Self::OneOrder),
        ("neither", Self::Neither),
    ];
}

/// The side whose score is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that is there.
    Baseline,
    /// The one that may replace it.
    Candidate,
}

impl Duel {
    /// The score of a side: 1 if it wins, 0 if it loses, and 0.5 for a tie; it passes unless it
    /// loses.
    #[must_use]
    pub fn score(&self, side: Side) -> Score {
        let own = match side {
            Side::Baseline => [Preference::First, Preference::Second],
            Side::Candidate => [Preference::Second, Preference::First],
        };
        let orders = [&self.baseline_first, &self.candidate_first];
        let parts: Vec<Part> = ORDERS
            .iter()
            .zip(orders)
            .zip(own)
            .map(|((name, (preference, reason)), own)| {
                let score = points(*preference, own);
                Part {
                    name: (*name).to_owned(),
                    pass: score >= 0.5,
                    score,
                    reason: reason.clone(),
                }
            })
            .collect();
        let all = |wanted: f64| parts.iter().all(|part| is(part, wanted));
        let (score, word) = match (all(1.0), all(0.0), self.position()) {
            (true, ..) => (1.0, "better in both orders"),
            (_, true, _) => (0.0, "worse in both orders"),
            (.., Position::Neither | Position::OneOrder) => (0.5, "a tie"),
            (.., Position::First | Position::Second) => {
                (0.5, "a tie: the judge's choice changed with the order")
            }
        };
        let reason = format!("{word}: {}", self.baseline_first.1);
        Score {
            pass: score >= 0.5,
            score,
            reason: text::shorten(&reason, MAX_REASON).into_owned(),
            parts,
        }
    }

    /// The place that was chosen in both orders.
    #[must_use]
    pub fn position(&self) -> Position {
        match (self.baseline_first.0, self.candidate_first.0) {
            (Preference::First, Preference::First) => Position::First,
            (Preference::Second, Preference::Second) => Position::Second,
            (Preference::Tie, Preference::Tie)
            | (Preference::First, Preference::Second)
            | (Preference::Second, Preference::First) => Position::Neither,
            (Preference::Tie, _) | (_, Preference::Tie) => Position::OneOrder,
        }
    }
}

/// What a preference is worth to the answer in the place `own`.
fn points(preference: Preference, own: Preference) -> f64 {
    match preference {
        Preference::Tie => 0.5,
        chosen if chosen == own => 1.0,
        Preference::First | Preference::Second => 0.0,
    }
}

/// Whether a part has one of the three scores that there are.
fn is(part: &Part, score: f64) -> bool {
    (part.score - score).abs() < 0.1
}

/// The place that was chosen in both orders, by the parts of a candidate's score; `None` where the
/// score is of no comparison that was made.
#[must_use]
pub fn position_of(parts: &[Part]) -> Option<Position> {
    let [first, second] = parts else { return None };
    if [first.name.as_str(), second.name.as_str()] != ORDERS {
        return None;
    }
    // The candidate stands second in the first order, and first in the second one.
    Some(if is(first, 0.0) && is(second, 1.0) {
        Position::First
    } else if is(first, 1.0) && is(second, 0.0) {
        Position::Second
    } else if is(first, 0.5) != is(second, 0.5) {
        Position::OneOrder
    } else {
        Position::Neither
    })
}

/// The score of a side that was not compared: its opponent, or itself, is out for a reason.
#[must_use]
pub fn uncontested(score: f64, why: &str) -> Score {
    Score {
        pass: score >= 0.5,
        score,
        reason: text::shorten(why, MAX_REASON).into_owned(),
        parts: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duel(baseline_first: Preference, candidate_first: Preference) -> Duel {
        Duel {
            baseline_first: (baseline_first, "r".to_owned()),
            candidate_first: (candidate_first, "r".to_owned()),
        }
    }

    #[test]
    fn a_side_wins_only_where_both_orders_agree() {
        use Preference::{First, Second, Tie};
        let table = [
            (Second, First, 1.0, Position::Neither),
            (First, Second, 0.0, Position::Neither),
            (First, First, 0.5, Position::First),
            (Second, Second, 0.5, Position::Second),
            (Tie, Tie, 0.5, Position::Neither),
            (Tie, First, 0.5, Position::OneOrder),
            (Tie, Second, 0.5, Position::OneOrder),
            (First, Tie, 0.5, Position::OneOrder),
            (Second, Tie, 0.5, Position::OneOrder),
        ];
        for (baseline_first, candidate_first, wanted, position) in table {
            let duel = duel(baseline_first, candidate_first);
            let (candidate, baseline) = (duel.score(Side::Candidate), duel.score(Side::Baseline));
            let what = format!("{baseline_first:?} {candidate_first:?}");
            assert!((candidate.score - wanted).abs() < 1e-12, "{what}");
            assert!((baseline.score - (1.0 - wanted)).abs() < 1e-12, "{what}");
            assert_eq!(candidate.pass, wanted >= 0.5, "{what}");
            assert_eq!(baseline.pass, wanted <= 0.5, "{what}");
            assert_eq!(duel.position(), position, "{what}");
            assert_eq!(position_of(&candidate.parts), Some(position), "{what}");
        }
        assert_eq!(position_of(&[]), None);
        assert_eq!(position_of(&uncontested(1.0, "x").parts), None);
    }
}
