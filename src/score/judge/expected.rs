//! The expected score of G-Eval (Liu et al. 2023, arXiv:2303.16634, section 2.3): the scores weighted
//! by the probabilities of their tokens, where the provider tells them.

use crate::chat::TokenChoice;

/// The lowest and the highest score that a judge may give.
pub const SCALE: (u8, u8) = (1, 5);

/// The expected score: the sum of p(s) · s over the scores s from 1 to 5, divided by the sum of p(s).
/// `None` where the probabilities at the place of the score are not known.
#[must_use]
pub fn expected_score(tokens: &[TokenChoice], reply: &str) -> Option<f64> {
    let place = score_at(reply)?;
    let mut offset = 0;
    let token = tokens.iter().find_map(|token| {
        let start = offset;
        offset += token.token.len();
        (start..offset)
            .contains(&place)
            .then_some((token, place - start))
    });
    let (token, within) = token?;
    // The tokens have to be those of this very reply.
    let text: String = tokens.iter().map(|token| token.token.as_str()).collect();
    let known = reply
        .get(..text.len())
        .or_else(|| text.get(..reply.len()).map(|_| reply));
    if known? != text.get(..text.len().min(reply.len()))? {
        return None;
    }
    let before = token.token.get(..within)?;
    let (mut sum, mut mass) = (0.0, 0.0);
    for (alternative, logprob) in &token.top {
        if let Some(score) = score_of(alternative, before) {
            let probability = logprob.exp();
            sum += probability * f64::from(score);
            mass += probability;
        }
    }
    (mass > 0.0 && sum.is_finite()).then(|| sum / mass)
}

/// Where the digit of the score stands in a reply. Within a JSON string the quotes around the key
/// would be escaped, so the key is found nowhere else.
fn score_at(reply: &str) -> Option<usize> {
    const KEY: &str = "\"score\"";
    let is_space = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r');
    let key = reply.find(KEY)? + KEY.len();
    let rest = reply.get(key..)?.trim_start_matches(is_space);
    let value = rest.strip_prefix(':')?.trim_start_matches(is_space);
    value
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(reply.len() - value.len())
}

/// The score that an alternative of a token writes after the same beginning.
fn score_of(alternative: &str, before: &str) -> Option<u8> {
    let rest = alternative
        .strip_prefix(before)
        .or_else(|| before.trim().is_empty().then(|| alternative.trim_start()))?;
    let mut letters = rest.chars();
    let score = letters.next()?.to_digit(10)?;
    let more = letters
        .next()
        .is_some_and(|c| c.is_ascii_digit() || c == '.');
    let score = u8::try_from(score).ok().filter(|_| !more)?;
    (SCALE.0..=SCALE.1).contains(&score).then_some(score)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(text: &str, top: &[(&str, f64)]) -> TokenChoice {
        TokenChoice {
            token: text.to_owned(),
            top: top
                .iter()
                .map(|(text, p)| ((*text).to_owned(), p.ln()))
                .collect(),
        }
    }

    fn expected(before: &str, top: &[(&str, f64)], after: &str) -> Option<f64> {
        let chosen = top[0].0;
        let tokens = [
            token(before, &[(before, 1.0)]),
            token(chosen, top),
            token(after, &[]),
        ];
        let reply = format!("{before}{chosen}{after}");
        expected_score(&tokens, &reply)
    }

    #[track_caller]
    fn is(found: Option<f64>, wanted: f64) {
        assert!((found.unwrap() - wanted).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn weighs_the_scores_by_their_probabilities() {
        let top = [("4", 0.5), ("5", 0.25), ("3", 0.25)];
        is(expected("{\"score\": ", &top, ", \"reason\": \"r\"}"), 4.0);
        is(expected("{\"score\": ", &[("2", 1.0)], "}"), 2.0);
        // What is no score of the scale, or is not told, is left out of the sum.
        let top = [
            ("4", 0.6),
            ("5", 0.2),
            ("10", 0.1),
            ("x", 0.05),
            ("4.5", 0.05),
            ("0", 0.0),
        ];
        is(expected("{\"score\": ", &top, "}"), 4.25);
    }

    #[test]
    fn finds_the_score_within_a_token_and_after_a_reason_that_imitates_it() {
        is(
            expected("{\"score\":", &[(" 4", 0.5), (" 2", 0.5)], "}"),
            3.0,
        );
        is(
            expected(
                "{\"score\"",
                &[(":4,", 0.5), (":1,", 0.5), (" :", 0.1)],
                " \"reason\": \"\"}",
            ),
            2.5,
        );
        let before = "{\"reason\": \"\\\"score\\\": 5\", \"score\": ";
        is(expected(before, &[("1", 0.5), ("3", 0.5)], "}"), 2.0);
    }

    #[test]
    fn knows_nothing_without_the_probabilities_of_that_place() {
        assert_eq!(expected_score(&[], "{\"score\": 4}"), None);
        assert_eq!(
            expected("{\"score\": ", &[("4", 1.0)], "}").map(f64::round),
            Some(4.0)
        );
        let other = [
            token("{\"score\": ", &[]),
            token("4", &[("4", 1.0)]),
            token("}", &[]),
        ];
        assert_eq!(expected_score(&other, "{\"scope\": 4}"), None);
        assert_eq!(expected_score(&other, "{\"Score\":  4}"), None);
        assert_eq!(expected_score(&other, "{\"score\":  4}"), None);
        let none = [token("{\"score\": ", &[]), token("4", &[]), token("}", &[])];
        assert_eq!(expected_score(&none, "{\"score\": 4}"), None);
        let broken = [
            token("{\"score\": ", &[]),
            token("4", &[("4", f64::INFINITY.exp())]),
            token("}", &[]),
        ];
        assert_eq!(expected_score(&broken, "{\"score\": 4}"), None);
    }
}
