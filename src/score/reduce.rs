//! Reduces the scores of a trial to one.

use super::answer::Score;

/// The pass and score of a trial by the scores of its gating scorers: all must pass, and the score
/// is their mean. Without a gating scorer there is neither.
#[must_use]
pub fn trial<'s>(gating: impl IntoIterator<Item = &'s Score>) -> Option<(bool, f64)> {
    let (mut pass, mut sum, mut count) = (true, 0.0, 0u32);
    for score in gating {
        pass &= score.pass;
        sum += score.score;
        count += 1;
    }
    (count > 0).then(|| (pass, sum / f64::from(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(pass: bool, score: f64) -> Score {
        Score {
            pass,
            score,
            reason: String::new(),
            parts: Vec::new(),
        }
    }

    #[test]
    fn all_gating_scorers_must_pass_and_the_score_is_their_mean() {
        assert_eq!(trial(&[]), None);
        assert_eq!(trial(&[score(true, 0.5)]), Some((true, 0.5)));
        let mixed = [score(true, 1.0), score(false, 0.0)];
        assert_eq!(trial(&mixed), Some((false, 0.5)));
    }
}
